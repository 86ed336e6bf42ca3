package arrow

import "errors"

// Value is any value of a column, as Go has it; nil is null. It is the easy way to nested types, and slow: each value is an allocation.
//
//	BOOLEAN                   bool
//	TINYINT … BIGINT          int8, int16, int32, int64
//	unsigned numbers          uint8, uint16, uint32, uint64
//	FLOAT, DOUBLE, Float16    float32, float64, Half
//	STRING                    string
//	BINARY, FixedSizeBinary   []byte
//	DATE, TIMESTAMP           Date, Timestamp
//	other times, durations    int32, int64, in the type's unit
//	DECIMAL                   Decimal; Decimal256Value
//	INTERVAL                  Interval, IntervalDays; int32 months
//	ARRAY                     []Value
//	STRUCT                    Members
//	MAP                       []Entry
type Value = any

// Members are the values of a struct's members, in their order.
type Members []Value

// Entry is a pair of a map.
type Entry struct{ Key, Value Value }

// Value is the value of a row; nil if it is null. Strings and bytes are in the column's memory.
func (c *Column) Value(row int) Value {
	if c.IsNull(row) {
		return nil
	}
	switch c.typ.shape() {
	case shapeBits:
		return c.Bool(row)
	case shapeBytes:
		if c.IsString() {
			return c.Text(row)
		}
		return c.Bytes(row)
	case shapeStruct:
		members := make(Members, len(c.children))
		for i, child := range c.children {
			members[i] = child.Value(row)
		}
		return members
	case shapeList, shapeFixedList:
		return c.items(row)
	}
	return c.fixed(row)
}

func (c *Column) items(row int) Value {
	from, to := c.Range(row)
	if c.typ.Kind == Map {
		entries := make([]Entry, 0, to-from)
		for i := from; i < to; i++ {
			entries = append(entries, Entry{c.children[0].Value(i), c.children[1].Value(i)})
		}
		return entries
	}
	items := make([]Value, 0, to-from)
	for i := from; i < to; i++ {
		items = append(items, c.children[0].Value(i))
	}
	return items
}

func at[T any](c *Column, row int) T { return cast[T](c.data, c.length)[row] }

func (c *Column) fixed(row int) Value {
	switch c.typ.Kind {
	case Int8:
		return at[int8](c, row)
	case Int16:
		return at[int16](c, row)
	case Int32, Time32, IntervalMonths:
		return at[int32](c, row)
	case Int64, Date64, Time64, DurationKind:
		return at[int64](c, row)
	case Uint8:
		return at[uint8](c, row)
	case Uint16:
		return at[uint16](c, row)
	case Uint32:
		return at[uint32](c, row)
	case Uint64:
		return at[uint64](c, row)
	case Float16:
		return at[Half](c, row)
	case Float32:
		return at[float32](c, row)
	case Float64:
		return at[float64](c, row)
	case Date32:
		return at[Date](c, row)
	case TimestampKind:
		if c.typ.Unit == Microsecond {
			return at[Timestamp](c, row)
		}
		return at[int64](c, row)
	case IntervalDayTime:
		return at[IntervalDays](c, row)
	case IntervalMonthDayNano:
		return at[Interval](c, row)
	case Decimal128:
		return at[Decimal](c, row)
	case Decimal256:
		return at[Decimal256Value](c, row)
	}
	return c.Bytes(row)
}

// AppendValue adds any value, nil for a null. The error says that the value is of another Go type than the builder's type has.
func (b *Builder) AppendValue(value Value) error {
	switch v := value.(type) {
	case nil:
		b.AppendNull()
		return nil
	case bool:
		if b.shape == shapeBits {
			b.AppendBool(v)
			return nil
		}
	case string:
		if b.typ.Kind == Utf8 || b.typ.Kind == LargeUtf8 {
			b.AppendText(v)
			return nil
		}
	case []byte:
		if b.shape == shapeBytes || b.typ.Kind == FixedSizeBinary && len(v) == b.width {
			b.AppendBytes(v)
			return nil
		}
	case Members, []Value, []Entry:
		return b.appendNested(value)
	default:
		if b.shape == shapeFixed && b.appendFixed(value) {
			return nil
		}
	}
	return errors.New("the value is none of " + b.typ.DDL())
}

func (b *Builder) appendNested(value Value) error {
	var err error
	add := func(child int, value Value) {
		if err == nil {
			err = b.children[child].AppendValue(value)
		}
	}
	switch v := value.(type) {
	case Members:
		if b.shape != shapeStruct || len(v) != len(b.children) {
			return errors.New("the members are none of " + b.typ.DDL())
		}
		for i, member := range v {
			add(i, member)
		}
	case []Value:
		if b.typ.Kind == Map || b.shape != shapeList && (b.shape != shapeFixedList || len(v) != int(b.typ.Size)) {
			return errors.New("the items are none of " + b.typ.DDL())
		}
		for _, item := range v {
			add(0, item)
		}
	case []Entry:
		if b.typ.Kind != Map {
			return errors.New("the entries are none of " + b.typ.DDL())
		}
		for _, entry := range v {
			add(0, entry.Key)
			add(1, entry.Value)
		}
	}
	b.End()
	return err
}

func (b *Builder) appendFixed(value Value) bool {
	switch v := value.(type) {
	case int8:
		return appendIf(b, v)
	case int16:
		return appendIf(b, v)
	case int32:
		return appendIf(b, v)
	case int64:
		return appendIf(b, v)
	case uint8:
		return appendIf(b, v)
	case uint16:
		return appendIf(b, v)
	case uint32:
		return appendIf(b, v)
	case uint64:
		return appendIf(b, v)
	case float32:
		return appendIf(b, v)
	case float64:
		return appendIf(b, v)
	case Half:
		return appendIf(b, v)
	case Date:
		return appendIf(b, v)
	case Timestamp:
		return appendIf(b, v)
	case Decimal:
		return appendIf(b, v)
	case Decimal256Value:
		return appendIf(b, v)
	case Interval:
		return appendIf(b, v)
	case IntervalDays:
		return appendIf(b, v)
	}
	return false
}

func appendIf[T Fixed](b *Builder, value T) bool {
	if !holds[T](b.typ) {
		return false
	}
	Append(b, value)
	return true
}
