// Package stateless makes plugins of functions that need no state: filters, maps and transforms. Importing it makes the component one
// of the world `stateless`. Call one of its functions in `func init()`.
//
// The functions whose names end in Rows take a function that is called for each row, with a struct; see the package row. The others take
// one that is called for each batch, with columns, which is the quick path. Those with With get the configuration and the epoch too.
package stateless

import (
	"streamhost"
	"streamhost/arrow"
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
	config, input, err := streamhost.Bound[C](p.spec, text, message)
	if err != nil {
		return host.Binding{}, err
	}
	tried, err := p.process(streamhost.CallOf(host.Context{}, config), arrow.Empty(input))
	if err != nil {
		return host.Binding{}, err
	}
	p.config, p.input, p.bound, p.ready = config, input, boundBy(tried), true
	binding := p.bound.binding()
	binding.Reads, binding.All = input.Names(), p.spec.Reads == nil
	return binding, nil
}

// Process processes the messages of a call.
func (p *plugin[C]) Process(cx host.Context, messages []byte) (host.Transformed, error) {
	if !p.ready {
		return host.Transformed{}, permanent("a batch came before `bind`")
	}
	all := outcome{main: p.buffer[:0]}
	batches, err := arrow.Decode(messages, p.input)
	rows := 0
	for i := 0; err == nil && i < len(batches); i++ {
		call := streamhost.CallOf(cx, p.config)
		output, failed := p.process(call, batches[i])
		if err = failed; err == nil {
			err = p.bound.add(&all, rows, batches[i].Rows(), output, call.Errors)
		}
		rows += batches[i].Rows()
	}
	if err != nil {
		return host.Transformed{}, err
	}
	p.buffer = all.main
	transformed := host.Transformed{Kind: uint8(p.bound.kind), Main: all.main, Side: all.side, Errors: all.errors}
	if all.keep != nil {
		transformed.Keep = all.keep.Bytes()
	}
	return transformed, nil
}
