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
		err := each(fields, call, batch, func(at int, row R) error {
			kept, err := filter(call, row)
			if kept {
				bits.Set(at)
			}
			return err
		}, nil)
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
		// The host drops a row in error and what stands beside it: any row keeps the columns in step.
		err := each(fields, call, batch, func(_ int, row R) error {
			columns, err := add(call, row)
			if err == nil {
				writer.Write(columns)
			}
			return err
		}, writer.WriteNull)
		return output{kind: extend, main: writer.Batch()}, err
	}, reads(fields, options))
}

// FilterMapRows adds columns to the rows for which the function gives them, and drops those for which it gives nil.
func FilterMapRows[R, A any](add func(row R) (*A, error), options ...streamhost.Option) {
	FilterMapRowsWith(func(_ *streamhost.Call[streamhost.NoConfig], row R) (*A, error) { return add(row) }, options...)
}

// FilterMapRowsWith is FilterMapRows with the configuration and the epoch. An error is the row's.
func FilterMapRowsWith[R, A, C any](add func(call *streamhost.Call[C], row R) (*A, error), options ...streamhost.Option) {
	fields, added := row.Of[R](), row.Of[A]()
	register(func(call *streamhost.Call[C], batch *arrow.Batch) (output, error) {
		writer, bits := added.Writer(), arrow.NewBitmap(batch.Rows())
		err := each(fields, call, batch, func(at int, row R) error {
			columns, err := add(call, row)
			if err == nil && columns != nil {
				bits.Set(at)
				writer.Write(*columns)
			}
			return err
		}, nil)
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
		var emitted []O
		emit := func(row O) { emitted = append(emitted, row) }
		err := each(fields, call, batch, func(_ int, row R) error {
			emitted = emitted[:0]
			err := transform(call, row, emit)
			for i := 0; err == nil && i < len(emitted); i++ {
				writer.Write(emitted[i])
			}
			return err
		}, nil)
		return output{kind: replace, main: writer.Batch()}, err
	}, reads(fields, options))
}

// reads says that the plugin reads the fields of its rows.
func reads[R any](fields *row.Fields[R], options []streamhost.Option) []streamhost.Option {
	return append(options[:len(options):len(options)], streamhost.Reads(fields.Names()...))
}

// each calls a function for each row. A row that cannot be read, for which it fails or panics, is in error, and the others go on; then
// failed is called, if it is there.
func each[R, C any](
	fields *row.Fields[R], call *streamhost.Call[C], batch *arrow.Batch, of func(at int, row R) error, failed func(),
) error {
	rows, err := fields.Open(batch)
	if err != nil {
		return err
	}
	for at := 0; at < rows.Len(); at++ {
		at, err = from(at, rows, of)
		if err != nil {
			call.Errors.Add(at, err)
			if failed != nil {
				failed()
			}
		}
	}
	return nil
}

// from calls a function for each row from one on, until it fails, and answers for which row that was.
func from[R any](at int, rows *row.Rows[R], of func(at int, row R) error) (row int, err error) {
	row = at
	defer func() {
		if reason := recover(); reason != nil {
			err = &fail.Error{Kind: fail.Permanent, Message: host.Panicked(reason)}
		}
	}()
	for ; row < rows.Len(); row++ {
		value, err := rows.Read(row)
		if err == nil {
			err = of(row, value)
		}
		if err != nil {
			return row, err
		}
	}
	return row, nil
}
