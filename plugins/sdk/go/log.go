package streamhost

import "streamhost/internal/host"

// Trace writes a line to the host's log, as the other levels do. In a native test lines go to standard error.
func Trace(message string) { host.Log(0, message) }

// Debug is for what happens once in a batch.
func Debug(message string) { host.Log(1, message) }

// Info is for what happens once in the life of a plugin.
func Info(message string) { host.Log(2, message) }

// Warn says that something was wrong and was put right.
func Warn(message string) { host.Log(3, message) }

// LogError says that data was lost or someone must act.
func LogError(message string) { host.Log(4, message) }

// Counter adds to a number that only rises, such as words_total. It stands beside the host's own metrics, under the plugin's name.
func Counter(name string, add uint64) { host.Counter(name, add) }

// Gauge sets a number that rises and falls.
func Gauge(name string, value float64) { host.Gauge(name, value) }
