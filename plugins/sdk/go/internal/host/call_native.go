//go:build !wasip1

package host

import (
	"os"
	"strconv"
)

var levels = [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR"}

// Log writes a line to standard error.
func Log(level uint32, message string) { os.Stderr.WriteString(levels[level] + " " + message + "\n") }

// Metrics are what was counted and gauged, for tests.
var Metrics = map[string]string{}

// Counter adds to a metric.
func Counter(name string, add uint64) {
	before, _ := strconv.ParseUint(Metrics[name], 10, 64)
	Metrics[name] = strconv.FormatUint(before+add, 10)
}

// Gauge sets a metric.
func Gauge(name string, value float64) { Metrics[name] = strconv.FormatFloat(value, 'g', -1, 64) }

// Collect leaves it to the runtime.
func Collect() {}
