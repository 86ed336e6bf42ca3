// Keeps the rows whose value of the first column is not null.
package main

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/stateless"
)

func init() {
	stateless.Filter(keep, streamhost.Summary("Keeps the rows whose first column is not null."))
}

func main() {}

func keep(_ *streamhost.Call[streamhost.NoConfig], batch *arrow.Batch) (*arrow.Bitmap, error) {
	if len(batch.Columns()) == 0 {
		return nil, streamhost.Invalid("there is no column")
	}
	bits := arrow.NewBitmap(batch.Rows())
	for row := range batch.Rows() {
		if batch.Column(0).Value(row) != nil {
			bits.Set(row)
		}
	}
	return bits, nil
}
