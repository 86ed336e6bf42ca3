package config

import (
	"reflect"
	"strings"

	"streamhost/internal/json"
)

// Schema is the JSON Schema of a configuration, for editors and `inspect`.
func Schema[C any]() string {
	of := reflect.TypeFor[C]()
	return `{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"Config",` + object(of) + "}"
}

func object(of reflect.Type) string {
	var properties, required []string
	for _, field := range fields(of) {
		parts := kind(field.kind, field.oneOf)
		if field.doc != "" {
			parts = `"description":` + json.Quote(field.doc) + "," + parts
		}
		if field.hasDef {
			parts += `,"default":` + defaultText(field)
		}
		properties = append(properties, json.Quote(field.name)+":{"+parts+"}")
		if !field.optional {
			required = append(required, json.Quote(field.name))
		}
	}
	text := `"type":"object","properties":{` + strings.Join(properties, ",") + `},"additionalProperties":false`
	if len(required) > 0 {
		text += `,"required":[` + strings.Join(required, ",") + "]"
	}
	return text
}

func defaultText(field field) string {
	if text, ok := fallback(field).(string); ok {
		return json.Quote(text)
	}
	return field.fallback
}

func kind(of reflect.Type, oneOf []string) string {
	switch {
	case of == intervalType:
		return `"type":"string"`
	case of == numberType:
		return `"type":"number"`
	case isNull(of):
		return kind(of.Field(0).Type, oneOf)
	case len(oneOf) > 0 && of.Kind() == reflect.String:
		quoted := make([]string, len(oneOf))
		for i, text := range oneOf {
			quoted[i] = json.Quote(text)
		}
		return `"type":"string","enum":[` + strings.Join(quoted, ",") + "]"
	}
	switch of.Kind() {
	case reflect.Bool:
		return `"type":"boolean"`
	case reflect.String:
		return `"type":"string"`
	case reflect.Float32, reflect.Float64:
		return `"type":"number"`
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return `"type":"integer","minimum":0`
	case reflect.Struct:
		return object(of)
	case reflect.Pointer:
		return kind(of.Elem(), oneOf)
	case reflect.Slice:
		return `"type":"array","items":{` + kind(of.Elem(), oneOf) + "}"
	case reflect.Map:
		return `"type":"object","additionalProperties":{` + kind(of.Elem(), oneOf) + "}"
	}
	return `"type":"integer"`
}
