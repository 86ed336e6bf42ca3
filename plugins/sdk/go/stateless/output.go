package stateless

import (
	"strconv"

	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/bind"
	"streamhost/internal/fail"
	"streamhost/internal/host"
)

// Side is the rows of a side output.
type Side struct {
	Name string
	Rows *arrow.Batch
}

// output is what a function gave for a batch.
type output struct {
	kind kind
	keep *arrow.Bitmap
	// main has the columns added, or the new rows; nil if there are none.
	main *arrow.Batch
	side []Side
}

// kind is what leaves a plugin, as the contract numbers it.
type kind uint8

const (
	replace kind = iota
	keep
	extend
	keepExtend
)

// outcome is what the host gets for a call.
type outcome struct {
	keep   *arrow.Bitmap
	main   []byte
	side   []host.Side
	errors []host.RowError
}

// bound is what was agreed on: what the function gives for an empty batch.
type bound struct {
	kind kind
	main arrow.Schema
	side []sideSchema
}

type sideSchema struct {
	name   string
	schema arrow.Schema
}

func boundBy(o output) bound {
	b := bound{kind: o.kind}
	if o.main != nil {
		b.main = o.main.Schema().AllNullable()
	}
	for _, side := range o.side {
		b.side = append(b.side, sideSchema{side.Name, side.Rows.Schema().AllNullable()})
	}
	return b
}

func (b *bound) binding() host.Binding {
	binding := host.Binding{Shape: host.Columns, Schema: b.main.Encode()}
	if b.kind == replace {
		binding.Shape = host.Rows
	}
	for _, side := range b.side {
		binding.Side = append(binding.Side, host.Side{Name: side.name, Bytes: side.schema.Encode()})
	}
	return binding
}

// add joins what a batch of so many rows gave to what the call has so far: `from` rows.
func (b *bound) add(to *outcome, from, rows int, o output, errors *streamhost.RowErrors) error {
	if o.kind != b.kind {
		return permanent("what leaves is another thing than for an empty batch: it must not depend on the rows")
	}
	kept := rows
	if o.kind == keep || o.kind == keepExtend {
		if err := same("the rows to keep", o.keep.Len(), rows); err != nil {
			return err
		}
		to.join(withoutErrors(o.keep, errors), from)
		kept = o.keep.Count()
	}
	if o.kind == extend || o.kind == keepExtend {
		if err := same("the new columns", o.main.Rows(), kept); err != nil {
			return err
		}
	}
	if o.main != nil {
		if err := bind.Same("the output", b.main, o.main); err != nil {
			return err
		}
		to.main = o.main.Encode(to.main)
	}
	to.errors = append(to.errors, errors.List(from)...)
	return b.addSides(to, o.side)
}

// withoutErrors clears the bits of rows in error.
func withoutErrors(keep *arrow.Bitmap, errors *streamhost.RowErrors) *arrow.Bitmap {
	for _, row := range errors.Rows() {
		if row < keep.Len() {
			keep.Clear(row)
		}
	}
	return keep
}

func (o *outcome) join(bits *arrow.Bitmap, from int) {
	if o.keep == nil {
		o.keep = bits
		return
	}
	both := arrow.NewBitmap(from + bits.Len())
	copy(both.Bytes(), o.keep.Bytes())
	for _, row := range bits.Rows() {
		both.Set(from + int(row))
	}
	o.keep = both
}

func (b *bound) addSides(to *outcome, sides []Side) error {
	for _, side := range sides {
		schema, err := b.sideOf(side.Name)
		if err == nil {
			err = bind.Same("side output `"+side.Name+"`", schema, side.Rows)
		}
		if err != nil {
			return err
		}
		at := 0
		for at < len(to.side) && to.side[at].Name != side.Name {
			at++
		}
		if at == len(to.side) {
			to.side = append(to.side, host.Side{Name: side.Name})
		}
		to.side[at].Bytes = side.Rows.Encode(to.side[at].Bytes)
	}
	return nil
}

func (b *bound) sideOf(name string) (arrow.Schema, error) {
	for _, side := range b.side {
		if side.name == name {
			return side.schema, nil
		}
	}
	return nil, permanent("side output `" + name +
		"` was not given for an empty batch: always give it, with no rows if there are none")
}

func same(what string, given, wanted int) error {
	if given == wanted {
		return nil
	}
	return permanent(what + " are " + strconv.Itoa(given) + ", and the rows " + strconv.Itoa(wanted))
}

func permanent(message string) error { return &fail.Error{Kind: fail.Permanent, Message: message} }
