package streamhosttest

import (
	"maps"
	"regexp"
	"slices"

	"streamhost/arrow"
	"streamhost/internal/fail"
	"streamhost/internal/host"
	"streamhost/internal/json"
)

// row is the values of some columns.
type row = []arrow.Value

// store is the host's state, in memory: for the keys of one call at a time. A key is known by its columns as JSON.
type store struct {
	keys   arrow.Schema
	known  map[string]row
	tables []*shelf
	clocks [2]clock
	now    int64
	// call are the keys of the call.
	call []string
}

// shelf is one table, of all keys.
type shelf struct {
	name          string
	kind          uint8
	second, value arrow.Schema
	ttl           int64
	entries       map[string][]entry
}

type entry struct {
	second, value row
	put           int64
}

type clock struct {
	reached int64
	begun   bool
	timers  map[timer]bool
}

type timer struct {
	at  int64
	key string
}

var names = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// newStore refuses tables as the host does.
func newStore(keys arrow.Schema, tables []host.Declaration) (*store, error) {
	s := &store{keys: keys, known: map[string]row{}}
	for i := range s.clocks {
		s.clocks[i].timers = map[timer]bool{}
	}
	for _, table := range tables {
		of := &shelf{name: table.Name, kind: table.Kind, ttl: int64(table.TTL) * 1000, entries: map[string][]entry{}}
		var err error
		if of.value, err = arrow.DecodeSchema(table.Value); err == nil && table.Kind == 2 {
			of.second, err = arrow.DecodeSchema(table.Second)
		}
		if err != nil {
			return nil, err
		}
		switch {
		case !names.MatchString(table.Name):
			return nil, invalid("table `" + table.Name + "`: a name has 1 to 64 letters, digits, `-` and `_`")
		case slices.ContainsFunc(s.tables, func(other *shelf) bool { return other.name == table.Name }):
			return nil, invalid("it has two tables `" + table.Name + "`")
		case len(of.value) == 0:
			return nil, invalid("its table `" + table.Name + "` has values of no columns")
		case table.Kind == 2 && len(of.second) == 0:
			return nil, invalid("its table `" + table.Name + "` has a second key of no columns")
		case table.HasTTL && table.TTL == 0:
			return nil, invalid("its table `" + table.Name + "` lets values go after no time")
		}
		s.tables = append(s.tables, of)
	}
	return s, nil
}

func invalid(message string) error { return &fail.Error{Message: message} }

// columns are those of an entry.
func (t *shelf) columns() arrow.Schema {
	return append(append(arrow.Schema{{Name: "key", Type: arrow.Type{Kind: arrow.Uint32}}}, t.second...), t.value...)
}

func (t *shelf) places() arrow.Schema { return t.columns()[:1+len(t.second)] }

func (s *store) find(table string) (*shelf, error) {
	for _, shelf := range s.tables {
		if shelf.name == table {
			return shelf, nil
		}
	}
	return nil, invalid("it opens a table `" + table + "`, which it did not declare")
}

func (s *store) clone() *store {
	clone := *s
	clone.known, clone.tables = maps.Clone(s.known), nil
	for _, table := range s.tables {
		copied := *table
		copied.entries = map[string][]entry{}
		for key, entries := range table.entries {
			copied.entries[key] = slices.Clone(entries)
		}
		clone.tables = append(clone.tables, &copied)
	}
	for i := range clone.clocks {
		clone.clocks[i].timers = maps.Clone(s.clocks[i].timers)
	}
	return &clone
}

// begin begins with an epoch.
func (s *store) begin(cx host.Context) {
	s.now = cx.Now
	s.clocks[host.EventTime].reached, s.clocks[host.EventTime].begun = cx.Watermark, cx.HasWatermark
	s.clocks[host.ProcessingTime].reached, s.clocks[host.ProcessingTime].begun = cx.Now, true
	for _, table := range s.tables {
		if table.ttl == 0 {
			continue
		}
		for key, entries := range table.entries {
			table.entries[key] = slices.DeleteFunc(entries, func(e entry) bool { return s.now-e.put >= table.ttl })
		}
	}
}

// enter begins with a call of these keys.
func (s *store) enter(keys *arrow.Batch) {
	s.call = nil
	for at := range keys.Rows() {
		values := valuesOf(keys, at)
		key := print(rowsOf(keys)[at])
		s.known[key] = values
		s.call = append(s.call, key)
	}
}

// due takes the timers that a clock has reached, by their time, then by their key.
func (s *store) due(of host.Clock) []timer {
	clock := &s.clocks[of]
	var due []timer
	for timer := range clock.timers {
		if clock.begun && timer.at <= clock.reached {
			due = append(due, timer)
			delete(clock.timers, timer)
		}
	}
	s.sort(due)
	return due
}

func (s *store) sort(timers []timer) {
	slices.SortFunc(timers, func(a, b timer) int {
		if a.at != b.at {
			return compareValues(a.at, b.at)
		}
		return s.compareKeys(a.key, b.key)
	})
}

func (s *store) compareKeys(a, b string) int { return compareRows(s.known[a], s.known[b]) }

// enterDue begins with a call for timers; it answers its keys, and its timers.
func (s *store) enterDue(due []timer) (*arrow.Batch, []host.Timer) {
	s.call = nil
	for _, timer := range due {
		s.call = append(s.call, timer.key)
	}
	slices.SortFunc(s.call, s.compareKeys)
	s.call = slices.Compact(s.call)
	var timers []host.Timer
	for _, timer := range due {
		timers = append(timers, host.Timer{Key: uint32(slices.Index(s.call, timer.key)), At: timer.at})
	}
	var rows []row
	for _, key := range s.call {
		rows = append(rows, s.known[key])
	}
	return batchOfValues(s.keys, rows), timers
}

// entries is what a table has, as JSON.
func (s *store) entries(table string) ([]json.Object, error) {
	of, err := s.find(table)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, key := range slices.SortedFunc(maps.Keys(of.entries), s.compareKeys) {
		for _, entry := range of.sorted(key) {
			rows = append(rows, slices.Concat(s.known[key], entry.second, entry.value))
		}
	}
	return rowsOf(batchOfValues(slices.Concat(s.keys, of.second, of.value), rows)), nil
}

// timersOf are the timers of a clock, as JSON.
func (s *store) timersOf(of host.Clock) []json.Object {
	timers := slices.Collect(maps.Keys(s.clocks[of].timers))
	s.sort(timers)
	var rows []row
	for _, timer := range timers {
		rows = append(rows, append(slices.Clone(s.known[timer.key]), timer.at))
	}
	at := arrow.Field{Name: "at", Type: arrow.BIGINT, Nullable: true}
	return rowsOf(batchOfValues(append(slices.Clone(s.keys), at), rows))
}

// sorted are the entries of a key, in their order.
func (t *shelf) sorted(key string) []entry {
	entries := slices.Clone(t.entries[key])
	slices.SortStableFunc(entries, func(a, b entry) int { return compareRows(a.second, b.second) })
	return entries
}
