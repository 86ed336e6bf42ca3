package arrow

import "unsafe"

// Column is a column of a batch: values that lie one behind the other, and a bit for each that says whether it is there. Columns are
// not changed once they are made. What they give out, slices and strings, is their own memory: it stays as it is for as long as
// somebody holds it, and must not be written to.
type Column struct {
	typ    Type
	length int
	nulls  int
	// valid has a bit for each value that is not null; nil if none is.
	valid []byte
	// data has the values of a fixed width, the bits of booleans, or the bytes of strings.
	data []byte
	// offsets say where each string or list begins, and where the last one ends.
	offsets []int32
	// children are the items of lists, the members of structs; of a map the keys and the values.
	children []*Column
	// entries has the bitmap of a map's entries, which are structs; nil if they are all there.
	entries []byte
}

// Type is the type of the values.
func (c *Column) Type() Type { return c.typ }

// Len is the number of values.
func (c *Column) Len() int { return c.length }

// Nulls is the number of nulls.
func (c *Column) Nulls() int { return c.nulls }

// IsNull says whether the value of a row is null.
func (c *Column) IsNull(row int) bool {
	if c.typ.Kind == Null {
		return true
	}
	return c.valid != nil && c.valid[row>>3]>>(row&7)&1 == 0
}

// Valid has a bit for each value that is not null; nil if all are there.
func (c *Column) Valid() *Bitmap {
	if c.valid == nil {
		return nil
	}
	return &Bitmap{bytes: c.valid, length: c.length}
}

// Fixed are the values that a slice can have.
type Fixed interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64 | Decimal | Decimal256Value | Interval |
		IntervalDays
}

// Values are the values of a column as they lie in memory, nulls included, whose values mean nothing; false if the column's type is
// another. An int32 is also what a Date32 and a Time32 has, an int64 a Date64, a Time64, a timestamp or a duration of any unit.
func Values[T Fixed](c *Column) ([]T, bool) {
	if !holds[T](c.typ) {
		return nil, false
	}
	return cast[T](c.data, c.length), true
}

// holds says whether values of the type are read as T.
func holds[T Fixed](t Type) bool {
	var zero T
	switch any(zero).(type) {
	case int8:
		return t.Kind == Int8
	case int16:
		return t.Kind == Int16
	case int32:
		return t.Kind == Int32 || t.Kind == Date32 || t.Kind == Time32 || t.Kind == IntervalMonths
	case int64:
		return t.Kind == Int64 || t.Kind == Date64 || t.Kind == Time64 || t.Kind == TimestampKind || t.Kind == DurationKind
	case uint8:
		return t.Kind == Uint8
	case uint16:
		return t.Kind == Uint16
	case uint32:
		return t.Kind == Uint32
	case uint64:
		return t.Kind == Uint64
	case float32:
		return t.Kind == Float32
	case float64:
		return t.Kind == Float64
	case Half:
		return t.Kind == Float16
	case Date:
		return t.Kind == Date32
	case Timestamp:
		return t.Kind == TimestampKind && t.Unit == Microsecond
	case Decimal:
		return t.Kind == Decimal128
	case Decimal256Value:
		return t.Kind == Decimal256
	case Interval:
		return t.Kind == IntervalMonthDayNano
	case IntervalDays:
		return t.Kind == IntervalDayTime
	}
	return false
}

// cast reads bytes as values. They are aligned, as the reader copies what is not.
func cast[T any](data []byte, length int) []T {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), length)
}

// bytesOf reads values as bytes.
func bytesOf[T any](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(values[0])))
}

// Bits are the values of a BOOLEAN column; nil of any other.
func (c *Column) Bits() *Bitmap {
	if c.typ.Kind != Bool {
		return nil
	}
	return &Bitmap{bytes: c.data, length: c.length}
}

// Bool is a value of a BOOLEAN column.
func (c *Column) Bool(row int) bool { return c.data[row>>3]>>(row&7)&1 != 0 }

// IsString says whether [Column.Text] can be asked.
func (c *Column) IsString() bool { return c.typ.Kind == Utf8 || c.typ.Kind == LargeUtf8 }

// IsBinary says whether the values are bytes that are no text.
func (c *Column) IsBinary() bool {
	return c.typ.Kind == Binary || c.typ.Kind == LargeBinary || c.typ.Kind == FixedSizeBinary
}

// Text is a value of a STRING column. It shares the column's memory: with strings.Clone a long-lived copy does not hold the batch.
func (c *Column) Text(row int) string {
	bytes := c.Bytes(row)
	return unsafe.String(unsafe.SliceData(bytes), len(bytes))
}

// Bytes is a value of a STRING or BINARY column, in the column's memory.
func (c *Column) Bytes(row int) []byte {
	if c.typ.Kind == FixedSizeBinary {
		size := int(c.typ.Size)
		return c.data[row*size : row*size+size : row*size+size]
	}
	from, to := c.offsets[row], c.offsets[row+1]
	return c.data[from:to:to]
}

// Offsets say where each value of a string, list or map column begins, and where the last one ends: in [Column.Data], or in the items.
func (c *Column) Offsets() []int32 { return c.offsets }

// Data are the bytes of all values of a string, binary or fixed-width column.
func (c *Column) Data() []byte { return c.data }

// Range is where the items of a list or a map are: those of the row are from the first number to before the second.
func (c *Column) Range(row int) (int, int) {
	if c.typ.Kind == FixedSizeList {
		return row * int(c.typ.Size), (row + 1) * int(c.typ.Size)
	}
	return int(c.offsets[row]), int(c.offsets[row+1])
}

// Items are the items of all lists, one behind the other; [Column.Range] says whose they are.
func (c *Column) Items() *Column { return c.Child(0) }

// Child is a member of structs, or, of maps, the keys (0) and the values (1) of all of them; nil if there is none.
func (c *Column) Child(i int) *Column {
	if i >= len(c.children) {
		return nil
	}
	return c.children[i]
}

// Member is the member of structs with this name; nil if there is none.
func (c *Column) Member(name string) *Column {
	if c.typ.Kind != Struct {
		return nil
	}
	if at := Schema(c.typ.Fields).Index(name); at >= 0 {
		return c.children[at]
	}
	return nil
}
