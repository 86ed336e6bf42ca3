// Takes every value of every column apart, and builds the rows anew of the values.
package main

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/stateless"
)

func init() {
	stateless.Transform(echo, streamhost.Summary("Puts out what comes in, value by value."))
}

func main() {}

func echo(_ *streamhost.Call[streamhost.NoConfig], batch *arrow.Batch) (*arrow.Batch, error) {
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
