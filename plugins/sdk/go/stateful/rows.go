package stateful

import (
	"reflect"

	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/fail"
	"streamhost/internal/host"
	"streamhost/row"
)

// AnyKey in the place of the key's struct makes a plugin that works for any key. The key's columns stand before those of the rows that
// leave.
type AnyKey struct{}

// Key is one key, with what is kept of it. K has the key's columns, S its tables, C is the configuration.
//
// Each field of S is a table, named as the field is:
//
//	type Kept struct {
//		Visit *Visit          // one value a key; nil if there is none
//		Pages []Page          // a list a key
//		Sold  map[Item]Amount // values by a second key, for each key
//	}
//
// Setting nil, or leaving a list or a map empty, removes. A tag gives a table another name, a time to live and a version:
// `table:"visits,ttl=1h,version=2"`.
type Key[K, S, C any] struct {
	streamhost.Context
	Config *C
	Key    K
	State  *S
	Timers *Timers
}

// Rows makes a plugin of a function that is called for each key, with the key's rows, and, unless it is nil, of one that is called for each
// timer that fires. Both emit rows that leave.
//
//   - A row that cannot be read, as a null where the struct has no place for it, is in error, and the function does not see it.
//   - In [Group.Each] an error is that row's, and the others go on.
//   - An error of the function is that of all the key's rows: its state and its timers stay as they were, and nothing that it emitted
//     leaves. Other keys go on.
//   - An error of the function for a timer is that of the timer, which is gone.
//
// With [streamhost.Reads] the row's fields are these columns, the first the first, whatever they are called.
func Rows[K, S, C, R, O any](
	process func(key *Key[K, S, C], rows *Group[R], emit func(O)) error,
	fired func(key *Key[K, S, C], timer Timer, emit func(O)) error,
	options ...streamhost.Option,
) {
	spec := streamhost.SpecOf(options)
	b := &byKey[K, S, C, R, O]{
		process: process, fired: fired, keys: row.Of[K](), rows: row.Of[R](), out: row.Of[O](),
		tables: tablesOf(reflect.TypeFor[S]()), spec: spec, named: spec.Reads != nil,
		withKeys: reflect.TypeFor[K]() == reflect.TypeFor[AnyKey](),
	}
	if !b.named {
		spec.Reads = func(any) []string { return b.rows.Names() }
	}
	functions := Functions[C]{Plan: b.plan, Process: b.processKeys, Fired: b.fireTimers}
	if migrate, ok := spec.Extra["migrate"].(func(*Before) (*arrow.Batch, error)); ok {
		functions.Migrate = func(_ *C, before *Before) (*arrow.Batch, error) { return migrate(before) }
	}
	host.Register(host.Keyed, &plugin[C]{spec: spec, functions: functions})
}

// Migrate names the function that makes each stored entry of an older version one of now.
func Migrate(migrate func(before *Before) (*arrow.Batch, error)) streamhost.Option {
	return func(s *streamhost.Spec) { s.Extra["migrate"] = migrate }
}

// Each makes each entry of an older version one of now. Both structs have the second key's fields, if it is a mapping, then the value's.
func Each[Old, New any](before *Before, renewed func(Old) (New, error)) (*arrow.Batch, error) {
	rows, err := row.Of[Old]().Open(before.Entries)
	if err != nil {
		return nil, err
	}
	writer := row.Of[New]().Writer()
	for at := range rows.Len() {
		old, err := rows.Read(at)
		if err != nil {
			return nil, err
		}
		now, err := renewed(old)
		if err != nil {
			return nil, err
		}
		writer.Write(now)
	}
	return writer.Batch(), nil
}

// TTL says that what was not written for this long, by the epoch's time, is removed: "1h", "30 days". What a call leaves as it was is not
// written. A table's own tag goes first.
func TTL(length string) streamhost.Option {
	ttl := mustInterval(length)
	return func(s *streamhost.Spec) { s.Extra["ttl"] = func(any) streamhost.Interval { return ttl } }
}

// TTLOf is TTL where the length follows from the configuration.
func TTLOf[C any](length func(config *C) streamhost.Interval) streamhost.Option {
	return func(s *streamhost.Spec) {
		s.Extra["ttl"] = func(config any) streamhost.Interval { return length(config.(*C)) }
	}
}

// byKey is the functions over structs.
type byKey[K, S, C, R, O any] struct {
	process  func(key *Key[K, S, C], rows *Group[R], emit func(O)) error
	fired    func(key *Key[K, S, C], timer Timer, emit func(O)) error
	keys     *row.Fields[K]
	rows     *row.Fields[R]
	out      *row.Fields[O]
	tables   []tableField
	spec     *streamhost.Spec
	named    bool
	withKeys bool
}

// plan says what leaves, and opens the columns of no rows, so that those of another type are refused before there are any.
func (b *byKey[K, S, C, R, O]) plan(config *C, input Input) (Plan, error) {
	plan := Plan{Output: b.out.Schema()}
	if b.withKeys {
		for _, field := range plan.Output {
			if input.Keys.Index(field.Name) >= 0 {
				return plan, streamhost.Invalid("`" + field.Name +
					"` is a column of the key, and the plugin adds one of that name: rename the key's before this step")
			}
		}
		plan.Output = append(append(arrow.Schema{}, input.Keys...), plan.Output...)
	}
	for _, table := range b.tables {
		plan.Tables = append(plan.Tables, table.declare(config, b.spec))
	}
	if _, err := b.keys.Open(arrow.Empty(input.Keys)); err != nil {
		return plan, err
	}
	_, err := b.open(config, arrow.Empty(input.Rows))
	return plan, err
}

