// Keeps rows in tables of every kind, and puts out what these had before, all of it built anew of its values.
package main

import (
	"slices"

	"streamhost"
	"streamhost/arrow"
	"streamhost/stateful"
)

func init() {
	stateful.Columns(stateful.Functions[streamhost.NoConfig]{Plan: plan, Process: process, Migrate: migrate},
		streamhost.Summary("Keeps rows in tables of every kind, and puts out what these had before, value by value."),
		streamhost.Reads("place", "value"))
}

func main() {}

func plan(_ *streamhost.NoConfig, input stateful.Input) (stateful.Plan, error) {
	// The input may have them the other way round.
	rows, err := arrow.Empty(input.Rows).Select("place", "value")
	if err != nil {
		return stateful.Plan{}, err
	}
	columns := rows.Schema()
	return stateful.Plan{Output: told(columns), Tables: []stateful.Table{
		stateful.Value("last", columns),
		stateful.Sequence("all", columns),
		stateful.Mapping("by", columns[:1], columns[1:]),
	}}, nil
}

// told is the columns that leave: the table, and what it has of a row.
func told(columns arrow.Schema) arrow.Schema {
	return append(arrow.Schema{{Name: "table", Type: arrow.STRING, Nullable: true}}, columns...)
}

func process(_ *streamhost.Call[streamhost.NoConfig], groups *stateful.Groups, state *stateful.State) (stateful.Output, error) {
	rows, err := groups.Rows().Select("place", "value")
	if err == nil {
		rows, err = rebuilt(rows.Schema(), rows)
	}
	if err != nil {
		return stateful.Output{}, err
	}
	before, err := kept(told(rows.Schema()), state)
	if err != nil {
		return stateful.Output{}, err
	}
	return stateful.Output{Main: before}, keep(groups, rows, state)
}

// kept is what the tables have of the keys.
func kept(schema arrow.Schema, state *stateful.State) (*arrow.Batch, error) {
	var all []*arrow.Batch
	for _, name := range []string{"last", "all", "by"} {
		table, err := state.Open(name)
		if err != nil {
			return nil, err
		}
		entries, err := table.Get()
		if err != nil {
			return nil, err
		}
		names := arrow.Strings(slices.Repeat([]string{name}, len(entries.Keys())), nil)
		// The place is the second key in one table, and a part of the value in the others.
		columns := entries.Second().Beside(entries.Values())
		all = append(all, arrow.NewBatch(arrow.Named{Name: "table", Column: names}).Beside(columns))
	}
	return rebuilt(schema, all...)
}

// keep puts the last row of each key into `last`, and all rows into the others.
func keep(groups *stateful.Groups, rows *arrow.Batch, state *stateful.State) error {
	var keys, lastKeys []uint32
	var lasts []int32
	for key := range groups.Len() {
		from, to := groups.Range(key)
		keys = append(keys, slices.Repeat([]uint32{uint32(key)}, to-from)...)
		lastKeys, lasts = append(lastKeys, uint32(key)), append(lasts, int32(to-1))
	}
	last, err := state.Open("last")
	if err == nil {
		err = last.Put(lastKeys, rows.Take(lasts))
	}
	if err != nil {
		return err
	}
	all, err := state.Open("all")
	if err == nil {
		err = all.Append(keys, rows)
	}
	if err != nil {
		return err
	}
	by, err := state.Open("by")
	if err == nil {
		err = by.Put(keys, rows)
	}
	return err
}

// migrate gives entries back as they are. The SDK refuses them if their columns are others than those of now.
func migrate(_ *streamhost.NoConfig, before *stateful.Before) (*arrow.Batch, error) {
	return rebuilt(before.Entries.Schema(), before.Entries)
}

// rebuilt is the rows of batches, one batch behind the other.
func rebuilt(schema arrow.Schema, batches ...*arrow.Batch) (*arrow.Batch, error) {
	columns, rows := make([]*arrow.Column, len(schema)), 0
	for i, field := range schema {
		builder := arrow.NewBuilder(field.Type)
		for _, batch := range batches {
			for row := range batch.Rows() {
				if err := builder.AppendValue(batch.Column(i).Value(row)); err != nil {
					return nil, streamhost.In("column `"+field.Name+"`", err)
				}
			}
		}
		columns[i] = builder.Column()
		rows = columns[i].Len()
	}
	return arrow.BatchOf(schema, columns, rows)
}
