package main

import (
	"fmt"

	"streamhost"
	"streamhost/arrow"
	"streamhost/batchsink"
)

func init() {
	batchsink.Store(
		func(*streamhost.NoConfig, arrow.Schema) ([]batchsink.Output, error) { return nil, nil },
		func(_ *streamhost.Call[streamhost.NoConfig], rows *batchsink.Rows, _ *batchsink.Outputs) error {
			for batch, err := range rows.All() {
				if err != nil {
					return err
				}
				look(batch)
			}
			return nil
		})
}

func main() {}

func look(batch *arrow.Batch) {
	for row := range batch.Rows() {
		if id := batch.Named("id").Value(row); id == int64(2) {
			panic(fmt.Sprintf("no such id: %d", id))
		}
	}
}
