// Package rows reads and writes structs at places in memory; package row has what plugins use of it.
package rows

import (
	"reflect"
	"strings"
	"unsafe"

	"streamhost/arrow"
	"streamhost/internal/config"
)

// Fields are the columns of a struct.
type Fields struct {
	// Type is the struct.
	Type   reflect.Type
	fields []field
}

// Of takes a struct apart. It panics for a type that is no row, so it is called where the plugin registers.
func Of(t reflect.Type) *Fields { return &Fields{t, fieldsOf(t)} }

// Names are the columns' names.
func (f *Fields) Names() []string {
	list := make([]string, len(f.fields))
	for i, field := range f.fields {
		list[i] = field.name
	}
	return list
}

// Schema is the columns.
func (f *Fields) Schema() arrow.Schema { return schema(f.fields) }

// Same says whether the rows at two places have the same values, to the bit. Lists and maps are never the same.
func (f *Fields) Same(a, b unsafe.Pointer) bool { return sameFields(f.fields, a, b) }

// field is a column of a struct.
type field struct {
	name   string
	offset uintptr
	leaf   leaf
}

// leaf is how a Go type and a column go together.
type leaf struct {
	goType reflect.Type
	column arrow.Type
	// null says that the Go type has a place for it.
	null nullness
	// inner is the type within a Null, a pointer or a slice; key that of a map's keys, whose values are inner.
	inner, key *leaf
	// members of a struct.
	members []field
}

type nullness uint8

const (
	never nullness = iota
	byNull
	byPointer
)

// size is the bytes of a value of the Go type.
func (l *leaf) size() uintptr { return l.goType.Size() }

func schema(fields []field) arrow.Schema {
	list := make(arrow.Schema, len(fields))
	for i, field := range fields {
		list[i] = arrow.Field{Name: field.name, Type: field.leaf.column, Nullable: field.leaf.null != never}
	}
	return list
}

// fieldsOf takes a struct apart.
func fieldsOf(t reflect.Type) []field {
	if t.Kind() != reflect.Struct {
		panic("streamhost: a row is a struct, and " + t.String() + " is none")
	}
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, column, _ := strings.Cut(f.Tag.Get("row"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = config.Kebab(f.Name, '_')
		}
		list = append(list, field{name: name, offset: f.Offset, leaf: leafOf(f.Type, column)})
	}
	return list
}

var (
	decimalType = reflect.TypeFor[arrow.Decimal]()
	bytesType   = reflect.TypeFor[[]byte]()
	plain       = [...]struct {
		goType reflect.Type
		column arrow.Type
	}{
		{reflect.TypeFor[arrow.Date](), arrow.DATE},
		{reflect.TypeFor[arrow.Timestamp](), arrow.TIMESTAMP},
		{reflect.TypeFor[arrow.Interval](), arrow.Type{Kind: arrow.IntervalMonthDayNano}},
		{bytesType, arrow.BINARY},
	}
)

func leafOf(t reflect.Type, tag string) leaf {
	if isNull(t) {
		inner := leafOf(t.Field(0).Type, tag)
		return leaf{goType: t, column: inner.column, null: byNull, inner: &inner}
	}
	for _, known := range plain {
		if known.goType == t {
			return leaf{goType: t, column: known.column}
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner := leafOf(t.Elem(), tag)
		return leaf{goType: t, column: inner.column, null: byPointer, inner: &inner}
	case reflect.Slice:
		inner := leafOf(t.Elem(), tag)
		column := arrow.ARRAY(inner.column)
		return leaf{goType: t, column: column, inner: &inner}
	case reflect.Map:
		key, inner := leafOf(t.Key(), ""), leafOf(t.Elem(), tag)
		return leaf{goType: t, column: arrow.MAP(key.column, inner.column), key: &key, inner: &inner}
	case reflect.Struct:
		if t == decimalType {
			return leaf{goType: t, column: decimal(tag)}
		}
		members := fieldsOf(t)
		return leaf{goType: t, column: arrow.STRUCT(schema(members).AllNullable()...), members: members}
	}
	return leaf{goType: t, column: numberType(t)}
}

func decimal(tag string) arrow.Type {
	t, err := arrow.ParseType(tag)
	if err != nil || t.Kind != arrow.Decimal128 {
		panic("streamhost: a field of type Decimal says its digits in a tag: `row:\"price,decimal(10,2)\"`")
	}
	return t
}

func numberType(t reflect.Type) arrow.Type {
	switch t.Kind() {
	case reflect.Bool:
		return arrow.BOOLEAN
	case reflect.Int8:
		return arrow.TINYINT
	case reflect.Int16:
		return arrow.SMALLINT
	case reflect.Int32:
		return arrow.INT
	case reflect.Int64, reflect.Int:
		return arrow.BIGINT
	case reflect.Uint8:
		return arrow.Type{Kind: arrow.Uint8}
	case reflect.Uint16:
		return arrow.Type{Kind: arrow.Uint16}
	case reflect.Uint32:
		return arrow.Type{Kind: arrow.Uint32}
	case reflect.Uint64, reflect.Uint:
		return arrow.Type{Kind: arrow.Uint64}
	case reflect.Float32:
		return arrow.FLOAT
	case reflect.Float64:
		return arrow.DOUBLE
	case reflect.String:
		return arrow.STRING
	}
	panic("streamhost: a row has a field of type " + t.String() + ", which no column has")
}

func isNull(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Null[") && t.PkgPath() == "streamhost/internal/config"
}

func sameFields(fields []field, a, b unsafe.Pointer) bool {
	for i := range fields {
		if !fields[i].leaf.same(unsafe.Add(a, fields[i].offset), unsafe.Add(b, fields[i].offset)) {
			return false
		}
	}
	return true
}

func (l *leaf) same(a, b unsafe.Pointer) bool {
	switch {
	case l.null == byNull:
		there := l.goType.Field(1).Offset
		one, other := *(*bool)(unsafe.Add(a, there)), *(*bool)(unsafe.Add(b, there))
		return one == other && (!one || l.inner.same(a, b))
	case l.null == byPointer:
		one, other := *(*unsafe.Pointer)(a), *(*unsafe.Pointer)(b)
		return one == nil && other == nil || one != nil && other != nil && l.inner.same(one, other)
	case l.members != nil:
		return sameFields(l.members, a, b)
	case l.inner != nil:
		return false
	case l.goType.Kind() == reflect.String, l.goType == bytesType:
		return *(*string)(a) == *(*string)(b)
	}
	return unsafe.String((*byte)(a), l.size()) == unsafe.String((*byte)(b), l.size())
}
