package streamhosttest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	"streamhost/arrow"
	"streamhost/internal/json"
)

// lines reads a JSON object a line.
func lines(text string) ([]json.Object, error) {
	var rows []json.Object
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		value, err := json.Parse(line)
		object, ok := value.(json.Object)
		if err != nil || !ok {
			return nil, fmt.Errorf("`%s` is no JSON object: %v", line, err)
		}
		rows = append(rows, object)
	}
	return rows, nil
}

// batchOf makes columns of JSON objects.
func batchOf(rows []json.Object, schema arrow.Schema) (*arrow.Batch, error) {
	columns := make([]*arrow.Column, len(schema))
	for i, field := range schema {
		builder := arrow.NewBuilder(field.Type)
		for at, row := range rows {
			member, _ := row.Get(field.Name)
			value, err := valueOf(member, field.Type)
			if err == nil {
				err = builder.AppendValue(value)
			}
			if err != nil {
				return nil, fmt.Errorf("the input's row %d: `%s`: %w", at, field.Name, err)
			}
		}
		columns[i] = builder.Column()
	}
	for at, row := range rows {
		for _, member := range row {
			if schema.Index(member.Name) < 0 {
				return nil, fmt.Errorf("the input's row %d: there is no column `%s`", at, member.Name)
			}
		}
	}
	return arrow.BatchOf(schema, columns, len(rows))
}

// valueOf is the value that JSON has of a type.
func valueOf(value json.Value, t arrow.Type) (arrow.Value, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case bool:
		return v, nil
	case string:
		return ofText(v, t)
	case json.Number:
		return ofNumber(string(v), t)
	case []json.Value:
		if t.Kind != arrow.List && t.Kind != arrow.LargeList && t.Kind != arrow.FixedSizeList {
			break
		}
		items := make([]arrow.Value, len(v))
		for i, item := range v {
			var err error
			if items[i], err = valueOf(item, t.Fields[0].Type); err != nil {
				return nil, err
			}
		}
		return items, nil
	case json.Object:
		return ofObject(v, t)
	}
	return nil, errors.New("the value is none of " + t.DDL())
}

func ofText(text string, t arrow.Type) (arrow.Value, error) {
	switch t.Kind {
	case arrow.Utf8, arrow.LargeUtf8:
		return text, nil
	case arrow.Binary, arrow.LargeBinary, arrow.FixedSizeBinary:
		return hex.DecodeString(text)
	case arrow.Date32:
		if day, ok := arrow.ParseDate(text); ok {
			return day, nil
		}
	case arrow.TimestampKind:
		if at, ok := arrow.ParseTimestamp(text); ok && t.Unit == arrow.Microsecond {
			return at, nil
		}
	}
	return ofNumber(text, t)
}

func ofNumber(text string, t arrow.Type) (arrow.Value, error) {
	if t.Kind == arrow.Decimal128 {
		if decimal, ok := arrow.ParseDecimal(text, t.Scale); ok {
			return decimal, nil
		}
		return nil, fmt.Errorf("%s is none of %s", text, t.DDL())
	}
	whole := func(bits int) (int64, error) { return strconv.ParseInt(text, 10, bits) }
	switch t.Kind {
	case arrow.Int8:
		n, err := whole(8)
		return int8(n), err
	case arrow.Int16:
		n, err := whole(16)
		return int16(n), err
	case arrow.Int32, arrow.Time32:
		n, err := whole(32)
		return int32(n), err
	case arrow.Int64, arrow.Time64, arrow.DurationKind, arrow.Date64:
		return whole(64)
	case arrow.Date32:
		n, err := whole(32)
		return arrow.Date(n), err
	case arrow.TimestampKind:
		n, err := whole(64)
		if t.Unit == arrow.Microsecond {
			return arrow.Timestamp(n), err
		}
		return n, err
	}
	return ofOther(text, t)
}

