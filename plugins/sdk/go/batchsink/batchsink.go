// Package batchsink makes plugins that store epochs: Spark's foreachBatch. Importing it makes the component one of the world `batch-sink`.
// Call [Store] in `func init()`.
package batchsink

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/fail"
	"streamhost/internal/host"
	"streamhost/row"
)

// Output is a place that the plugin writes to, and the columns of its rows. What it is, files or a table, the pipeline says.
type Output struct {
	Name    string
	Columns arrow.Schema
}

// OutputOf is an output of rows that are structs.
func OutputOf[W any](name string) Output { return Output{name, row.Schema[W]()} }

// Store makes a plugin of two functions. `outputs` says what it writes to, for a configuration and the columns that it reads. `store` is
// called once an epoch; what it wrote is stored, in each output exactly once if its sink can do that, when it has returned nil, and
// nothing of it if it returns an error. After a crash the same epoch comes again; so write only through outputs, and let nothing outlive
// the epoch in a variable.
func Store[C any](
	outputs func(config *C, input arrow.Schema) ([]Output, error),
	store func(call *streamhost.Call[C], rows *Rows, outputs *Outputs) error,
	options ...streamhost.Option,
) {
	host.Register(host.BatchSink, &plugin[C]{spec: streamhost.SpecOf(options), outputs: outputs, store: store})
}

type plugin[C any] struct {
	spec     *streamhost.Spec
	outputs  func(config *C, input arrow.Schema) ([]Output, error)
	store    func(call *streamhost.Call[C], rows *Rows, outputs *Outputs) error
	config   *C
	input    arrow.Schema
	declared []Output
}

// Describe is part of host.Plugin.
func (p *plugin[C]) Describe() host.Description { return streamhost.Describe[C](p.spec) }

// Bind reads the configuration, picks the columns and asks for the outputs.
func (p *plugin[C]) Bind(text string, message []byte, _ []string) (host.Binding, error) {
	p.config = nil
	config, input, err := streamhost.Bound[C](p.spec, text, message)
	if err != nil {
		return host.Binding{}, err
	}
	declared, err := p.outputs(config, input)
	if err != nil {
		return host.Binding{}, err
	}
	binding := host.Binding{Reads: input.Names(), All: p.spec.Reads == nil, Shape: host.Nothing}
	for i := range declared {
		declared[i].Columns = declared[i].Columns.AllNullable()
		binding.Side = append(binding.Side, host.Side{Name: declared[i].Name, Bytes: declared[i].Columns.Encode()})
	}
	p.config, p.input, p.declared = config, input, declared
	return binding, nil
}

// Process stores an epoch.
func (p *plugin[C]) Process(cx host.Context, places host.Places) error {
	if p.config == nil {
		return permanent("an epoch came before `bind`")
	}
	outputs := &Outputs{declared: p.declared, places: places}
	return p.store(streamhost.CallOf(cx, p.config), &Rows{schema: p.input, places: places}, outputs)
}

// Rows are the rows of an epoch, batch by batch; those of one partition in their order. The next batch is only fetched when it is asked
// for, so an epoch may be larger than the plugin's memory.
type Rows struct {
	schema  arrow.Schema
	places  host.Places
	fetched []*arrow.Batch
}

// Schema is the columns of every batch.
func (r *Rows) Schema() arrow.Schema { return r.schema }

// Next is the next batch; nil at the end of the epoch.
func (r *Rows) Next() (*arrow.Batch, error) {
	for len(r.fetched) == 0 {
		messages, more := r.places.Next()
		if !more {
			return nil, nil
		}
		var err error
		if r.fetched, err = arrow.Decode(messages, r.schema); err != nil {
			return nil, err
		}
	}
	batch := r.fetched[0]
	r.fetched = r.fetched[1:]
	return batch, nil
}

// All are the batches, for a loop: `for batch, err := range rows.All()`.
func (r *Rows) All() func(yield func(*arrow.Batch, error) bool) {
	return func(yield func(*arrow.Batch, error) bool) {
		for {
			batch, err := r.Next()
			if batch == nil && err == nil || !yield(batch, err) || err != nil {
				return
			}
		}
	}
}

// Outputs are the places that the plugin writes to.
type Outputs struct {
	declared []Output
	places   host.Places
	buffer   []byte
}

// Write adds rows to an output. Their columns are those that the plugin named for it, in that order. After an error the epoch fails, so
// pass it on.
func (o *Outputs) Write(output string, rows *arrow.Batch) error {
	declared, err := o.find(output)
	if err != nil {
		return err
	}
	if !declared.Columns.Alike(rows.Schema()) {
		return permanent("output `" + output + "` takes " + declared.Columns.DDL() + ", and is given " + rows.Schema().DDL())
	}
	if rows.Rows() == 0 {
		return nil
	}
	o.buffer = rows.Encode(o.buffer[:0])
	return o.places.Write(output, o.buffer)
}

// WriteRows adds rows that are structs.
func WriteRows[W any](outputs *Outputs, output string, rows ...W) error {
	return outputs.Write(output, row.Batch(rows))
}

// Execute runs a statement on an SQL output, once for each row of the parameters: $1 stands for the first column, $2 for the second. It
// is one INSERT, UPDATE, DELETE, REPLACE, MERGE, SELECT or WITH, and belongs to the same transaction as everything else of the epoch.
// It answers how many rows it changed; 0 on a replay, if the output has the epoch already.
func (o *Outputs) Execute(output, statement string, parameters *arrow.Batch) (uint64, error) {
	if _, err := o.find(output); err != nil {
		return 0, err
	}
	if parameters.Rows() == 0 {
		return 0, nil
	}
	o.buffer = parameters.Encode(o.buffer[:0])
	return o.places.Execute(output, statement, parameters.Schema().AllNullable().Encode(), o.buffer)
}

func (o *Outputs) find(output string) (Output, error) {
	for _, declared := range o.declared {
		if declared.Name == output {
			return declared, nil
		}
	}
	return Output{}, permanent("the plugin did not say that it writes to an output `" + output + "`")
}

func permanent(message string) error { return &fail.Error{Kind: fail.Permanent, Message: message} }
