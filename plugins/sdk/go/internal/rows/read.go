package rows

import (
	"unsafe"

	"streamhost/arrow"
	"streamhost/internal/bind"
	"streamhost/internal/fail"
)

// Rows are the rows of a batch.
type Rows struct {
	getters []getter
	rows    int
}

// getter reads a field; false if it is null and the field has no place for that.
type getter struct {
	name   string
	offset uintptr
	get    reader
	// block reads many rows at once; nil if there is no such way.
	block blockReader
}

// reader reads the value of a row to a place that is zero; false if it is null.
type reader = func(row int, to unsafe.Pointer) bool

// Open finds the columns in a batch. The error says which one is missing, or has another type.
func (f *Fields) Open(batch *arrow.Batch) (*Rows, error) {
	getters, err := openFields(f.fields, batch)
	return &Rows{getters: getters, rows: batch.Rows()}, err
}

// OpenAs is Open with other names for the columns: the first for the first field, and so on.
func (f *Fields) OpenAs(batch *arrow.Batch, columns []string) (*Rows, error) {
	fields := append([]field(nil), f.fields...)
	for i := range fields {
		fields[i].name = columns[i]
	}
	getters, err := openFields(fields, batch)
	for i := range getters {
		getters[i].name = f.fields[i].name
	}
	return &Rows{getters: getters, rows: batch.Rows()}, err
}

// Len is the number of rows.
func (r *Rows) Len() int { return r.rows }

// Read reads a row to a place that is zero. Its strings are in the batch's memory. The error is that a column is null whose field has no
// place for that.
func (r *Rows) Read(row int, to unsafe.Pointer) error {
	for i := range r.getters {
		if g := &r.getters[i]; !g.get(row, unsafe.Add(to, g.offset)) {
			return &fail.Error{Kind: fail.Permanent, Message: "`" + g.name + "` is null"}
		}
	}
	return nil
}

func openFields(fields []field, batch *arrow.Batch) ([]getter, error) {
	getters := make([]getter, len(fields))
	for i := range fields {
		field := &fields[i]
		column := batch.Named(field.name)
		if column == nil {
			return nil, bind.Missing(field.name, batch.Schema())
		}
		get := open(&field.leaf, column)
		if get == nil {
			return nil, mismatch(field.name, column.Type(), field.leaf.column)
		}
		getters[i] = getter{name: field.name, offset: field.offset, get: get}
		if column.Nulls() == 0 && field.leaf.null == never {
			getters[i].block = openBlock(&field.leaf, column)
		}
	}
	return getters, nil
}

func mismatch(name string, has, wants arrow.Type) error {
	message := "column `" + name + "` has type " + has.DDL() + ", and the plugin reads " + wants.DDL()
	if has.Numeric() && wants.Numeric() {
		message += ", which not every " + has.DDL() + " is; cast the column before this step"
	}
	return &fail.Error{Message: message}
}

// open makes the reader of a column; nil if not every value of it is one of the Go type.
func open(l *leaf, c *arrow.Column) reader {
	switch {
	case l.null == byNull:
		return openNull(l, c)
	case l.null == byPointer:
		return openPointer(l, c)
	case l.key != nil:
		return openMap(l, c)
	case l.members != nil:
		return openStruct(l, c)
	case l.inner != nil:
		return openList(l, c)
	}
	switch l.column.Kind {
	case arrow.Bool:
		return openBool(c)
	case arrow.Utf8:
		return openBytes(c, c.IsString(), func(row int, to unsafe.Pointer) { *(*string)(to) = c.Text(row) })
	case arrow.Binary:
		return openBytes(c, c.IsBinary(), func(row int, to unsafe.Pointer) { *(*[]byte)(to) = c.Bytes(row) })
	case arrow.Decimal128:
		if c.Type().Kind != arrow.Decimal128 || c.Type().Scale != l.column.Scale || c.Type().Precision > l.column.Precision {
			return nil
		}
	}
	return openNumber(l.column.Kind, c)
}

// openBlock makes the reader of many rows of a column without nulls; nil if there is none.
func openBlock(l *leaf, c *arrow.Column) blockReader {
	has := c.Type().Kind
	switch {
	case l.key != nil || l.members != nil || l.inner != nil:
		return nil
	case l.column.Kind == arrow.Utf8:
		return textBlock(c)
	case has != l.column.Kind:
		return nil
	}
	switch has {
	case arrow.Int32:
		return blockOf[int32](c)
	case arrow.Int64:
		return blockOf[int64](c)
	case arrow.Float32:
		return blockOf[float32](c)
	case arrow.Float64:
		return blockOf[float64](c)
	case arrow.Date32:
		return blockOf[arrow.Date](c)
	case arrow.TimestampKind:
		return blockOf[arrow.Timestamp](c)
	}
	return nil
}

