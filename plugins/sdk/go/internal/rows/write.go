package rows

import (
	"reflect"
	"sort"
	"unsafe"

	"streamhost/arrow"
)

// Writer makes columns of structs.
type Writer struct {
	fields   []field
	builders []*arrow.Builder
	writers  []writer
	blocks   []blockWriter
	rows     int
}

// writer adds the value at a place to a builder.
type writer = func(b *arrow.Builder, from unsafe.Pointer)

// Writer makes a writer of no rows.
func (f *Fields) Writer() *Writer {
	w := &Writer{fields: f.fields}
	for i := range f.fields {
		w.builders = append(w.builders, arrow.NewBuilder(f.fields[i].leaf.column))
		w.writers = append(w.writers, write(&f.fields[i].leaf))
		w.blocks = append(w.blocks, writeBlock(&f.fields[i].leaf))
	}
	return w
}

// Len is the number of rows.
func (w *Writer) Len() int { return w.rows }

// Write adds the row at a place.
func (w *Writer) Write(from unsafe.Pointer) {
	w.rows++
	for i, write := range w.writers {
		write(w.builders[i], unsafe.Add(from, w.fields[i].offset))
	}
}

// WriteNull adds a row of nulls, in the place of one in error.
func (w *Writer) WriteNull() {
	w.rows++
	for _, builder := range w.builders {
		builder.AppendNull()
	}
}

// Batch is the rows so far. The writer is empty again.
func (w *Writer) Batch() *arrow.Batch {
	columns := make([]*arrow.Column, len(w.builders))
	for i, builder := range w.builders {
		columns[i] = builder.Column()
	}
	// The columns are those of the schema, and each row has added one value to each.
	batch, _ := arrow.BatchOf(schema(w.fields).AllNullable(), columns, w.rows)
	w.rows = 0
	return batch
}

func write(l *leaf) writer {
	switch {
	case l.null == byNull:
		inner, there := write(l.inner), l.goType.Field(1).Offset
		return func(b *arrow.Builder, from unsafe.Pointer) {
			if *(*bool)(unsafe.Add(from, there)) {
				inner(b, from)
			} else {
				b.AppendNull()
			}
		}
	case l.null == byPointer:
		inner := write(l.inner)
		return func(b *arrow.Builder, from unsafe.Pointer) {
			if value := *(*unsafe.Pointer)(from); value != nil {
				inner(b, value)
			} else {
				b.AppendNull()
			}
		}
	case l.key != nil:
		return writeMap(l)
	case l.members != nil:
		return writeStruct(l)
	case l.inner != nil:
		return writeList(l)
	}
	return writePlain(l)
}

func writePlain(l *leaf) writer {
	switch l.column.Kind {
	case arrow.Bool:
		return func(b *arrow.Builder, from unsafe.Pointer) { b.AppendBool(*(*bool)(from)) }
	case arrow.Utf8:
		return func(b *arrow.Builder, from unsafe.Pointer) { b.AppendText(*(*string)(from)) }
	case arrow.Binary:
		return func(b *arrow.Builder, from unsafe.Pointer) { b.AppendBytes(*(*[]byte)(from)) }
	case arrow.Decimal128:
		return func(b *arrow.Builder, from unsafe.Pointer) { arrow.Append(b, *(*arrow.Decimal)(from)) }
	case arrow.IntervalMonthDayNano:
		return func(b *arrow.Builder, from unsafe.Pointer) { arrow.Append(b, *(*arrow.Interval)(from)) }
	}
	// What is left are numbers, of which only the width matters.
	switch l.size() {
	case 1:
		return func(b *arrow.Builder, from unsafe.Pointer) { arrow.Append(b, *(*uint8)(from)) }
	case 2:
		return func(b *arrow.Builder, from unsafe.Pointer) { arrow.Append(b, *(*uint16)(from)) }
	case 4:
		return func(b *arrow.Builder, from unsafe.Pointer) { arrow.Append(b, *(*uint32)(from)) }
	}
	return func(b *arrow.Builder, from unsafe.Pointer) { arrow.Append(b, *(*uint64)(from)) }
}

func writeList(l *leaf) writer {
	inner := write(l.inner)
	return func(b *arrow.Builder, from unsafe.Pointer) {
		items := reflect.NewAt(l.goType, from).Elem()
		for i := range items.Len() {
			inner(b.Child(0), items.Index(i).Addr().UnsafePointer())
		}
		b.End()
	}
}

// writeMap writes entries in the order of their keys, so that the same map is always the same bytes.
func writeMap(l *leaf) writer {
	key, value := write(l.key), write(l.inner)
	return func(b *arrow.Builder, from unsafe.Pointer) {
		entries := reflect.NewAt(l.goType, from).Elem()
		keys := entries.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return less(keys[i], keys[j]) })
		for _, k := range keys {
			key(b.Child(0), addressable(k))
			value(b.Child(1), addressable(entries.MapIndex(k)))
		}
		b.End()
	}
}

// addressable copies a value to a place of its own.
func addressable(value reflect.Value) unsafe.Pointer {
	place := reflect.New(value.Type())
	place.Elem().Set(value)
	return place.UnsafePointer()
}

// Less is an order of all values of a map's keys.
func Less(a, b reflect.Value) bool { return less(a, b) }

func less(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.String:
		return a.String() < b.String()
	case reflect.Float32, reflect.Float64:
		return a.Float() < b.Float()
	case reflect.Bool:
		return !a.Bool() && b.Bool()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return a.Uint() < b.Uint()
	case reflect.Struct:
		for i := range a.NumField() {
			if less(a.Field(i), b.Field(i)) || less(b.Field(i), a.Field(i)) {
				return less(a.Field(i), b.Field(i))
			}
		}
		return false
	}
	return a.Int() < b.Int()
}

func writeStruct(l *leaf) writer {
	writers := make([]writer, len(l.members))
	for i := range l.members {
		writers[i] = write(&l.members[i].leaf)
	}
	return func(b *arrow.Builder, from unsafe.Pointer) {
		for i, write := range writers {
			write(b.Child(i), unsafe.Add(from, l.members[i].offset))
		}
		b.End()
	}
}
