package streamhosttest

import (
	"errors"
	"testing"

	"streamhost/arrow"
	"streamhost/internal/host"
	"streamhost/internal/json"
)

// Sink is a plugin that stores epochs, with its configuration and input schema.
type Sink struct {
	// Context is what the next epoch is told.
	Context Context

	plugin  host.Sink
	input   arrow.Schema
	binding host.Binding
	outputs outputs
}

// Stored is what an epoch has stored.
type Stored struct {
	// Statements are what was run on SQL outputs, in their order.
	Statements []Statement

	outputs map[string][]json.Object
}

// Statement was run on an output for each of the parameters' rows.
type Statement struct {
	Output, Text string

	parameters []json.Object
}

// BindSink binds the plugin to a configuration as JSON, or none, and an input schema as DDL.
func BindSink(config, schema string) (*Sink, error) {
	plugin, ok := host.Of(host.BatchSink).(host.Sink)
	if !ok {
		return nil, errors.New("no sink is registered")
	}
	s := &Sink{Context: noEpoch(), plugin: plugin}
	var err error
	if s.input, s.binding, err = bound(host.BatchSink, config, schema, nil); err != nil {
		return nil, err
	}
	s.outputs, err = outputsOf(s.binding)
	return s, err
}

// Run stores an epoch of these batches, each of which is rows, a JSON object a line.
func (s *Sink) Run(batches ...string) (*Stored, error) {
	places := &memory{schemas: s.outputs.side, stored: &Stored{outputs: map[string][]json.Object{}}}
	for _, rows := range batches {
		given, err := lines(rows)
		if err != nil {
			return nil, err
		}
		batch, err := batchOf(given, s.input)
		if err != nil {
			return nil, err
		}
		message, err := messageOf(batch, s.binding.Reads, s.binding.All)
		if err != nil {
			return nil, err
		}
		places.batches = append(places.batches, message)
	}
	_, err := guarded(func() (bool, error) { return true, s.plugin.Process(s.Context, places) })
	return places.stored, err
}

// Rows is what an output got, a JSON object a line.
func (s *Stored) Rows(output string) string { return printRows(s.outputs[output]) }

// Expect compares what an output got with rows, a JSON object a line.
func (s *Stored) Expect(t testing.TB, output, rows string) {
	t.Helper()
	same(t, "output `"+output+"`: the rows", s.outputs[output], rows)
}

// Parameters are the rows that the statement was run for, a JSON object a line.
func (s Statement) Parameters() string { return printRows(s.parameters) }

// memory is the host's side of an epoch.
type memory struct {
	batches [][]byte
	schemas map[string]arrow.Schema
	stored  *Stored
}

func (m *memory) Next() ([]byte, bool) {
	if len(m.batches) == 0 {
		return nil, false
	}
	batch := m.batches[0]
	m.batches = m.batches[1:]
	return batch, true
}

func (m *memory) Write(output string, rows []byte) error {
	read, err := decode(rows, m.schemas[output])
	m.stored.outputs[output] = append(m.stored.outputs[output], read...)
	return err
}

// Execute answers as if each row of the parameters changed one row.
func (m *memory) Execute(output, statement string, schema, parameters []byte) (uint64, error) {
	columns, err := arrow.DecodeSchema(schema)
	if err != nil {
		return 0, err
	}
	rows, err := decode(parameters, columns)
	m.stored.Statements = append(m.stored.Statements, Statement{output, statement, rows})
	return uint64(len(rows)), err
}
