// Package bind answers questions of schemas that every kind of plugin asks when it is bound.
package bind

import (
	"streamhost/arrow"
	"streamhost/internal/fail"
)

// Project is the columns of these names, in the input's order; all of them if there are no names.
func Project(input arrow.Schema, reads []string, all bool) (arrow.Schema, error) {
	if all {
		return input, nil
	}
	for _, name := range reads {
		if input.Index(name) < 0 {
			return nil, Missing(name, input)
		}
	}
	projected := arrow.Schema{}
	for _, field := range input {
		for _, name := range reads {
			if name == field.Name {
				projected = append(projected, field)
				break
			}
		}
	}
	return projected, nil
}

// Missing says that there is no such column.
func Missing(name string, schema arrow.Schema) error {
	return &fail.Error{Message: "the input has no column `" + name + "`; its columns are " + schema.DDL()}
}

// Same says that a batch has the columns that were agreed on.
func Same(what string, bound arrow.Schema, batch *arrow.Batch) error {
	if bound.Alike(batch.Schema()) {
		return nil
	}
	return &fail.Error{Kind: fail.Permanent, Message: what + ": the columns are " + batch.Schema().DDL() + ", and were " + bound.DDL() +
		" for an empty batch: they must not depend on the rows"}
}
