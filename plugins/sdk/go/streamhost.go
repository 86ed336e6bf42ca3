package streamhost

import (
	"streamhost/arrow"
	"streamhost/internal/bind"
	"streamhost/internal/config"
	"streamhost/internal/host"
)

// Date, Timestamp and Decimal are what columns of these types have.
type (
	Date      = arrow.Date
	Timestamp = arrow.Timestamp
	Decimal   = arrow.Decimal
)

// Null is a value that may be null, as a field of a row or of a configuration. A pointer is the same, and an allocation for each row.
type Null[T any] = config.Null[T]

// Some is a value that is there.
func Some[T any](value T) Null[T] { return Null[T]{Value: value, Valid: true} }

// NoConfig is the configuration of a plugin that takes none.
type NoConfig struct{}

// Interval is a length of time in a configuration, as the pipeline file has it: "200ms", "10 minutes", "1h30m".
type Interval = config.Interval

// Number is a number in a configuration that is exact, whether it is whole or has a fraction.
type Number = config.Number

// Context is what a plugin may know of the epoch that it works in. It is the only clock of a deterministic plugin.
type Context struct {
	Query     string
	Epoch     uint64
	Partition uint32
	// Attempt is 0 on the first try of this epoch, higher on a replay.
	Attempt uint32
	// Watermark of event time; it means nothing before HasWatermark is true.
	Watermark    Timestamp
	HasWatermark bool
	// Now is processing time, fixed for the epoch and its replays.
	Now Timestamp
}

// Call is what a function is called with: the epoch, the configuration, and a place for rows that cannot be processed.
type Call[C any] struct {
	Context
	// Config is what the pipeline configured. It is read once, when the plugin is bound.
	Config *C
	// Errors takes the bad rows of a function over batches; from a function over rows, return the error.
	Errors *RowErrors
}

// CallOf makes a call. The SDK calls it.
func CallOf[C any](cx host.Context, config *C) *Call[C] {
	return &Call[C]{Context: ContextOf(cx), Config: config, Errors: new(RowErrors)}
}

// ContextOf is the context of a call. The SDK calls it.
func ContextOf(cx host.Context) Context {
	return Context{
		Query: cx.Query, Epoch: cx.Epoch, Partition: cx.Partition, Attempt: cx.Attempt,
		Watermark: Timestamp(cx.Watermark), HasWatermark: cx.HasWatermark, Now: Timestamp(cx.Now),
	}
}

// Spec is what options say of a plugin. The SDK reads it.
type Spec struct {
	Description host.Description
	// Reads are the columns that it reads, for a configuration; nil if it reads all.
	Reads func(config any) []string
	// Extra is what options of one kind of plugin say, by a name of its own.
	Extra map[string]any
}

// Option says something of a plugin.
type Option func(*Spec)

// SpecOf is what the options say. The SDK calls it.
func SpecOf(options []Option) *Spec {
	spec := &Spec{Description: host.Description{Name: host.ModuleName(), Version: "0.1.0", Deterministic: true}, Extra: map[string]any{}}
	for _, option := range options {
		option(spec)
	}
	return spec
}

// Describe is the description with the schema of the configuration. The SDK calls it.
func Describe[C any](spec *Spec) host.Description {
	description := spec.Description
	description.ConfigSchema = config.Schema[C]()
	return description
}

// Name is the plugin's name in messages and in a registry. Without it, it is the last element of the module's path.
func Name(name string) Option { return func(s *Spec) { s.Description.Name = name } }

// Version is the plugin's version, as in semantic versioning; 0.1.0 without it.
func Version(version string) Option { return func(s *Spec) { s.Description.Version = version } }

// Summary is one sentence for lists.
func Summary(summary string) Option { return func(s *Spec) { s.Description.Summary = summary } }

// Nondeterministic says that the same input may give another output the next time: with the order of a Go map, a random number, or a
// clock.
func Nondeterministic() Option { return func(s *Spec) { s.Description.Deterministic = false } }

// Asks says what the plugin wants of the host beyond rows. It is not deterministic then. "http" is of no use: this SDK has no requests.
func Asks(capabilities ...string) Option {
	return func(s *Spec) { s.Description.Asks, s.Description.Deterministic = capabilities, false }
}

// Reads names the columns that a function over batches reads. The host sends no other.
func Reads(columns ...string) Option {
	return func(s *Spec) { s.Reads = func(any) []string { return columns } }
}

// ReadsOf is Reads where the columns follow from the configuration.
func ReadsOf[C any](columns func(config *C) []string) Option {
	return func(s *Spec) { s.Reads = func(config any) []string { return columns(config.(*C)) } }
}

// Bound is the configuration and the columns that a plugin reads, of what the host gives to bind it. The SDK calls it.
func Bound[C any](spec *Spec, text string, message []byte) (*C, arrow.Schema, error) {
	config, err := config.Read[C](text)
	if err != nil {
		return nil, nil, err
	}
	input, err := arrow.DecodeSchema(message)
	if err != nil || spec.Reads == nil {
		return config, input, err
	}
	input, err = bind.Project(input, spec.Reads(config), false)
	return config, input, err
}
