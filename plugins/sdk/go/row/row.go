// Package row makes structs of the rows of a batch, and columns of structs. A field is a column, named as the field is in snake case or
// by a tag:
//
//	type Visit struct {
//		UserID int32                     // user_id INT
//		URL    string `row:"address"`    // address STRING
//		Value  streamhost.Null[float64]  // value DOUBLE, which may be null
//		Price  arrow.Decimal `row:",decimal(10,2)"`
//		Tags   []string                  // tags ARRAY<STRING>
//		cache  int                       // no column: it is not exported
//	}
//
// The guide has the table of all types.
package row

import (
	"reflect"
	"unsafe"

	"streamhost/arrow"
	"streamhost/internal/rows"
)

// Fields are the columns of a struct.
type Fields[R any] struct{ fields *rows.Fields }

// Of takes a struct apart. It panics for a type that is no row, so call it where the plugin registers.
func Of[R any]() *Fields[R] { return &Fields[R]{rows.Of(reflect.TypeFor[R]())} }

// Names are the columns' names.
func (f *Fields[R]) Names() []string { return f.fields.Names() }

// Schema is the columns.
func (f *Fields[R]) Schema() arrow.Schema { return f.fields.Schema() }

// Schema is the columns of a struct.
func Schema[R any]() arrow.Schema { return Of[R]().Schema() }

// Rows are the rows of a batch.
type Rows[R any] struct {
	rows *rows.Rows
	// row is the one that is being read: a place that is made once, not for each row.
	row R
}

// Open finds the columns in a batch. The error says which one is missing, or has another type.
func (f *Fields[R]) Open(batch *arrow.Batch) (*Rows[R], error) {
	opened, err := f.fields.Open(batch)
	return &Rows[R]{rows: opened}, err
}

// OpenAs is Open with other names for the columns: the first for the first field, and so on.
func (f *Fields[R]) OpenAs(batch *arrow.Batch, columns []string) (*Rows[R], error) {
	opened, err := f.fields.OpenAs(batch, columns)
	return &Rows[R]{rows: opened}, err
}

// Len is the number of rows.
func (r *Rows[R]) Len() int { return r.rows.Len() }

// Read reads a row. Its strings are in the batch's memory. The error is that a column is null whose field has no place for that.
func (r *Rows[R]) Read(row int) (R, error) {
	var zero R
	r.row = zero
	err := r.rows.Read(row, unsafe.Pointer(&r.row))
	return r.row, err
}

// ReadBlock reads as many rows from one on as there is room for, and answers the error of each row that has one; nil if none has.
func (r *Rows[R]) ReadBlock(from int, to []R) map[int]error {
	clear(to)
	return r.rows.ReadBlock(from, len(to), unsafe.Pointer(unsafe.SliceData(to)), unsafe.Sizeof(r.row))
}

// Read is the rows of a batch, one after the other, each with its error.
func Read[R any](batch *arrow.Batch) (func(yield func(R, error) bool), error) {
	rows, err := Of[R]().Open(batch)
	if err != nil {
		return nil, err
	}
	return func(yield func(R, error) bool) {
		for row := range rows.Len() {
			if !yield(rows.Read(row)) {
				return
			}
		}
	}, nil
}

// Writer makes columns of structs.
type Writer[W any] struct {
	writer *rows.Writer
	row    W
}

// Writer makes a writer of no rows.
func (f *Fields[W]) Writer() *Writer[W] { return &Writer[W]{writer: f.fields.Writer()} }

// Len is the number of rows.
func (w *Writer[W]) Len() int { return w.writer.Len() }

// Write adds a row.
func (w *Writer[W]) Write(row W) {
	w.row = row
	w.writer.Write(unsafe.Pointer(&w.row))
}

// WriteAll adds rows.
func (w *Writer[W]) WriteAll(rows []W) {
	if len(rows) > 0 {
		w.writer.WriteBlock(len(rows), unsafe.Pointer(unsafe.SliceData(rows)), unsafe.Sizeof(w.row))
	}
}

// WriteNull adds a row of nulls, in the place of one in error.
func (w *Writer[W]) WriteNull() { w.writer.WriteNull() }

// Batch is the rows so far. The writer is empty again.
func (w *Writer[W]) Batch() *arrow.Batch { return w.writer.Batch() }

// Batch makes columns of rows.
func Batch[W any](rows []W) *arrow.Batch {
	writer := Of[W]().Writer()
	writer.WriteAll(rows)
	return writer.Batch()
}
