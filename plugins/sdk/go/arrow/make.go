package arrow

// Of is a column of these values, none of which is null. The slice belongs to the column from now on. Its type is the one that the
// element's has in the table of the guide: Of([]int32{…}) is an INT, Of([]arrow.Timestamp{…}) a TIMESTAMP.
func Of[T Fixed](values []T) *Column {
	return &Column{typ: typeOf[T](), length: len(values), data: bytesOf(values)}
}

// OfNullable is the same with a bit for each value that is there; nil if all are. Both belong to the column from now on.
func OfNullable[T Fixed](values []T, valid *Bitmap) *Column {
	return Of(values).withValid(valid)
}

// As is a column with another type whose values lie in memory as this one's do: an INT as a DATE, a TIMESTAMP with another zone, a
// DECIMAL of another scale. It panics for other types.
func (c *Column) As(t Type) *Column {
	if t.width() != c.typ.width() || t.shape() != c.typ.shape() || t.shape() != shapeFixed && !t.Equal(c.typ) {
		panic("arrow: " + c.typ.String() + " does not lie in memory as " + t.String())
	}
	as := *c
	as.typ = t
	return &as
}

// Bools is a BOOLEAN column of these bits; valid has one for each value that is there, nil if all are.
func Bools(values, valid *Bitmap) *Column {
	c := &Column{typ: BOOLEAN, length: values.length, data: values.bytes}
	return c.withValid(valid)
}

// Strings is a STRING column; valid has a bit for each value that is there, nil if all are.
func Strings(values []string, valid *Bitmap) *Column {
	size := 0
	for _, value := range values {
		size += len(value)
	}
	offsets, data := make([]int32, 1, len(values)+1), make([]byte, 0, size)
	for _, value := range values {
		data = append(data, value...)
		offsets = append(offsets, int32(len(data)))
	}
	c := &Column{typ: STRING, length: len(values), offsets: offsets, data: data}
	return c.withValid(valid)
}

func (c *Column) withValid(valid *Bitmap) *Column {
	if valid == nil {
		return c
	}
	if valid.length != c.length {
		panic("arrow: a column has other values than bits that say which of them are there")
	}
	c.nulls = c.length - valid.Count()
	if c.nulls > 0 {
		c.valid = valid.bytes
	}
	return c
}

func typeOf[T Fixed]() Type {
	var zero T
	switch any(zero).(type) {
	case int8:
		return TINYINT
	case int16:
		return SMALLINT
	case int32:
		return INT
	case int64:
		return BIGINT
	case uint8:
		return Type{Kind: Uint8}
	case uint16:
		return Type{Kind: Uint16}
	case uint32:
		return Type{Kind: Uint32}
	case uint64:
		return Type{Kind: Uint64}
	case float32:
		return FLOAT
	case float64:
		return DOUBLE
	case Half:
		return Type{Kind: Float16}
	case Date:
		return DATE
	case Timestamp:
		return TIMESTAMP
	case Decimal:
		return DECIMAL(38, 0)
	case Decimal256Value:
		return Type{Kind: Decimal256, Precision: 76}
	case Interval:
		return Type{Kind: IntervalMonthDayNano}
	case IntervalDays:
		return Type{Kind: IntervalDayTime}
	}
	panic("arrow: a slice of a type of your own: convert it, or use one of Arrow's types")
}
