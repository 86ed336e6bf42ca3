package arrow

import "strings"

// DDL writes the columns as Spark does: `user_id INT, at TIMESTAMP`.
func (s Schema) DDL() string { return printFields(s, " ") }

// DDL is Spark's name of the type; Arrow's for those that Spark has not.
func (t Type) DDL() string {
	switch t.Kind {
	case Null:
		return "VOID"
	case Bool:
		return "BOOLEAN"
	case Int8:
		return "TINYINT"
	case Int16:
		return "SMALLINT"
	case Int32:
		return "INT"
	case Int64:
		return "BIGINT"
	case Float32:
		return "FLOAT"
	case Float64:
		return "DOUBLE"
	case Utf8:
		return "STRING"
	case Binary:
		return "BINARY"
	case Date32:
		return "DATE"
	case IntervalMonthDayNano:
		return "INTERVAL"
	case Decimal128:
		return "DECIMAL(" + number(t.Precision) + "," + number(t.Scale) + ")"
	case List:
		return "ARRAY<" + t.Fields[0].Type.DDL() + ">"
	case Struct:
		return "STRUCT<" + printFields(t.Fields, ": ") + ">"
	case Map:
		pair := t.Fields[0].Type.Fields
		return "MAP<" + pair[0].Type.DDL() + ", " + pair[1].Type.DDL() + ">"
	case TimestampKind:
		if t.Unit == Microsecond && t.Zone != "" {
			return "TIMESTAMP"
		} else if t.Unit == Microsecond {
			return "TIMESTAMP_NTZ"
		}
	}
	return t.String()
}

var kindNames = [...]string{
	"Null", "Boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float16", "Float32", "Float64",
	"Date32", "Date64", "Time32", "Time64", "Timestamp", "Duration", "Interval(YearMonth)", "Interval(DayTime)",
	"Interval(MonthDayNano)", "Decimal128", "Decimal256", "Utf8", "LargeUtf8", "Binary", "LargeBinary", "FixedSizeBinary", "List",
	"LargeList", "FixedSizeList", "Struct", "Map",
}

var unitNames = [...]string{"s", "ms", "µs", "ns"}

// String is Arrow's name of the type.
func (t Type) String() string {
	name := kindNames[t.Kind]
	switch t.Kind {
	case Time32, Time64, DurationKind:
		return name + "(" + unitNames[t.Unit] + ")"
	case TimestampKind:
		if t.Zone != "" {
			return name + "(" + unitNames[t.Unit] + ", \"" + t.Zone + "\")"
		}
		return name + "(" + unitNames[t.Unit] + ")"
	case Decimal128, Decimal256:
		return name + "(" + number(t.Precision) + ", " + number(t.Scale) + ")"
	case FixedSizeBinary:
		return name + "(" + number(t.Size) + ")"
	case List, LargeList, Map:
		return name + "(" + t.Fields[0].Type.String() + ")"
	case FixedSizeList:
		return name + "(" + number(t.Size) + " x " + t.Fields[0].Type.String() + ")"
	case Struct:
		parts := make([]string, len(t.Fields))
		for i, field := range t.Fields {
			parts[i] = "\"" + field.Name + "\": " + field.Type.String()
		}
		return name + "(" + strings.Join(parts, ", ") + ")"
	}
	return name
}

func printFields(fields []Field, between string) string {
	parts := make([]string, len(fields))
	for i, field := range fields {
		parts[i] = quoted(field.Name) + between + field.Type.DDL()
	}
	return strings.Join(parts, ", ")
}

func quoted(name string) string {
	for _, c := range name {
		if !wordRune(c) {
			return "`" + strings.ReplaceAll(name, "`", "``") + "`"
		}
	}
	if name == "" {
		return "``"
	}
	return name
}

func number(n int32) string {
	if n < 0 {
		return "-" + number(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return number(n/10) + string(rune('0'+n%10))
}
