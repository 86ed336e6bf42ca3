package config

import (
	"errors"
	"reflect"
	"strconv"
	"strings"

	"streamhost/internal/fail"
	"streamhost/internal/json"
)

var (
	intervalType = reflect.TypeFor[Interval]()
	numberType   = reflect.TypeFor[Number]()
)

// Read reads a configuration; no text means the one that gives nothing. Unknown keys are refused.
func Read[C any](text string) (*C, error) {
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	config := new(C)
	value, err := json.Parse(text)
	if err == nil {
		err = set(reflect.ValueOf(config).Elem(), value, nil)
	}
	if err != nil {
		return nil, &fail.Error{Kind: fail.Invalid, Message: "config: " + err.Error()}
	}
	return config, nil
}

func set(to reflect.Value, value json.Value, oneOf []string) error {
	switch to.Type() {
	case intervalType:
		return setInterval(to, value)
	case numberType:
		number, ok := value.(json.Number)
		if !ok {
			return wrong(value, "a number")
		}
		to.SetString(string(number))
		return nil
	}
	if isNull(to.Type()) {
		if value == nil {
			return nil
		}
		to.Field(1).SetBool(true)
		return set(to.Field(0), value, oneOf)
	}
	switch to.Kind() {
	case reflect.Struct:
		return setStruct(to, value)
	case reflect.Slice:
		return setSlice(to, value, oneOf)
	case reflect.Map:
		return setMap(to, value)
	case reflect.Pointer:
		if value == nil {
			return nil
		}
		to.Set(reflect.New(to.Type().Elem()))
		return set(to.Elem(), value, oneOf)
	}
	return setPlain(to, value, oneOf)
}

func setStruct(to reflect.Value, value json.Value) error {
	object, ok := value.(json.Object)
	if !ok {
		return wrong(value, "an object")
	}
	fields := fields(to.Type())
	for i, member := range object {
		if find(fields, member.Name) < 0 {
			return unknown(member.Name, fields)
		}
		if _, again := object[:i].Get(member.Name); again {
			return errors.New("duplicate field `" + member.Name + "`")
		}
	}
	for _, field := range fields {
		value, given := object.Get(field.name)
		switch {
		case given:
		case field.hasDef:
			value = fallback(field)
		case field.optional:
			continue
		default:
			return errors.New("missing field `" + field.name + "`")
		}
		if err := set(to.Field(field.index), value, field.oneOf); err != nil {
			return err
		}
	}
	return nil
}

// fallback is the value of a default tag: JSON, or text for a string.
func fallback(field field) json.Value {
	if field.kind.Kind() == reflect.String && field.kind != numberType || field.kind == intervalType {
		return field.fallback
	}
	value, err := json.Parse(field.fallback)
	if err != nil {
		panic("streamhost: the default of `" + field.name + "` is no JSON: " + err.Error())
	}
	return value
}

func find(fields []field, name string) int {
	for i := range fields {
		if fields[i].name == name {
			return i
		}
	}
	return -1
}

func unknown(name string, fields []field) error {
	if len(fields) == 0 {
		return errors.New("unknown field `" + name + "`, there are no fields")
	}
	list := make([]string, len(fields))
	for i, field := range fields {
		list[i] = field.name
	}
	return errors.New("unknown field `" + name + "`, " + names(list))
}

func setInterval(to reflect.Value, value json.Value) error {
	text, ok := value.(string)
	if !ok {
		return wrong(value, "a length of time such as \"10 minutes\"")
	}
	interval, err := ParseInterval(text)
	to.SetInt(int64(interval))
	return err
}

func setSlice(to reflect.Value, value json.Value, oneOf []string) error {
	items, ok := value.([]json.Value)
	if !ok {
		return wrong(value, "a list")
	}
	to.Set(reflect.MakeSlice(to.Type(), len(items), len(items)))
	for i, item := range items {
		if err := set(to.Index(i), item, oneOf); err != nil {
			return err
		}
	}
	return nil
}

func setMap(to reflect.Value, value json.Value) error {
	object, ok := value.(json.Object)
	if !ok || to.Type().Key().Kind() != reflect.String {
		return wrong(value, "an object")
	}
	to.Set(reflect.MakeMap(to.Type()))
	for _, member := range object {
		item := reflect.New(to.Type().Elem()).Elem()
		if err := set(item, member.Value, nil); err != nil {
			return err
		}
		to.SetMapIndex(reflect.ValueOf(member.Name).Convert(to.Type().Key()), item)
	}
	return nil
}

func setPlain(to reflect.Value, value json.Value, oneOf []string) error {
	number, isNumber := value.(json.Number)
	switch to.Kind() {
	case reflect.Bool:
		yes, ok := value.(bool)
		if !ok {
			return wrong(value, "a boolean")
		}
		to.SetBool(yes)
	case reflect.String:
		text, ok := value.(string)
		if !ok {
			return wrong(value, "a string")
		}
		if len(oneOf) > 0 && !contains(oneOf, text) {
			return errors.New("unknown variant `" + text + "`, " + names(oneOf))
		}
		to.SetString(text)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		whole, err := strconv.ParseInt(string(number), 10, 64)
		if !isNumber || err != nil || to.OverflowInt(whole) {
			return wrong(value, "a whole number that fits "+to.Kind().String())
		}
		to.SetInt(whole)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		whole, err := strconv.ParseUint(string(number), 10, 64)
		if !isNumber || err != nil || to.OverflowUint(whole) {
			return wrong(value, "a whole number that fits "+to.Kind().String())
		}
		to.SetUint(whole)
	case reflect.Float32, reflect.Float64:
		fraction, err := strconv.ParseFloat(string(number), 64)
		if !isNumber || err != nil {
			return wrong(value, "a number")
		}
		to.SetFloat(fraction)
	default:
		panic("streamhost: a configuration has a field of type " + to.Type().String() + ", which JSON has no value of")
	}
	return nil
}

func contains(list []string, text string) bool {
	for _, item := range list {
		if item == text {
			return true
		}
	}
	return false
}

func wrong(value json.Value, wanted string) error {
	found := "an object"
	switch v := value.(type) {
	case nil:
		found = "null"
	case bool:
		found = "boolean `" + strconv.FormatBool(v) + "`"
	case json.Number:
		found = "number `" + string(v) + "`"
	case string:
		found = "string " + json.Quote(v)
	case []json.Value:
		found = "a list"
	}
	return errors.New("invalid type: " + found + ", expected " + wanted)
}
