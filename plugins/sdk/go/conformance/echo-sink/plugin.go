// Stores every row of an epoch, built anew of its values.
package main

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/batchsink"
)

func init() {
	batchsink.Store(outputs, store, streamhost.Summary("Stores what comes in, value by value."))
}

func main() {}

func outputs(_ *streamhost.NoConfig, input arrow.Schema) ([]batchsink.Output, error) {
	return []batchsink.Output{{Name: "rows", Columns: input}}, nil
}

func store(_ *streamhost.Call[streamhost.NoConfig], rows *batchsink.Rows, outputs *batchsink.Outputs) error {
	for batch, err := range rows.All() {
		if err == nil {
			batch, err = rebuilt(batch)
		}
		if err == nil {
			err = outputs.Write("rows", batch)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func rebuilt(batch *arrow.Batch) (*arrow.Batch, error) {
	columns := make([]*arrow.Column, len(batch.Columns()))
	for i, column := range batch.Columns() {
		builder := arrow.NewBuilder(column.Type())
		for row := range batch.Rows() {
			if err := builder.AppendValue(column.Value(row)); err != nil {
				return nil, streamhost.In("column `"+batch.Schema()[i].Name+"`", err)
			}
		}
		columns[i] = builder.Column()
	}
	return arrow.BatchOf(batch.Schema(), columns, batch.Rows())
}
