package arrow

import "errors"

// Numbers of Type in Schema.fbs.
const (
	fbNull            = 1
	fbInt             = 2
	fbFloat           = 3
	fbBinary          = 4
	fbUtf8            = 5
	fbBool            = 6
	fbDecimal         = 7
	fbDate            = 8
	fbTime            = 9
	fbTimestamp       = 10
	fbInterval        = 11
	fbList            = 12
	fbStruct          = 13
	fbFixedSizeBinary = 15
	fbFixedSizeList   = 16
	fbMap             = 17
	fbDuration        = 18
	fbLargeBinary     = 19
	fbLargeUtf8       = 20
	fbLargeList       = 21
)

// Slots of Field in Schema.fbs.
const (
	fieldName       = 0
	fieldNullable   = 1
	fieldTypeType   = 2
	fieldType       = 3
	fieldDictionary = 4
	fieldChildren   = 5
)

// Most fields of a schema, nested ones included, and levels of nesting: garbage could claim any number by naming one place many times.
const (
	mostFields = 1 << 16
	mostLevels = 64
)

var errSchema = errors.New("the host's schema is no Arrow schema message")

// DecodeSchema reads a schema message.
func DecodeSchema(message []byte) (Schema, error) {
	header, _, _, err := frame(message)
	if err != nil || header.byte(messageHeaderType) != headerSchema {
		return nil, errSchema
	}
	d := schemaDecoder{left: mostFields}
	schema := Schema(d.fields(header.table(messageHeader), 1, mostLevels))
	if d.err == nil && header.flat.broken {
		d.err = errSchema
	}
	return schema, d.err
}

type schemaDecoder struct {
	left int
	err  error
}

func (d *schemaDecoder) fields(of table, slot, levels int) []Field {
	at, count := of.vector(slot, 4)
	if d.left -= count; d.left < 0 || levels == 0 {
		d.err = errSchema
		return nil
	}
	fields := make([]Field, 0, count)
	for i := range count {
		if d.err != nil || of.flat.broken {
			break
		}
		fields = append(fields, d.field(table{of.flat, of.flat.reference(at + 4*i)}, levels))
	}
	return fields
}

func (d *schemaDecoder) field(of table, levels int) Field {
	field := Field{Name: of.text(fieldName), Nullable: of.byte(fieldNullable) != 0}
	parameters := table{of.flat, 0}
	if of.has(fieldType) {
		parameters = of.table(fieldType)
	}
	t, ok := decodeType(of.byte(fieldTypeType), parameters)
	t.Fields = d.fields(of, fieldChildren, levels-1)
	if len(t.Fields) == 0 {
		t.Fields = nil
	}
	if !ok || of.has(fieldDictionary) || !fits(t) {
		if d.err == nil && !of.flat.broken {
			d.err = errors.New("column `" + field.Name + "` has a type that cannot come into a plugin")
		}
		return Field{}
	}
	field.Type = t
	return field
}

// fits says whether a type has the children that it needs.
func fits(t Type) bool {
	switch t.Kind {
	case List, LargeList:
		return len(t.Fields) == 1
	case FixedSizeList:
		return len(t.Fields) == 1 && t.Size > 0 && t.Size < mostRows
	case Map:
		return len(t.Fields) == 1 && t.Fields[0].Type.Kind == Struct && len(t.Fields[0].Type.Fields) == 2
	case Struct:
		return true
	case FixedSizeBinary:
		return len(t.Fields) == 0 && t.Size > 0 && t.Size < mostRows
	}
	return len(t.Fields) == 0
}

func decodeType(number int, of table) (Type, bool) {
	switch number {
	case fbNull:
		return Type{}, true
	case fbInt:
		return decodeInt(of.int(0, 0), of.byte(1) != 0)
	case fbFloat:
		precision := of.short(0)
		return Type{Kind: Float16 + Kind(precision)}, precision >= 0 && precision <= 2
	case fbDecimal:
		return decodeDecimal(of)
	case fbTime:
		return decodeTime(of)
	case fbInterval:
		unit := of.short(0)
		return Type{Kind: IntervalMonths + Kind(unit)}, unit >= 0 && unit <= 2
	case fbDate:
		// Milliseconds are the default of the format.
		unit := 1
		if of.has(0) {
			unit = of.short(0)
		}
		return Type{Kind: Date32 + Kind(unit)}, unit >= 0 && unit <= 1
	case fbTimestamp:
		unit := of.short(0)
		return Type{Kind: TimestampKind, Unit: Unit(unit), Zone: of.text(1)}, unit >= 0 && unit <= 3
	case fbDuration:
		unit := 1
		if of.has(0) {
			unit = of.short(0)
		}
		return Type{Kind: DurationKind, Unit: Unit(unit)}, unit >= 0 && unit <= 3
	case fbFixedSizeBinary:
		return Type{Kind: FixedSizeBinary, Size: int32(of.int(0, 0))}, true
	case fbFixedSizeList:
		return Type{Kind: FixedSizeList, Size: int32(of.int(0, 0))}, true
	case fbMap:
		return Type{Kind: Map, Sorted: of.byte(0) != 0}, true
	}
	return decodePlain(number)
}

func decodePlain(number int) (Type, bool) {
	switch number {
	case fbBool:
		return BOOLEAN, true
	case fbUtf8:
		return STRING, true
	case fbLargeUtf8:
		return Type{Kind: LargeUtf8}, true
	case fbBinary:
		return BINARY, true
	case fbLargeBinary:
		return Type{Kind: LargeBinary}, true
	case fbList:
		return Type{Kind: List}, true
	case fbLargeList:
		return Type{Kind: LargeList}, true
	case fbStruct:
		return Type{Kind: Struct}, true
	}
	return Type{}, false
}

func decodeInt(width int, signed bool) (Type, bool) {
	kind := Int8
	if !signed {
		kind = Uint8
	}
	switch width {
	case 8:
		return Type{Kind: kind}, true
	case 16:
		return Type{Kind: kind + 1}, true
	case 32:
		return Type{Kind: kind + 2}, true
	case 64:
		return Type{Kind: kind + 3}, true
	}
	return Type{}, false
}

func decodeDecimal(of table) (Type, bool) {
	t := Type{Kind: Decimal128, Precision: int32(of.int(0, 0)), Scale: int32(of.int(1, 0))}
	most := int32(38)
	switch of.int(2, 128) {
	case 128:
	case 256:
		t.Kind, most = Decimal256, 76
	default:
		return t, false
	}
	return t, t.Precision > 0 && t.Precision <= most && t.Scale >= -most && t.Scale <= most
}

func decodeTime(of table) (Type, bool) {
	// Milliseconds in 32 bits are the default of the format.
	unit, width := 1, of.int(1, 32)
	if of.has(0) {
		unit = of.short(0)
	}
	kind := Time32
	if unit >= 2 {
		kind = Time64
	}
	return Type{Kind: kind, Unit: Unit(unit)}, unit >= 0 && unit <= 3 && (width == 64) == (kind == Time64) && (width == 32 || width == 64)
}
