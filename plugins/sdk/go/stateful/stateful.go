// Package stateful makes plugins that keep state for each key: Spark's mapGroupsWithState, flatMapGroupsWithState and
// transformWithState. Importing it makes the component one of the world `stateful`. Call [Rows] or [Columns] in `func init()`.
//
// Rows takes a function that is called for each key, with structs for the key, its rows and what is kept. Where columns are only known
// from the configuration, or a table is too large to be read whole, Columns works on all keys of a call at once.
package stateful

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/fail"
	"streamhost/internal/host"
)

// Clock is what timers are set on.
type Clock = host.Clock

// EventTime is the watermark: a step whose input has none has no such timers. ProcessingTime is the epoch's time.
const (
	EventTime      = host.EventTime
	ProcessingTime = host.ProcessingTime
)

// Timer is of the key of this row of a call's keys, at a time in microseconds since the Unix epoch.
type Timer = host.Timer

// Input is the columns that come in: those of the keys, in the order of the step's `keys`, and those of the rows, which the plugin reads.
type Input struct{ Keys, Rows arrow.Schema }

// Side is a side output: its name, and its columns or its rows.
type Side struct {
	Name    string
	Columns arrow.Schema
	Rows    *arrow.Batch
}

// Plan is what a plugin agrees on before the first row: the columns of the rows that leave, side outputs, and what is kept for each key.
type Plan struct {
	Output arrow.Schema
	Side   []Side
	Tables []Table
}

// Output is what leaves a call: rows, and rows for side outputs; nothing, if both are nil.
type Output struct {
	Main *arrow.Batch
	Side []Side
}

// Functions are those of a plugin that works on all keys of a call at once. Plan is called when the plugin is bound, Process for the keys
// of an epoch, in their order, and after the last of them Fired for the timers that are due. What a call changed is kept if it succeeds, and
// gone if it fails; a call that fails is tried again with fewer keys. So nothing may outlive a call but what is in a table.
type Functions[C any] struct {
	Plan    func(config *C, input Input) (Plan, error)
	Process func(call *streamhost.Call[C], groups *Groups, state *State) (Output, error)
	// Fired processes timers that are due; rows in error are numbered as the timers are. Without it they are passed over.
	Fired func(call *streamhost.Call[C], fired *Fired, state *State) (Output, error)
	// Migrate brings entries of an older version of a table into the columns of now. Without it there is no older version.
	Migrate func(config *C, before *Before) (*arrow.Batch, error)
}

// Columns makes a plugin of functions over columns. [streamhost.Reads] says which columns of the rows it reads; keys come by themselves.
func Columns[C any](functions Functions[C], options ...streamhost.Option) {
	host.Register(host.Keyed, &plugin[C]{spec: streamhost.SpecOf(options), functions: functions})
}

// Groups are the rows of some keys, in the order of the keys.
type Groups struct {
	keys   *arrow.Batch
	starts []uint32
	rows   *arrow.Batch
	more   bool
}

func newGroups(keys *arrow.Batch, starts []uint32, rows *arrow.Batch, more bool) (*Groups, error) {
	before, ordered := uint32(0), len(starts) == 0 || starts[0] == 0
	for _, start := range starts {
		ordered = ordered && start >= before
		before = start
	}
	if !ordered || len(starts) != keys.Rows() || int(before) > rows.Rows() {
		return nil, permanent("the host's groups do not fit their rows")
	}
	return &Groups{keys, starts, rows, more}, nil
}

// Len is how many keys there are.
func (g *Groups) Len() int { return len(g.starts) }

// Keys has a row for each key.
func (g *Groups) Keys() *arrow.Batch { return g.keys }

// Rows has the rows of one key after the other; those of a key in the order in which they came.
func (g *Groups) Rows() *arrow.Batch { return g.rows }

// Range is which rows are those of a key: from the first number to before the second.
func (g *Groups) Range(key int) (from, to int) {
	to = g.rows.Rows()
	if key+1 < len(g.starts) {
		to = int(g.starts[key+1])
	}
	return int(g.starts[key]), to
}

// More says whether more rows of a key follow in the next call, which is the same epoch's: only ever of the last key, and of one with more
// rows than a batch. What is put for it now is seen there.
func (g *Groups) More(key int) bool { return g.more && key+1 == len(g.starts) }

// Fired are timers that are due. They are gone already.
type Fired struct {
	clock  Clock
	keys   *arrow.Batch
	timers []Timer
}

func newFired(clock Clock, keys *arrow.Batch, timers []Timer) (*Fired, error) {
	for _, timer := range timers {
		if int(timer.Key) >= keys.Rows() {
			return nil, permanent("the host's timers do not fit their keys")
		}
	}
	return &Fired{clock, keys, timers}, nil
}

// Clock is the one that they were set on.
func (f *Fired) Clock() Clock { return f.clock }

// Keys has a row for each key that has one of them.
func (f *Fired) Keys() *arrow.Batch { return f.keys }

// Timers are ordered by their time, and those of the same time by their key.
func (f *Fired) Timers() []Timer { return f.timers }

// Before has entries that an older version of the plugin stored: the second key's columns, if it is a mapping, then the value's, under their
// names of then.
type Before struct {
	Table   string
	Version uint32
	Entries *arrow.Batch
}

// Unknown says that the plugin does not know this version.
func (b *Before) Unknown() error {
	return streamhost.Invalid("table `" + b.Table + "` is stored in version " + decimal(uint64(b.Version)) +
		", which the plugin does not know how to migrate")
}

func permanent(message string) error { return &fail.Error{Kind: fail.Permanent, Message: message} }
