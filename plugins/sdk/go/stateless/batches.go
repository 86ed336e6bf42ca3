package stateless

import (
	"streamhost"
	"streamhost/arrow"
)

// Filter keeps the rows whose bit is set.
func Filter[C any](filter func(call *streamhost.Call[C], batch *arrow.Batch) (*arrow.Bitmap, error), options ...streamhost.Option) {
	register(func(call *streamhost.Call[C], batch *arrow.Batch) (output, error) {
		bits, err := filter(call, batch)
		return output{kind: keep, keep: bits, main: nil}, err
	}, options)
}

// Map adds columns to every row: the batch that the function gives stands beside the input's.
func Map[C any](add func(call *streamhost.Call[C], batch *arrow.Batch) (*arrow.Batch, error), options ...streamhost.Option) {
	register(func(call *streamhost.Call[C], batch *arrow.Batch) (output, error) {
		columns, err := add(call, batch)
		return output{kind: extend, main: columns}, err
	}, options)
}

// FilterMap keeps the rows whose bit is set, and adds columns, with a row for each of these. Without bits it keeps all; whether there
// are any must not depend on the rows.
func FilterMap[C any](
	add func(call *streamhost.Call[C], batch *arrow.Batch) (*arrow.Bitmap, *arrow.Batch, error), options ...streamhost.Option,
) {
	register(func(call *streamhost.Call[C], batch *arrow.Batch) (output, error) {
		bits, columns, err := add(call, batch)
		if bits == nil {
			return output{kind: extend, main: columns}, err
		}
		return output{kind: keepExtend, keep: bits, main: columns}, err
	}, options)
}

// Transform replaces the rows of a batch by others. It leaves rows in error out.
func Transform[C any](
	transform func(call *streamhost.Call[C], batch *arrow.Batch) (*arrow.Batch, error), options ...streamhost.Option,
) {
	register(func(call *streamhost.Call[C], batch *arrow.Batch) (output, error) {
		rows, err := transform(call, batch)
		return output{kind: replace, main: rows}, err
	}, options)
}

// Split is Transform with side outputs, each of which is a step's of its own in the pipeline. All of them are given for every batch, with
// no rows if there are none.
func Split[C any](
	split func(call *streamhost.Call[C], batch *arrow.Batch) (*arrow.Batch, []Side, error), options ...streamhost.Option,
) {
	register(func(call *streamhost.Call[C], batch *arrow.Batch) (output, error) {
		rows, side, err := split(call, batch)
		return output{kind: replace, main: rows, side: side}, err
	}, options)
}
