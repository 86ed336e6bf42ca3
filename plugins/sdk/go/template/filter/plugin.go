// Keeps the rows whose value is above a threshold.
package main

import (
	"streamhost"
	"streamhost/stateless"
)

// Config is what the pipeline may set.
type Config struct {
	Threshold float64 `default:"10" doc:"Values up to this one are dropped."`
}

// Event has the columns that the plugin reads.
type Event struct {
	Value streamhost.Null[float64]
}

func init() {
	stateless.FilterRowsWith(keep, streamhost.Summary("Keeps the rows whose value is above a threshold."))
}

func main() {}

// keep says whether a row is kept.
func keep(call *streamhost.Call[Config], event Event) (bool, error) {
	return event.Value.Valid && event.Value.Value > call.Config.Threshold, nil
}
