package stateful

import (
	"strconv"

	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/host"
)

// State is the tables and timers of the keys of one call, which the host holds. A key is named by its row in the call's keys.
type State struct {
	tables []Table
	store  host.Store
	// buffer is what is being encoded; kept, as every write needs such a place.
	buffer []byte
}

// Open is a table that the plugin declared.
func (s *State) Open(name string) (*OpenTable, error) {
	for i := range s.tables {
		if s.tables[i].name == name {
			return &OpenTable{&s.tables[i], s}, nil
		}
	}
	return nil, permanent("the plugin did not declare a table `" + name + "`")
}

// SetTimers sets timers. One that is set already stays one. It is an error if the clock has reached one of them, or, on the event-time
// clock, if the step's input has no watermark.
func (s *State) SetTimers(clock Clock, timers []Timer) error {
	if len(timers) == 0 {
		return nil
	}
	return s.store.SetTimers(clock, timers)
}

// ClearTimers takes timers back. Those that are not set are passed over.
func (s *State) ClearTimers(clock Clock, timers []Timer) error {
	if len(timers) == 0 {
		return nil
	}
	return s.store.ClearTimers(clock, timers)
}

// ClearAllTimers takes all timers of these keys back.
func (s *State) ClearAllTimers(clock Clock, keys []uint32) error {
	if len(keys) == 0 {
		return nil
	}
	return s.store.ClearAllTimers(clock, keys)
}

// OpenTable is a table, for the keys of one call. Each method crosses to the host once, for however many entries, and not at all for none.
type OpenTable struct {
	table *Table
	state *State
}

// Get gets the entries of all keys of the call.
func (t *OpenTable) Get() (*Entries, error) {
	return t.entries(t.state.store.Get(t.table.name, nil, true))
}

// GetOf gets the entries of these keys.
func (t *OpenTable) GetOf(keys []uint32) (*Entries, error) {
	if len(keys) == 0 {
		return t.entries(nil, nil)
	}
	return t.entries(t.state.store.Get(t.table.name, keys, false))
}

// Find gets those entries of a mapping that are there of these: a key each, and a row of the second key's columns.
func (t *OpenTable) Find(keys []uint32, second *arrow.Batch) (*Entries, error) {
	if err := t.mapping(); err != nil || len(keys) == 0 {
		return t.entries(nil, err)
	}
	if err := t.encode(keys, second, t.table.second); err != nil {
		return nil, err
	}
	return t.entries(t.state.store.Find(t.table.name, t.state.buffer))
}

// Put inserts or overwrites: a key each, and a row of the second key's columns and the value's. What a sequence has of a key is all its
// rows from now on.
func (t *OpenTable) Put(keys []uint32, columns *arrow.Batch) error {
	if len(keys) == 0 && columns.Rows() == 0 {
		return nil
	}
	if err := t.encode(keys, columns, t.table.columns()); err != nil {
		return err
	}
	return t.told(t.state.store.Put(t.table.name, t.state.buffer))
}

// Append adds values at the end of a sequence: a key each, and a row of the value's columns.
func (t *OpenTable) Append(keys []uint32, columns *arrow.Batch) error {
	if t.table.kind != sequence {
		return t.wrong("is no sequence, so nothing is appended to it")
	}
	if len(keys) == 0 && columns.Rows() == 0 {
		return nil
	}
	if err := t.encode(keys, columns, t.table.columns()); err != nil {
		return err
	}
	return t.told(t.state.store.Append(t.table.name, t.state.buffer))
}

// Remove removes all entries of these keys.
func (t *OpenTable) Remove(keys []uint32) error {
	if len(keys) == 0 {
		return nil
	}
	return t.told(t.state.store.Remove(t.table.name, keys))
}

// RemoveFound removes entries of a mapping, named as for Find.
func (t *OpenTable) RemoveFound(keys []uint32, second *arrow.Batch) error {
	if err := t.mapping(); err != nil || len(keys) == 0 {
		return err
	}
	if err := t.encode(keys, second, t.table.second); err != nil {
		return err
	}
	return t.told(t.state.store.RemoveFound(t.table.name, t.state.buffer))
}

func (t *OpenTable) mapping() error {
	if t.table.kind != mapping {
		return t.wrong("is no mapping, so nothing is found in it by a second key")
	}
	return nil
}

// encode writes entries of these keys, once their columns are those of the table.
func (t *OpenTable) encode(keys []uint32, columns *arrow.Batch, schema arrow.Schema) error {
	alike := len(schema) == len(columns.Schema())
	for i := 0; alike && i < len(schema); i++ {
		alike = schema[i].Type.Equal(columns.Column(i).Type())
	}
	if !alike {
		return t.wrong("takes " + schema.DDL() + ", and is given " + columns.Schema().DDL())
	}
	if len(keys) != columns.Rows() {
		return t.wrong("is given " + strconv.Itoa(len(keys)) + " keys for " + strconv.Itoa(columns.Rows()) + " rows")
	}
	entries, err := arrow.BatchOf(withKey(schema), append([]*arrow.Column{arrow.Of(keys)}, columns.Columns()...), len(keys))
	if err != nil {
		return t.told(err)
	}
	t.state.buffer = entries.Encode(t.state.buffer[:0])
	return nil
}

func (t *OpenTable) entries(messages []byte, err error) (*Entries, error) {
	var entries *Entries
	if err == nil {
		var batch *arrow.Batch
		if batch, err = arrow.DecodeOne(messages, withKey(t.table.columns())); err == nil {
			entries, err = newEntries(t.table, batch)
		}
	}
	return entries, t.told(err)
}

func (t *OpenTable) told(err error) error {
	if err == nil {
		return nil
	}
	return streamhost.In("table `"+t.table.name+"`", err)
}

func (t *OpenTable) wrong(why string) error { return permanent("table `" + t.table.name + "` " + why) }
