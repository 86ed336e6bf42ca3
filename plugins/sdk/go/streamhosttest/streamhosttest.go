// Package streamhosttest runs a plugin in a native test: no Wasm, no host, the same bytes between. The plugin is the one that `init`
// has registered.
//
//	func TestCases(t *testing.T) { streamhosttest.Cases(t, ".") }
//
// runs the cases in the folder tests, the same that `streamhost test` runs on the component. Bind, BindSink, BindKeyed and BindFunctions are
// for tests in Go.
package streamhosttest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"streamhost/arrow"
	"streamhost/internal/bind"
	"streamhost/internal/fail"
	"streamhost/internal/host"
	"streamhost/internal/json"
)

// Context is what the plugin is told of the epoch.
type Context = host.Context

// noEpoch is the first try of the first epoch.
func noEpoch() host.Context { return host.Context{Query: "test"} }

// Plugin is a filter, map or transform with its configuration and input schema.
type Plugin struct {
	// Context is what the next call is told of the epoch.
	Context Context

	plugin  host.Transformer
	input   arrow.Schema
	reads   []string
	all     bool
	outputs outputs
}

// outputs are the schemas that the plugin was bound to.
type outputs struct {
	main arrow.Schema
	side map[string]arrow.Schema
}

// Answer is what leaves a step.
type Answer struct {
	// Errors are `row 2: why`, counted from 0; `row 2 (retry): why` if the row may pass later.
	Errors []string

	rows []json.Object
	side map[string][]json.Object
}

// Bind binds the plugin to a configuration as JSON, or none, and an input schema as DDL. The error is what the pipeline would refuse to
// start with.
func Bind(config, schema string) (*Plugin, error) {
	plugin, ok := host.Of(host.Transform).(host.Transformer)
	if !ok {
		return nil, errors.New("no filter, map or transform is registered")
	}
	p := &Plugin{Context: noEpoch(), plugin: plugin}
	var binding host.Binding
	var err error
	if p.input, binding, err = bound(host.Transform, config, schema, nil); err != nil {
		return nil, err
	}
	p.reads, p.all = binding.Reads, binding.All
	p.outputs, err = outputsOf(binding)
	return p, err
}

// bound binds the plugin of a role.
func bound(role host.Role, config, schema string, keys []string) (arrow.Schema, host.Binding, error) {
	input := arrow.Schema{}
	if strings.TrimSpace(schema) != "" {
		var err error
		if input, err = arrow.ParseSchema(schema); err != nil {
			return nil, host.Binding{}, err
		}
	}
	binding, err := host.Bind(role, config, input.Encode(), keys)
	return input, binding, err
}

func outputsOf(binding host.Binding) (o outputs, err error) {
	if binding.Shape != host.Nothing {
		if o.main, err = arrow.DecodeSchema(binding.Schema); err != nil {
			return o, err
		}
	}
	o.side = map[string]arrow.Schema{}
	for _, side := range binding.Side {
		if o.side[side.Name], err = arrow.DecodeSchema(side.Bytes); err != nil {
			return o, err
		}
	}
	return o, nil
}

// messageOf encodes the columns of these names.
func messageOf(batch *arrow.Batch, reads []string, all bool) ([]byte, error) {
	columns, err := bind.Project(batch.Schema(), reads, all)
	if err != nil {
		return nil, err
	}
	selected, err := batch.Select(columns.Names()...)
	if err != nil {
		return nil, err
	}
	return selected.Encode(nil), nil
}

// Run processes rows, a JSON object a line, and does with the answer what the host does.
func (p *Plugin) Run(rows string) (*Answer, error) {
	given, err := lines(rows)
	if err != nil {
		return nil, err
	}
	batch, err := batchOf(given, p.input)
	if err != nil {
		return nil, err
	}
	message, err := messageOf(batch, p.reads, p.all)
	if err != nil {
		return nil, err
	}
	outcome, err := guarded(func() (host.Transformed, error) { return p.plugin.Process(p.Context, message) })
	if err != nil {
		return nil, err
	}
	return p.answer(rowsOf(batch), outcome)
}

// guarded makes an error of a panic, as the component does.
func guarded[T any](call func() (T, error)) (result T, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = &fail.Error{Kind: fail.Permanent, Message: host.Panicked(reason)}
		}
	}()
	return call()
}

func (p *Plugin) answer(input []json.Object, outcome host.Transformed) (*Answer, error) {
	answer := &Answer{side: map[string][]json.Object{}}
	bad := map[int]bool{}
	for _, err := range outcome.Errors {
		bad[int(err.Row)] = true
		answer.Errors = append(answer.Errors, printError("row", int(err.Row), err))
	}
	main, err := decode(outcome.Main, p.outputs.main)
	if err != nil {
		return nil, err
	}
	kept := func(row int) bool { return outcome.Keep[row/8]>>(row%8)&1 != 0 }
	switch outcome.Kind {
	case 0:
		answer.rows = main
	case 1, 3:
		for row, members := range input {
			if kept(row) {
				answer.rows = append(answer.rows, extended(members, main, len(answer.rows), outcome.Kind == 3))
			}
		}
	default:
		for row, members := range input {
			if !bad[row] {
				answer.rows = append(answer.rows, extended(members, main, row, true))
			}
		}
	}
	return answer, sides(answer.side, outcome.Side, p.outputs.side)
}

func sides(to map[string][]json.Object, sides []host.Side, schemas map[string]arrow.Schema) error {
	for _, side := range sides {
		rows, err := decode(side.Bytes, schemas[side.Name])
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			to[side.Name] = append(to[side.Name], rows...)
		}
	}
	return nil
}

func extended(row json.Object, added []json.Object, at int, extend bool) json.Object {
	if !extend {
		return row
	}
	return append(append(json.Object{}, row...), added[at]...)
}

func decode(messages []byte, schema arrow.Schema) ([]json.Object, error) {
	batches, err := arrow.Decode(messages, schema)
	var rows []json.Object
	for _, batch := range batches {
		rows = append(rows, rowsOf(batch)...)
	}
	return rows, err
}

func printError(what string, number int, err host.RowError) string {
	retry := ""
	if err.Retry {
		retry = " (retry)"
	}
	return fmt.Sprintf("%s %d%s: %s", what, number, retry, err.Message)
}

// Rows is what left by the main output, a JSON object a line: members by name, without nulls, and 5.0 as 5.
func (a *Answer) Rows() string { return printRows(a.rows) }

// Side is what left by a side output, as Rows is.
func (a *Answer) Side(name string) string { return printRows(a.side[name]) }

// Expect compares the main output with rows, a JSON object a line; nulls may be left out of them.
func (a *Answer) Expect(t testing.TB, rows string) {
	t.Helper()
	same(t, "the rows", a.rows, rows)
}

func same(t testing.TB, what string, given []json.Object, expected string) {
	t.Helper()
	wanted, err := lines(expected)
	if err != nil {
		t.Fatalf("%s that are expected: %v", what, err)
	}
	if is, should := printRows(given), printRows(wanted); is != should {
		t.Errorf("%s are\n%sand should be\n%s", what, is, should)
	}
}
