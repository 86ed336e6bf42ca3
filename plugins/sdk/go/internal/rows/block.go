package rows

import (
	"unsafe"

	"streamhost/arrow"
	"streamhost/internal/fail"
)

// Block is how many rows are read and written at once. A field at a time, that costs a few nanoseconds a row; row by row each field is a
// call of a function.
const Block = 256

// blockReader reads rows from one on to places that are so many bytes apart. None of them is null.
type blockReader = func(from, count int, to unsafe.Pointer, stride uintptr)

// ReadBlock reads so many rows to places that are zero, and so many bytes apart. It answers the error of each row that has one; nil if
// none has.
func (r *Rows) ReadBlock(from, count int, to unsafe.Pointer, stride uintptr) map[int]error {
	var failed map[int]error
	for i := range r.getters {
		g := &r.getters[i]
		at := unsafe.Add(to, g.offset)
		if g.block != nil {
			g.block(from, count, at, stride)
			continue
		}
		for row := range count {
			if g.get(from+row, unsafe.Add(at, uintptr(row)*stride)) || failed[row] != nil {
				continue
			}
			if failed == nil {
				failed = map[int]error{}
			}
			failed[row] = &fail.Error{Kind: fail.Permanent, Message: "`" + g.name + "` is null"}
		}
	}
	return failed
}

// Places are reckoned from the first one, so that no pointer is ever behind the last.

// fixedBlock reads values of a fixed width.
func fixedBlock[T any](values []T) blockReader {
	return func(from, count int, to unsafe.Pointer, stride uintptr) {
		part, at := values[from:from+count], uintptr(0)
		for ; len(part) >= 4; part = part[4:] {
			v := (*[4]T)(part)
			*(*T)(unsafe.Add(to, at)) = v[0]
			*(*T)(unsafe.Add(to, at+stride)) = v[1]
			*(*T)(unsafe.Add(to, at+2*stride)) = v[2]
			*(*T)(unsafe.Add(to, at+3*stride)) = v[3]
			at += 4 * stride
		}
		for i, v := range part {
			*(*T)(unsafe.Add(to, at+uintptr(i)*stride)) = v
		}
	}
}

// textBlock reads strings.
func textBlock(c *arrow.Column) blockReader {
	offsets, data := c.Offsets(), c.Data()
	return func(from, count int, to unsafe.Pointer, stride uintptr) {
		start := unsafe.Pointer(unsafe.SliceData(data))
		for i, end := range offsets[from+1 : from+1+count] {
			begin := offsets[from+i]
			// The column's reader has looked that offsets rise, and end within the data.
			if begin < end {
				*(*string)(unsafe.Add(to, uintptr(i)*stride)) = unsafe.String((*byte)(unsafe.Add(start, begin)), int(end-begin))
			}
		}
	}
}

// WriteBlock adds so many rows from places that are so many bytes apart.
func (w *Writer) WriteBlock(count int, from unsafe.Pointer, stride uintptr) {
	w.rows += count
	for i, write := range w.writers {
		at := unsafe.Add(from, w.fields[i].offset)
		if block := w.blocks[i]; block != nil {
			block(w.builders[i], count, at, stride)
			continue
		}
		for row := range count {
			write(w.builders[i], unsafe.Add(at, uintptr(row)*stride))
		}
	}
}

// blockWriter adds so many values from places that are so many bytes apart.
type blockWriter = func(b *arrow.Builder, count int, from unsafe.Pointer, stride uintptr)

// writeBlock is the block writer of a field; nil if it has none.
func writeBlock(l *leaf) blockWriter {
	if l.null != never || l.key != nil || l.members != nil || l.inner != nil {
		return nil
	}
	switch l.column.Kind {
	case arrow.Bool, arrow.Utf8, arrow.Binary, arrow.Decimal128, arrow.IntervalMonthDayNano:
		return nil
	}
	// What is left are numbers, of which only the width matters.
	switch l.size() {
	case 1:
		return gather[uint8]
	case 2:
		return gather[uint16]
	case 4:
		return gather[uint32]
	}
	return gather[uint64]
}

func gather[T arrow.Fixed](b *arrow.Builder, count int, from unsafe.Pointer, stride uintptr) {
	to, at := arrow.Room[T](b, count), uintptr(0)
	for ; len(to) >= 4; to = to[4:] {
		t := (*[4]T)(to)
		t[0] = *(*T)(unsafe.Add(from, at))
		t[1] = *(*T)(unsafe.Add(from, at+stride))
		t[2] = *(*T)(unsafe.Add(from, at+2*stride))
		t[3] = *(*T)(unsafe.Add(from, at+3*stride))
		at += 4 * stride
	}
	for i := range to {
		to[i] = *(*T)(unsafe.Add(from, at+uintptr(i)*stride))
	}
}
