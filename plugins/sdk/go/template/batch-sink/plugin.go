// Stores the rows of each epoch in one output, and a row about the epoch in another.
package main

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/batchsink"
)

// Audit is what is told of an epoch.
type Audit struct {
	Epoch int64
	Rows  int64
}

func init() {
	batchsink.Store(outputs, store, streamhost.Summary("Stores the rows of each epoch, and a row about the epoch."))
}

func main() {}

// outputs says what the plugin writes to: `rows` gets the columns that come in.
func outputs(_ *streamhost.NoConfig, input arrow.Schema) ([]batchsink.Output, error) {
	return []batchsink.Output{{Name: "rows", Columns: input}, batchsink.OutputOf[Audit]("audit")}, nil
}

// store stores an epoch.
func store(call *streamhost.Call[streamhost.NoConfig], rows *batchsink.Rows, outputs *batchsink.Outputs) error {
	count := 0
	for batch, err := range rows.All() {
		if err != nil {
			return err
		}
		count += batch.Rows()
		if err := outputs.Write("rows", batch); err != nil {
			return err
		}
	}
	return batchsink.WriteRows(outputs, "audit", Audit{Epoch: int64(call.Epoch), Rows: int64(count)})
}
