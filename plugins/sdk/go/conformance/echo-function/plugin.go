// Gives the argument of a function back, built anew of its values: a function for each type of SQL.
package main

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/sqlfunctions"
)

// functions are the names, and the type that each takes and gives.
var functions = [][2]string{
	{"boolean", "BOOLEAN"},
	{"int8", "TINYINT"},
	{"int16", "SMALLINT"},
	{"int32", "INT"},
	{"int64", "BIGINT"},
	{"float32", "FLOAT"},
	{"float64", "DOUBLE"},
	{"decimal128", "DECIMAL(38, 10)"},
	{"date32", "DATE"},
	{"timestamp_us_utc", "TIMESTAMP"},
	{"timestamp_us", "TIMESTAMP_NTZ"},
	{"utf8", "STRING"},
	{"binary", "BINARY"},
	{"list", "ARRAY<INT>"},
	{"list_of_text", "ARRAY<STRING>"},
	{"list_of_lists", "ARRAY<ARRAY<INT>>"},
	{"struct", "STRUCT<text: STRING, inner: STRUCT<n: BIGINT>>"},
	{"map", "MAP<STRING, BIGINT>"},
}

func init() {
	for _, function := range functions {
		name, of := function[0], function[1]
		sqlfunctions.Columns(name, "value "+of, of, again, streamhost.Summary("Functions that give their argument back, value by value."))
	}
}

func main() {}

func again(_ *streamhost.Call[streamhost.NoConfig], arguments *arrow.Batch) (*arrow.Column, error) {
	values := arguments.Column(0)
	builder := arrow.NewBuilder(values.Type())
	for row := range arguments.Rows() {
		if err := builder.AppendValue(values.Value(row)); err != nil {
			return nil, err
		}
	}
	return builder.Column(), nil
}
