// Adds each column once more, built anew of its values.
package main

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/stateless"
)

func init() {
	stateless.Map(again, streamhost.Summary("Adds each column once more, value by value."))
}

func main() {}

func again(_ *streamhost.Call[streamhost.NoConfig], batch *arrow.Batch) (*arrow.Batch, error) {
	schema, columns := batch.Schema().AllNullable(), make([]*arrow.Column, len(batch.Columns()))
	for i, column := range batch.Columns() {
		builder := arrow.NewBuilder(column.Type())
		for row := range batch.Rows() {
			if err := builder.AppendValue(column.Value(row)); err != nil {
				return nil, streamhost.In("column `"+schema[i].Name+"`", err)
			}
		}
		schema[i].Name += "_again"
		columns[i] = builder.Column()
	}
	return arrow.BatchOf(schema, columns, batch.Rows())
}