func blockOf[T arrow.Fixed](c *arrow.Column) blockReader {
	values, ok := arrow.Values[T](c)
	if !ok {
		return nil
	}
	return fixedBlock(values)
}

func openNumber(kind arrow.Kind, c *arrow.Column) reader {
	switch kind {
	case arrow.Int8:
		return fixed(c, exact[int8])
	case arrow.Int16:
		return fixed(c, exact[int16], wider[int8, int16])
	case arrow.Int32:
		return fixed(c, only[int32](arrow.Int32), wider[int16, int32], wider[int8, int32])
	case arrow.Int64:
		return fixed(c, only[int64](arrow.Int64), widerOnly[int32, int64](arrow.Int32), wider[int16, int64], wider[int8, int64])
	case arrow.Uint8:
		return fixed(c, exact[uint8])
	case arrow.Uint16:
		return fixed(c, exact[uint16], wider[uint8, uint16])
	case arrow.Uint32:
		return fixed(c, exact[uint32], wider[uint16, uint32], wider[uint8, uint32])
	case arrow.Uint64:
		return fixed(c, exact[uint64], wider[uint32, uint64], wider[uint16, uint64], wider[uint8, uint64])
	case arrow.Float32:
		return fixed(c, exact[float32], wider[int16, float32], wider[int8, float32])
	case arrow.Float64:
		return fixed(c, exact[float64], wider[float32, float64], widerOnly[int32, float64](arrow.Int32),
			wider[int16, float64], wider[int8, float64])
	case arrow.Date32:
		return fixed(c, exact[arrow.Date])
	case arrow.TimestampKind:
		return fixed(c, exact[arrow.Timestamp])
	case arrow.Decimal128:
		return fixed(c, exact[arrow.Decimal])
	case arrow.IntervalMonthDayNano:
		return fixed(c, exact[arrow.Interval])
	}
	return nil
}

// fixed reads values of the first of these views that the column has.
func fixed[T any](c *arrow.Column, views ...func(*arrow.Column) ([]T, bool)) reader {
	for _, view := range views {
		if values, ok := view(c); ok {
			if c.Nulls() == 0 {
				return func(row int, to unsafe.Pointer) bool { *(*T)(to) = values[row]; return true }
			}
			return func(row int, to unsafe.Pointer) bool {
				if c.IsNull(row) {
					return false
				}
				*(*T)(to) = values[row]
				return true
			}
		}
	}
	return nil
}

func exact[T arrow.Fixed](c *arrow.Column) ([]T, bool) { return arrow.Values[T](c) }

// only is exact for one kind of those that have such values.
func only[T arrow.Fixed](kind arrow.Kind) func(c *arrow.Column) ([]T, bool) {
	return func(c *arrow.Column) ([]T, bool) {
		if c.Type().Kind != kind {
			return nil, false
		}
		return arrow.Values[T](c)
	}
}

// wider makes wider values of narrow ones, once a batch, so that a row costs the same as without.
func wider[N, W arrow.Ordered](c *arrow.Column) ([]W, bool) {
	narrow, ok := narrowValues[N](c)
	if !ok {
		return nil, false
	}
	wide := make([]W, len(narrow))
	for i, value := range narrow {
		wide[i] = W(value)
	}
	return wide, true
}

func widerOnly[N, W arrow.Ordered](kind arrow.Kind) func(c *arrow.Column) ([]W, bool) {
	return func(c *arrow.Column) ([]W, bool) {
		if c.Type().Kind != kind {
			return nil, false
		}
		return wider[N, W](c)
	}
}

func openBool(c *arrow.Column) reader {
	if c.Bits() == nil {
		return nil
	}
	return func(row int, to unsafe.Pointer) bool {
		*(*bool)(to) = c.Bool(row)
		return !c.IsNull(row)
	}
}

func openBytes(c *arrow.Column, fits bool, read func(row int, to unsafe.Pointer)) reader {
	if !fits {
		return nil
	}
	return func(row int, to unsafe.Pointer) bool {
		if c.IsNull(row) {
			return false
		}
		read(row, to)
		return true
	}
}