func ofOther(text string, t arrow.Type) (arrow.Value, error) {
	positive := func(bits int) (uint64, error) { return strconv.ParseUint(text, 10, bits) }
	switch t.Kind {
	case arrow.Uint8:
		n, err := positive(8)
		return uint8(n), err
	case arrow.Uint16:
		n, err := positive(16)
		return uint16(n), err
	case arrow.Uint32:
		n, err := positive(32)
		return uint32(n), err
	case arrow.Uint64:
		return positive(64)
	case arrow.Float32:
		n, err := strconv.ParseFloat(text, 32)
		return float32(n), err
	case arrow.Float64:
		return strconv.ParseFloat(text, 64)
	}
	return nil, fmt.Errorf("%s is none of %s", text, t.DDL())
}

func ofObject(object json.Object, t arrow.Type) (arrow.Value, error) {
	switch t.Kind {
	case arrow.Struct:
		members := make(arrow.Members, len(t.Fields))
		for i, field := range t.Fields {
			member, _ := object.Get(field.Name)
			var err error
			if members[i], err = valueOf(member, field.Type); err != nil {
				return nil, err
			}
		}
		return members, nil
	case arrow.Map:
		pair, entries := t.Fields[0].Type.Fields, []arrow.Entry{}
		for _, member := range object {
			key, err := ofText(member.Name, pair[0].Type)
			if err != nil {
				return nil, err
			}
			value, err := valueOf(member.Value, pair[1].Type)
			if err != nil {
				return nil, err
			}
			entries = append(entries, arrow.Entry{Key: key, Value: value})
		}
		return entries, nil
	}
	return nil, errors.New("the object is none of " + t.DDL())
}

// rowsOf writes rows as JSON objects, without their nulls.
func rowsOf(batch *arrow.Batch) []json.Object {
	rows := make([]json.Object, batch.Rows())
	for row := range rows {
		for i, field := range batch.Schema() {
			if value := batch.Column(i).Value(row); value != nil {
				rows[row] = append(rows[row], json.Member{Name: field.Name, Value: jsonOf(value, field.Type)})
			}
		}
	}
	return rows
}

func jsonOf(value arrow.Value, t arrow.Type) json.Value {
	switch v := value.(type) {
	case nil, bool:
		return v
	case string:
		// The plugin uses the memory of its answer again.
		return strings.Clone(v)
	case []byte:
		return hex.EncodeToString(v)
	case arrow.Date:
		return v.String()
	case arrow.Timestamp:
		if t.Zone == "" {
			return strings.TrimSuffix(v.String(), "Z")
		}
		return v.String()
	case arrow.Decimal:
		return json.Number(v.Text(t.Scale))
	case float32:
		return json.Number(strconv.FormatFloat(float64(v), 'g', -1, 32))
	case arrow.Half:
		return jsonOf(v.Float32(), t)
	case arrow.Members:
		var object json.Object
		for i, member := range v {
			object = append(object, json.Member{Name: t.Fields[i].Name, Value: jsonOf(member, t.Fields[i].Type)})
		}
		return object
	case []arrow.Value:
		items := make([]json.Value, len(v))
		for i, item := range v {
			items[i] = jsonOf(item, t.Fields[0].Type)
		}
		return items
	case []arrow.Entry:
		pair := t.Fields[0].Type.Fields
		var object json.Object
		for _, entry := range v {
			name := strings.Trim(print(jsonOf(entry.Key, pair[0].Type)), `"`)
			object = append(object, json.Member{Name: name, Value: jsonOf(entry.Value, pair[1].Type)})
		}
		return object
	}
	return json.Number(fmt.Sprint(value))
}

// print writes a value in one form: members by name and without nulls, and 5.0 as 5.
func print(value json.Value) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return json.Quote(v)
	case json.Number:
		return printNumber(string(v))
	case []json.Value:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = print(item)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case json.Object:
		var parts []string
		for _, member := range v {
			if member.Value != nil {
				parts = append(parts, json.Quote(member.Name)+":"+print(member.Value))
			}
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "?"
}

func printNumber(text string) string {
	number, err := strconv.ParseFloat(text, 64)
	if err == nil && number == math.Trunc(number) && math.Abs(number) < 1e15 {
		return strconv.FormatInt(int64(number), 10)
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		return text
	}
	return strconv.FormatFloat(number, 'g', -1, 64)
}

// printRows writes a row a line.
func printRows(rows []json.Object) string {
	var text strings.Builder
	for _, row := range rows {
		text.WriteString(print(row) + "\n")
	}
	return text.String()
}
