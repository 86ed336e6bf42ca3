package stateless

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/fail"
	"streamhost/internal/host"
	"streamhost/row"
)

// FilterRows keeps the rows for which the function says so.
func FilterRows[R any](filter func(row R) bool, options ...streamhost.Option) {
	FilterRowsWith(func(_ *streamhost.Call[streamhost.NoConfig], row R) (bool, error) { return filter(row), nil }, options...)
}

// FilterRowsWith is FilterRows with the configuration and the epoch. An error is the row's.
func FilterRowsWith[R, C any](filter func(call *streamhost.Call[C], row R) (bool, error), options ...streamhost.Option) {
	fields := row.Of[R]()
	register(func(call *streamhost.Call[C], batch *arrow.Batch) (output, error) {
		bits := arrow.NewBitmap(batch.Rows())
		err := scan(fields, batch, call.Errors, func(from int, rows []R, done *int) error {
			for ; *done < len(rows); *done++ {
				kept, err := filter(call, rows[*done])
				if err != nil {
					return err
				}
				if kept {
					bits.Set(from + *done)
				}
			}
			return nil
		}, nothing)
		return output{kind: keep, keep: bits}, err
	}, reads(fields, options))
}

// MapRows adds columns to every row: the fields of the struct that the function gives.
func MapRows[R, A any](add func(row R) (A, error), options ...streamhost.Option) {
	MapRowsWith(func(_ *streamhost.Call[streamhost.NoConfig], row R) (A, error) { return add(row) }, options...)
}

// MapRowsWith is MapRows with the configuration and the epoch. An error is the row's.
func MapRowsWith[R, A, C any](add func(call *streamhost.Call[C], row R) (A, error), options ...streamhost.Option) {
	fields, added := row.Of[R](), row.Of[A]()
	register(func(call *streamhost.Call[C], batch *arrow.Batch) (output, error) {
		writer := added.Writer()
		made := make([]A, 0, batch.Rows())
		// The host drops a row in error and what stands beside it: any row keeps the columns in step.
		failed := func() { made = append(made, *new(A)) }
		err := scan(fields, batch, call.Errors, func(_ int, rows []R, done *int) error {
			for ; *done < len(rows); *done++ {
				columns, err := add(call, rows[*done])
				if err != nil {
					return err
				}
				made = append(made, columns)
			}
			return nil
		}, failed)
		writer.WriteAll(made)
		return output{kind: extend, main: writer.Batch()}, err
	}, reads(fields, options))
}

// FilterMapRows adds columns to the rows for which the function says true, and drops the others.
func FilterMapRows[R, A any](add func(row R) (A, bool, error), options ...streamhost.Option) {
	FilterMapRowsWith(func(_ *streamhost.Call[streamhost.NoConfig], row R) (A, bool, error) { return add(row) }, options...)
}

// FilterMapRowsWith is FilterMapRows with the configuration and the epoch. An error is the row's.
func FilterMapRowsWith[R, A, C any](add func(call *streamhost.Call[C], row R) (A, bool, error), options ...streamhost.Option) {
	fields, added := row.Of[R](), row.Of[A]()
	register(func(call *streamhost.Call[C], batch *arrow.Batch) (output, error) {
		writer, bits, made := added.Writer(), arrow.NewBitmap(batch.Rows()), []A{}
		err := scan(fields, batch, call.Errors, func(from int, rows []R, done *int) error {
			for ; *done < len(rows); *done++ {
				columns, kept, err := add(call, rows[*done])
				if err != nil {
					return err
				}
				if kept {
					bits.Set(from + *done)
					made = append(made, columns)
				}
			}
			return nil
		}, nothing)
		writer.WriteAll(made)
		return output{kind: keepExtend, keep: bits, main: writer.Batch()}, err
	}, reads(fields, options))
}

// TransformRows replaces every row by those that the function emits.
func TransformRows[R, O any](transform func(row R, emit func(O)) error, options ...streamhost.Option) {
	TransformRowsWith(func(_ *streamhost.Call[streamhost.NoConfig], row R, emit func(O)) error { return transform(row, emit) }, options...)
}

// TransformRowsWith is TransformRows with the configuration and the epoch. An error is the row's; nothing that it emitted leaves.
func TransformRowsWith[R, O, C any](
	transform func(call *streamhost.Call[C], row R, emit func(O)) error, options ...streamhost.Option,
) {
	fields, out := row.Of[R](), row.Of[O]()
	register(func(call *streamhost.Call[C], batch *arrow.Batch) (output, error) {
		writer := out.Writer()
		// emitted has the rows of all input rows; what one that fails has emitted begins at start.
		var emitted []O
		start := 0
		emit := func(row O) { emitted = append(emitted, row) }
		err := scan(fields, batch, call.Errors, func(_ int, rows []R, done *int) error {
			for ; *done < len(rows); *done++ {
				start = len(emitted)
				if err := transform(call, rows[*done], emit); err != nil {
					return err
				}
			}
			start = len(emitted)
			return nil
		}, func() { emitted = emitted[:start] })
		writer.WriteAll(emitted)
		return output{kind: replace, main: writer.Batch()}, err
	}, reads(fields, options))
}

func nothing() {}

// reads says that the plugin reads the fields of its rows.
func reads[R any](fields *row.Fields[R], options []streamhost.Option) []streamhost.Option {
	return append(options[:len(options):len(options)], streamhost.Reads(fields.Names()...))
}

// blockRows is how many rows are read at once.
const blockRows = 256

// work is a function that works on rows of which the first is the batch's row `from`, beginning with the one at *done, and counts there
// those that it has done. Its error is that of the row at *done.
type work[R any] func(from int, rows []R, done *int) error

// scan works on all rows of a batch. A row that cannot be read, for which the work fails or panics, is in error, and the others go on;
// failed is called then.
func scan[R any](fields *row.Fields[R], batch *arrow.Batch, errors *streamhost.RowErrors, work work[R], failed func()) error {
	rows, err := fields.Open(batch)
	if err != nil {
		return err
	}
	block := make([]R, min(blockRows, rows.Len()))
	for from := 0; from < rows.Len(); from += len(block) {
		block = block[:min(len(block), rows.Len()-from)]
		unread := rows.ReadBlock(from, block)
		for done := 0; done < len(block); done++ {
			// As far as the next row that could not be read.
			end := done
			for unread != nil && end < len(block) && unread[end] == nil {
				end++
			}
			if unread == nil {
				end = len(block)
			}
			err := guarded(from, block[:end], &done, work)
			if err == nil {
				err = unread[end]
			}
			if err != nil {
				errors.Add(from+done, err)
				failed()
			}
		}
	}
	return nil
}

// guarded makes an error of a panic.
func guarded[R any](from int, rows []R, done *int, work work[R]) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = &fail.Error{Kind: fail.Permanent, Message: host.Panicked(reason)}
		}
	}()
	return work(from, rows, done)
}
