package arrow

import (
	"errors"
	"strconv"
)

// Batch is columns of as many rows.
type Batch struct {
	schema  Schema
	columns []*Column
	rows    int
}

// Named is a column with its name, for [NewBatch].
type Named struct {
	Name   string
	Column *Column
}

// NewBatch puts columns beside each other. It panics if they have not as many rows.
func NewBatch(columns ...Named) *Batch {
	schema, parts := make(Schema, len(columns)), make([]*Column, len(columns))
	for i, named := range columns {
		schema[i], parts[i] = Field{Name: named.Name, Type: named.Column.typ, Nullable: true}, named.Column
	}
	rows := 0
	if len(parts) > 0 {
		rows = parts[0].length
	}
	batch, err := BatchOf(schema, parts, rows)
	if err != nil {
		panic("arrow: " + err.Error())
	}
	return batch
}

// BatchOf puts columns of a schema beside each other; rows is their length, which nothing else tells if there are none.
func BatchOf(schema Schema, columns []*Column, rows int) (*Batch, error) {
	if len(schema) != len(columns) {
		return nil, errors.New("there are " + strconv.Itoa(len(columns)) + " columns for a schema of " + strconv.Itoa(len(schema)))
	}
	for i, column := range columns {
		name := "column `" + schema[i].Name + "`"
		if !column.typ.Equal(schema[i].Type) {
			return nil, errors.New(name + " is " + column.typ.DDL() + ", and the schema says " + schema[i].Type.DDL())
		}
		if column.length != rows {
			return nil, errors.New(name + " has " + strconv.Itoa(column.length) + " rows, and there are " + strconv.Itoa(rows))
		}
	}
	return &Batch{schema: schema, columns: columns, rows: rows}, nil
}

// Rows is the number of rows.
func (b *Batch) Rows() int { return b.rows }

// Schema is the columns' names and types.
func (b *Batch) Schema() Schema { return b.schema }

// Columns are all columns.
func (b *Batch) Columns() []*Column { return b.columns }

// Column is the column at a place.
func (b *Batch) Column(i int) *Column { return b.columns[i] }

// Named is the column of a name; nil if there is none.
func (b *Batch) Named(name string) *Column {
	if at := b.schema.Index(name); at >= 0 {
		return b.columns[at]
	}
	return nil
}

// With is the batch with another column behind its own, which has to have as many rows.
func (b *Batch) With(name string, column *Column) *Batch {
	if column.length != b.rows {
		panic("arrow: column `" + name + "` has other rows than the batch")
	}
	schema := append(append(Schema(nil), b.schema...), Field{Name: name, Type: column.typ, Nullable: true})
	return &Batch{schema: schema, columns: append(append([]*Column(nil), b.columns...), column), rows: b.rows}
}

// Select is the columns of these names, in this order; an error if one is not there.
func (b *Batch) Select(names ...string) (*Batch, error) {
	selected := &Batch{rows: b.rows}
	for _, name := range names {
		at := b.schema.Index(name)
		if at < 0 {
			return nil, errors.New("there is no column `" + name + "`")
		}
		selected.schema = append(selected.schema, b.schema[at])
		selected.columns = append(selected.columns, b.columns[at])
	}
	return selected, nil
}

// Beside is the columns of both, which have to have as many rows.
func (b *Batch) Beside(o *Batch) *Batch {
	if b.rows != o.rows {
		panic("arrow: batches of different lengths are not put beside each other")
	}
	return &Batch{
		schema:  append(append(Schema(nil), b.schema...), o.schema...),
		columns: append(append([]*Column(nil), b.columns...), o.columns...),
		rows:    b.rows,
	}
}

// Empty is a batch of no rows.
func Empty(schema Schema) *Batch {
	columns := make([]*Column, len(schema))
	for i, field := range schema {
		columns[i] = NewBuilder(field.Type).Column()
	}
	return &Batch{schema: schema, columns: columns}
}