// open opens the columns of the rows.
func (b *byKey[K, S, C, R, O]) open(config *C, rows *arrow.Batch) (*row.Rows[R], error) {
	if !b.named {
		return b.rows.Open(rows)
	}
	columns := b.spec.Reads(config)
	told := "config: " + quoted(columns) + " are read as " + quoted(b.rows.Names())
	if len(columns) != len(b.rows.Names()) {
		return nil, streamhost.Invalid(told + ": there has to be one for each")
	}
	opened, err := b.rows.OpenAs(rows, columns)
	if err != nil {
		err = streamhost.In(told, err)
	}
	return opened, err
}

func quoted(names []string) string {
	text := ""
	for i, name := range names {
		if i > 0 {
			text += ", "
		}
		text += "`" + name + "`"
	}
	return text
}

// run is what the keys of one call have in common.
type run[K, S, C, O any] struct {
	key    Key[K, S, C]
	held   []*held
	state  S
	keys   *row.Rows[K]
	writer *row.Writer[O]
	of     []int32
	// emitted are the rows of the key that is being worked on.
	emitted []O
}

func (b *byKey[K, S, C, R, O]) begin(call *streamhost.Call[C], keys *arrow.Batch, state *State, again bool) (*run[K, S, C, O], error) {
	r := &run[K, S, C, O]{writer: b.out.Writer()}
	r.key.Context, r.key.Config = call.Context, call.Config
	r.key.Timers = newTimers(host.Context{
		Watermark: int64(call.Watermark), HasWatermark: call.HasWatermark, Now: int64(call.Now),
	})
	var err error
	if r.keys, err = b.keys.Open(keys); err != nil {
		return nil, err
	}
	for i := range b.tables {
		held, err := b.tables[i].open(state, keys.Rows(), again)
		if err != nil {
			return nil, err
		}
		r.held = append(r.held, held)
	}
	return r, nil
}

// one works on one key. What it did is kept if it succeeds. The second error is one of the whole call.
func (r *run[K, S, C, O]) one(key int, work func() error) (failed, err error) {
	var zero S
	r.state, r.key.State, r.emitted = zero, &r.state, r.emitted[:0]
	r.key.Timers.begin(uint32(key))
	if err := r.each(func(h *held, at reflect.Value) error { return h.begin(key, at) }); err != nil {
		return nil, err
	}
	if r.key.Key, failed = r.keys.Read(key); failed == nil {
		failed = guarded(work)
	}
	if failed != nil {
		return failed, nil
	}
	for _, row := range r.emitted {
		r.writer.Write(row)
		r.of = append(r.of, int32(key))
	}
	r.key.Timers.keep()
	return nil, r.each(func(h *held, at reflect.Value) error { return h.keep(key, at) })
}

// each calls a function for each table and what the key has of it.
func (r *run[K, S, C, O]) each(of func(h *held, at reflect.Value) error) error {
	state := reflect.ValueOf(r.key.State).Elem()
	for _, held := range r.held {
		if err := of(held, state.Field(held.field.index)); err != nil {
			return err
		}
	}
	return nil
}

func guarded(work func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = &fail.Error{Kind: fail.Permanent, Message: host.Panicked(reason)}
		}
	}()
	return work()
}

// end writes what was changed, and gives the rows that leave.
func (r *run[K, S, C, O]) end(keys *arrow.Batch, state *State, withKeys bool) (Output, error) {
	for _, held := range r.held {
		if err := held.write(state); err != nil {
			return Output{}, err
		}
	}
	if err := r.key.Timers.write(state); err != nil {
		return Output{}, err
	}
	rows := r.writer.Batch()
	if withKeys {
		rows = keys.Take(r.of).Beside(rows)
	}
	return Output{Main: rows}, nil
}

func (b *byKey[K, S, C, R, O]) processKeys(call *streamhost.Call[C], groups *Groups, state *State) (Output, error) {
	rows, err := b.open(call.Config, groups.Rows())
	if err != nil {
		return Output{}, err
	}
	r, err := b.begin(call, groups.Keys(), state, false)
	if err != nil {
		return Output{}, err
	}
	emit := func(row O) { r.emitted = append(r.emitted, row) }
	for key := range groups.Len() {
		from, to := groups.Range(key)
		group := &Group[R]{rows: rows, at: from, to: to, more: groups.More(key), errors: call.Errors}
		failed, err := r.one(key, func() error { return b.process(&r.key, group, emit) })
		if err != nil {
			return Output{}, err
		}
		for row := from; failed != nil && row < to; row++ {
			call.Errors.Add(row, failed)
		}
	}
	return r.end(groups.Keys(), state, b.withKeys)
}

func (b *byKey[K, S, C, R, O]) fireTimers(call *streamhost.Call[C], fired *Fired, state *State) (Output, error) {
	if b.fired == nil {
		return Output{}, nil
	}
	r, err := b.begin(call, fired.Keys(), state, true)
	if err != nil {
		return Output{}, err
	}
	emit := func(row O) { r.emitted = append(r.emitted, row) }
	for i, timer := range fired.Timers() {
		failed, err := r.one(int(timer.Key), func() error { return b.fired(&r.key, timer, emit) })
		if err != nil {
			return Output{}, err
		}
		if failed != nil {
			call.Errors.Add(i, failed)
		}
	}
	return r.end(fired.Keys(), state, b.withKeys)
}
