// Adds a column: the value as a share of a whole.
package main

import (
	"fmt"

	"streamhost"
	"streamhost/stateless"
)

// Config is what the pipeline may set.
type Config struct {
	Whole float64 `default:"100" doc:"What a share of 1 is."`
}

// Event has the columns that the plugin reads.
type Event struct {
	Value float64
}

// Added has the columns that it adds.
type Added struct {
	Share float64
}

func init() {
	stateless.MapRowsWith(share, streamhost.Summary("Adds a column: the value as a share of a whole."))
}

func main() {}

// share gives the added columns of a row.
func share(call *streamhost.Call[Config], event Event) (Added, error) {
	if event.Value < 0 {
		return Added{}, streamhost.Permanent(fmt.Sprintf("a share of %g makes no sense", event.Value))
	}
	return Added{Share: event.Value / call.Config.Whole}, nil
}
