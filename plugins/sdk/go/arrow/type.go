package arrow

// Kind is what a type is, without its parameters.
type Kind uint8

// The kinds that cross the boundary. The host casts what is not here: dictionaries, views, run-end encoding.
const (
	Null Kind = iota
	Bool
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	Float16
	Float32
	Float64
	Date32
	Date64
	Time32
	Time64
	TimestampKind
	DurationKind
	IntervalMonths
	IntervalDayTime
	IntervalMonthDayNano
	Decimal128
	Decimal256
	Utf8
	LargeUtf8
	Binary
	LargeBinary
	FixedSizeBinary
	List
	LargeList
	FixedSizeList
	Struct
	Map
)

// Unit is what a number of a time, a timestamp or a duration counts.
type Unit uint8

// The units, as Arrow numbers them.
const (
	Second Unit = iota
	Millisecond
	Microsecond
	Nanosecond
)

// Type is the type of a column. Make one with the variables and functions below, or with ParseType.
type Type struct {
	Kind Kind
	// Unit of Time32, Time64, TimestampKind and DurationKind.
	Unit Unit
	// Sorted says of a map that its keys are.
	Sorted bool
	// Precision and Scale of decimals.
	Precision, Scale int32
	// Size is the bytes of a FixedSizeBinary, or the items of a FixedSizeList.
	Size int32
	// Zone of a TimestampKind; none if it is empty.
	Zone string
	// Fields are the one item of a list, the members of a struct, or the entries of a map: a struct of key and value.
	Fields []Field
}

// Field is a named column of a schema, or a part of a nested type.
type Field struct {
	Name     string
	Type     Type
	Nullable bool
}

// Schema is the columns of a batch, in order.
type Schema []Field

// The types that Spark's SQL has names for.
var (
	BOOLEAN       = Type{Kind: Bool}
	TINYINT       = Type{Kind: Int8}
	SMALLINT      = Type{Kind: Int16}
	INT           = Type{Kind: Int32}
	BIGINT        = Type{Kind: Int64}
	FLOAT         = Type{Kind: Float32}
	DOUBLE        = Type{Kind: Float64}
	STRING        = Type{Kind: Utf8}
	BINARY        = Type{Kind: Binary}
	DATE          = Type{Kind: Date32}
	TIMESTAMP     = Type{Kind: TimestampKind, Unit: Microsecond, Zone: "UTC"}
	TIMESTAMP_NTZ = Type{Kind: TimestampKind, Unit: Microsecond}
)

// DECIMAL is a decimal number of so many digits, scale of them behind the point.
func DECIMAL(precision, scale int32) Type {
	return Type{Kind: Decimal128, Precision: precision, Scale: scale}
}

// ARRAY is a list of items that may be null.
func ARRAY(item Type) Type {
	return Type{Kind: List, Fields: []Field{{Name: "item", Type: item, Nullable: true}}}
}

// STRUCT has named members.
func STRUCT(members ...Field) Type {
	return Type{Kind: Struct, Fields: members}
}

// MAP has keys that are not null, and values that may be.
func MAP(key, value Type) Type {
	entry := STRUCT(Field{Name: "key", Type: key}, Field{Name: "value", Type: value, Nullable: true})
	return Type{Kind: Map, Fields: []Field{{Name: "entries", Type: entry}}}
}

// Equal says whether both are the same type, with the same names and nullability within.
func (t Type) Equal(o Type) bool {
	same := t.Kind == o.Kind && t.Unit == o.Unit && t.Sorted == o.Sorted && t.Precision == o.Precision &&
		t.Scale == o.Scale && t.Size == o.Size && t.Zone == o.Zone && len(t.Fields) == len(o.Fields)
	for i := 0; same && i < len(t.Fields); i++ {
		one, other := t.Fields[i], o.Fields[i]
		same = one.Name == other.Name && one.Nullable == other.Nullable && one.Type.Equal(other.Type)
	}
	return same
}

// Numeric says whether the type is of numbers.
func (t Type) Numeric() bool {
	return t.Kind >= Int8 && t.Kind <= Float64 || t.Kind == Decimal128 || t.Kind == Decimal256
}

// width is the bytes of a value; 0 for bits, and for what has no fixed width.
func (t Type) width() int {
	switch t.Kind {
	case Int8, Uint8:
		return 1
	case Int16, Uint16, Float16:
		return 2
	case Int32, Uint32, Float32, Date32, Time32, IntervalMonths:
		return 4
	case Int64, Uint64, Float64, Date64, Time64, TimestampKind, DurationKind, IntervalDayTime:
		return 8
	case IntervalMonthDayNano, Decimal128:
		return 16
	case Decimal256:
		return 32
	case FixedSizeBinary:
		return int(t.Size)
	}
	return 0
}

// shape is how the values of a type lie in buffers.
type shape uint8

const (
	shapeNull shape = iota
	shapeBits
	shapeFixed
	shapeBytes
	shapeList
	shapeFixedList
	shapeStruct
)

func (t Type) shape() shape {
	switch t.Kind {
	case Null:
		return shapeNull
	case Bool:
		return shapeBits
	case Utf8, LargeUtf8, Binary, LargeBinary:
		return shapeBytes
	case List, LargeList, Map:
		return shapeList
	case FixedSizeList:
		return shapeFixedList
	case Struct:
		return shapeStruct
	}
	return shapeFixed
}

// large says whether offsets cross the boundary with 64 bits. Here they always have 32.
func (t Type) large() bool {
	return t.Kind == LargeUtf8 || t.Kind == LargeBinary || t.Kind == LargeList
}

// Index is the place of a column; -1 if there is none of this name.
func (s Schema) Index(name string) int {
	for i := range s {
		if s[i].Name == name {
			return i
		}
	}
	return -1
}

// Names are the names of the columns.
func (s Schema) Names() []string {
	names := make([]string, len(s))
	for i := range s {
		names[i] = s[i].Name
	}
	return names
}

// AllNullable is the same columns, each of which may be null.
func (s Schema) AllNullable() Schema {
	fields := append(Schema(nil), s...)
	for i := range fields {
		fields[i].Nullable = true
	}
	return fields
}

// Alike says whether names and types are the same, in order. Whether the columns themselves may be null does not matter.
func (s Schema) Alike(o Schema) bool {
	if len(s) != len(o) {
		return false
	}
	for i := range s {
		if s[i].Name != o[i].Name || !s[i].Type.Equal(o[i].Type) {
			return false
		}
	}
	return true
}
