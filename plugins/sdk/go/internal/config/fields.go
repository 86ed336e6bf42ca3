package config

import (
	"reflect"
	"strings"
)

// field is what is said of a field of a configuration's struct, by tags:
//
//	Threshold float64 `config:"threshold" default:"10" doc:"Values up to this one are dropped."`
//	Unit      string  `oneof:"m km" default:"m"`
//	Columns   []string `config:",optional"`
type field struct {
	name     string
	kind     reflect.Type
	index    int
	doc      string
	fallback string
	oneOf    []string
	// optional says that it may be left out; then it has its default, or is zero.
	optional bool
	hasDef   bool
}

func fields(of reflect.Type) []field {
	var list []field
	for i := range of.NumField() {
		f := of.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("config"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = Kebab(f.Name, '-')
		}
		fallback, hasDef := f.Tag.Lookup("default")
		list = append(list, field{
			name: name, kind: f.Type, index: i, doc: f.Tag.Get("doc"), fallback: fallback, hasDef: hasDef,
			oneOf:    strings.Fields(f.Tag.Get("oneof")),
			optional: hasDef || option == "optional" || f.Type.Kind() == reflect.Pointer || isNull(f.Type),
		})
	}
	return list
}

// isNull says whether a type is a Null.
func isNull(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Null[") && t.PkgPath() == "streamhost/internal/config"
}

// Kebab writes a Go name as pipelines do: UserID is user-id.
func Kebab(name string, between byte) string {
	var text []byte
	for i := 0; i < len(name); i++ {
		c := name[i]
		upper := c >= 'A' && c <= 'Z'
		if upper && i > 0 {
			before := name[i-1] < 'A' || name[i-1] > 'Z'
			after := i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z'
			if before || after {
				text = append(text, between)
			}
		}
		if upper {
			c += 'a' - 'A'
		}
		text = append(text, c)
	}
	return string(text)
}

// names is a list of names as in "expected one of `a`, `b`".
func names(list []string) string {
	quoted := make([]string, len(list))
	for i, name := range list {
		quoted[i] = "`" + name + "`"
	}
	switch len(list) {
	case 1:
		return "expected " + quoted[0]
	case 2:
		return "expected " + quoted[0] + " or " + quoted[1]
	}
	return "expected one of " + strings.Join(quoted, ", ")
}
