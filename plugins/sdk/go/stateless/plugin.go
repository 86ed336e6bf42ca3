// Package stateless makes plugins of functions that need no state: filters, maps and transforms. Importing it makes the component one
// of the world `stateless`. Call one of its functions in `func init()`.
//
// The functions whose names end in Rows take a function that is called for each row, with a struct; see the package row. The others take
// one that is called for each batch, with columns, which is the quick path. Those with With get the configuration and the epoch too.
package stateless

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/bind"
	"streamhost/internal/config"
	"streamhost/internal/host"
)

// process works on one batch.
type process[C any] func(call *streamhost.Call[C], batch *arrow.Batch) (output, error)

// plugin is a function with its options, and what it is bound to.
type plugin[C any] struct {
	spec    *streamhost.Spec
	process process[C]
	config  *C
	input   arrow.Schema
	bound   bound
	ready   bool
	// buffer is the main output of the last call, which the host has read when the next one comes.
	buffer []byte
}

func register[C any](process process[C], options []streamhost.Option) {
	host.Register(host.Transform, &plugin[C]{spec: streamhost.SpecOf(options), process: process})
}

// Describe is part of host.Plugin.
func (p *plugin[C]) Describe() host.Description { return streamhost.Describe[C](p.spec) }

// Bind reads the configuration, picks the columns and asks the function, with an empty batch, what it gives for them.
func (p *plugin[C]) Bind(text string, message []byte, _ []string) (host.Binding, error) {
	p.ready = false
	config, err := config.Read[C](text)
	if err != nil {
		return host.Binding{}, err
	}
	input, err := arrow.DecodeSchema(message)
	if err != nil {
		return host.Binding{}, err
	}
	reads, all := []string(nil), p.spec.Reads == nil
	if !all {
		reads = p.spec.Reads(config)
	}
	if input, err = bind.Project(input, reads, all); err != nil {
		return host.Binding{}, err
	}
	tried, err := p.process(streamhost.CallOf(host.Context{}, config), arrow.Empty(input))
	if err != nil {
		return host.Binding{}, err
	}
	p.config, p.input, p.bound, p.ready = config, input, boundBy(tried), true
	binding := p.bound.binding()
	binding.Reads, binding.All = input.Names(), all
	return binding, nil
}

// Process processes the messages of a call.
func (p *plugin[C]) Process(cx host.Context, messages []byte) (Outcome, error) {
	outcome := Outcome{kind: p.bound.kind, main: p.buffer[:0]}
	if !p.ready {
		return outcome, permanent("a batch came before `bind`")
	}
	batches, err := arrow.Decode(messages, p.input)
	if err != nil {
		return outcome, err
	}
	rows := 0
	for _, batch := range batches {
		call := streamhost.CallOf(cx, p.config)
		output, err := p.process(call, batch)
		if err == nil {
			err = p.bound.add(&outcome, rows, batch.Rows(), output, call.Errors)
		}
		if err != nil {
			return outcome, err
		}
		rows += batch.Rows()
	}
	p.buffer = outcome.main
	return outcome, nil
}

// Transformer is what the export calls.
type Transformer interface {
	Process(cx host.Context, messages []byte) (Outcome, error)
}

// transformer is the plugin that is registered.
func transformer() (Transformer, error) {
	if plugin, ok := host.Of(host.Transform).(Transformer); ok {
		return plugin, nil
	}
	return nil, permanent("the component has registered no filter, map or transform: call one of them in `func init()`")
}
