// Package sqlfunctions makes scalar functions that any `sql` step may call. Importing it makes the component one of the world
// `sql-functions`. Call [Rows] or [Columns] in `func init()`, once for each function.
package sqlfunctions

import (
	"reflect"
	"strconv"
	"unsafe"

	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/config"
	"streamhost/internal/fail"
	"streamhost/internal/host"
	"streamhost/internal/rows"
)

// function is one of the plugin's.
type function struct {
	name          string
	arguments     arrow.Schema
	returns       arrow.Schema
	deterministic bool
	call          func(config any, arguments *arrow.Batch) (*arrow.Column, error)
}

// plugin has all functions, which share one configuration.
type plugin struct {
	spec      *streamhost.Spec
	functions []*function
	// of is the configuration's type, describe and read what it is good for.
	of       reflect.Type
	describe func(*streamhost.Spec) host.Description
	read     func(string) (any, error)
	config   any
}

// Rows makes a function of a struct of its arguments and of the type of its result, as rows have them. For NULL in an argument that has no
// place for it (Null or a pointer) the result is NULL, and it is not called. The result may be a Null or a pointer too. An error ends the
// query.
//
//	type Words struct{ Text string }
//	sqlfunctions.Rows("words", func(call *streamhost.Call[Config], a Words) (int32, error) { … })
//
// All functions of a plugin have the same type of configuration.
func Rows[A, R, C any](name string, call func(call *streamhost.Call[C], arguments A) (R, error), options ...streamhost.Option) {
	arguments, result := rows.Of(reflect.TypeFor[A]()), rows.Of(reflect.TypeFor[struct{ Result R }]())
	add[C](&function{
		name: name, arguments: arguments.Schema(), returns: result.Schema().AllNullable(),
		call: func(config any, batch *arrow.Batch) (*arrow.Column, error) {
			return each(arguments, result, streamhost.CallOf(host.Context{}, config.(*C)), batch, call)
		},
	}, options)
}

// place has an argument and a result where they are made once, not for each row.
type place[A, R any] struct {
	arguments A
	result    R
}

func each[A, R, C any](
	arguments, result *rows.Fields, call *streamhost.Call[C], batch *arrow.Batch, function func(*streamhost.Call[C], A) (R, error),
) (*arrow.Column, error) {
	opened, err := arguments.Open(batch)
	if err != nil {
		return nil, err
	}
	writer, at := result.Writer(), new(place[A, R])
	for row := range batch.Rows() {
		*at = place[A, R]{}
		// The host asks for no row with NULL where there is no place for it.
		if err := opened.Read(row, unsafe.Pointer(&at.arguments)); err != nil {
			return nil, err
		}
		if at.result, err = function(call, at.arguments); err != nil {
			return nil, err
		}
		writer.Write(unsafe.Pointer(&at.result))
	}
	return writer.Batch().Column(0), nil
}

// Columns makes a function of whole columns. It says its types itself, as DDL: "price DECIMAL(10, 2) NOT NULL" and "DECIMAL(10, 2)". There
// is no NULL in an argument that is NOT NULL. The result has a value for each row.
func Columns[C any](
	name, arguments, returns string, call func(call *streamhost.Call[C], arguments *arrow.Batch) (*arrow.Column, error),
	options ...streamhost.Option,
) {
	schema, err := arrow.ParseSchema(arguments)
	if arguments == "" {
		schema, err = arrow.Schema{}, nil
	}
	result, wrong := arrow.ParseType(returns)
	if err != nil || wrong != nil {
		panic("streamhost: function `" + name + "` has arguments `" + arguments + "` and returns `" + returns + "`, which are no types")
	}
	add[C](&function{
		name: name, arguments: schema, returns: arrow.Schema{{Name: "result", Type: result, Nullable: true}},
		call: func(config any, batch *arrow.Batch) (*arrow.Column, error) {
			return call(streamhost.CallOf(host.Context{}, config.(*C)), batch)
		},
	}, options)
}

// add adds a function to the plugin, which the first one makes.
func add[C any](f *function, options []streamhost.Option) {
	spec := streamhost.SpecOf(options)
	f.deterministic = spec.Description.Deterministic
	p, _ := host.Of(host.Functions).(*plugin)
	if p == nil {
		p = &plugin{
			of: reflect.TypeFor[C](), describe: streamhost.Describe[C],
			read: func(text string) (any, error) { return config.Read[C](text) },
		}
		host.Register(host.Functions, p)
	}
	if p.of != reflect.TypeFor[C]() {
		panic("streamhost: function `" + f.name + "` takes the configuration " + reflect.TypeFor[C]().String() + ", and others " + p.of.String())
	}
	if p.spec == nil || p.spec.Description.Summary == "" {
		p.spec = spec
	}
	p.functions = append(p.functions, f)
}

// Describe is part of host.Plugin.
func (p *plugin) Describe() host.Description {
	description := p.describe(p.spec)
	for _, f := range p.functions {
		description.Deterministic = description.Deterministic && f.deterministic
	}
	return description
}

// Bind reads the configuration.
func (p *plugin) Bind(text string, _ []byte, _ []string) (host.Binding, error) {
	p.config = nil
	config, err := p.read(text)
	if err == nil {
		p.config = config
	}
	return host.Binding{Shape: host.Nothing}, err
}

// Signatures are what the host is told of the functions.
func (p *plugin) Signatures() []host.Signature {
	var list []host.Signature
	for _, f := range p.functions {
		list = append(list, host.Signature{
			Name: f.name, Arguments: f.arguments.Encode(), Returns: f.returns.Encode(), Deterministic: f.deterministic,
		})
	}
	return list
}

// Call answers the messages of a call.
func (p *plugin) Call(name string, messages []byte) ([]byte, error) {
	f := p.find(name)
	if f == nil {
		return nil, permanent("there is no function `" + name + "`")
	}
	if p.config == nil {
		return nil, permanent("a call came before `bind`")
	}
	batches, err := arrow.Decode(messages, f.arguments)
	if err != nil {
		return nil, err
	}
	var answer []byte
	for _, batch := range batches {
		results, err := f.call(p.config, batch)
		if err == nil {
			err = f.check(results, batch.Rows())
		}
		if err != nil {
			return nil, err
		}
		out, err := arrow.BatchOf(f.returns, []*arrow.Column{results}, batch.Rows())
		if err != nil {
			return nil, err
		}
		answer = out.Encode(answer)
	}
	return answer, nil
}

func (p *plugin) find(name string) *function {
	for _, f := range p.functions {
		if f.name == name {
			return f
		}
	}
	return nil
}

func (f *function) check(results *arrow.Column, rows int) error {
	if said := f.returns[0].Type; !results.Type().Equal(said) {
		return permanent("function `" + f.name + "` gives " + results.Type().DDL() + ", and says that it gives " + said.DDL())
	}
	if results.Len() != rows {
		return permanent("function `" + f.name + "` gives " + strconv.Itoa(results.Len()) + " values for " + strconv.Itoa(rows) + " rows")
	}
	return nil
}

func permanent(message string) error { return &fail.Error{Kind: fail.Permanent, Message: message} }
