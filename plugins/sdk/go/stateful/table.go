package stateful

import (
	"strconv"

	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/host"
)

// tableKind is what a table has of a key, as the contract numbers it.
type tableKind uint8

const (
	value tableKind = iota
	sequence
	mapping
)

// Table is what is kept for each key, under a name of letters, digits, `-` and `_`.
type Table struct {
	name    string
	kind    tableKind
	second  arrow.Schema
	value   arrow.Schema
	ttl     streamhost.Interval
	version uint32
}

// Value is a table of one value a key: Spark's ValueState. Columns may be null, so that a column that learns to be is no new version.
func Value(name string, columns arrow.Schema) Table {
	return Table{name: name, kind: value, value: columns.AllNullable(), version: 1}
}

// Sequence is a table of a list of values a key: Spark's ListState.
func Sequence(name string, columns arrow.Schema) Table {
	return Table{name: name, kind: sequence, value: columns.AllNullable(), version: 1}
}

// Mapping is a table of values by a second key: Spark's MapState.
func Mapping(name string, second, columns arrow.Schema) Table {
	return Table{name: name, kind: mapping, second: second.AllNullable(), value: columns.AllNullable(), version: 1}
}

// WithTTL says that entries that were not put for this long, by the epoch's time, are removed; 0 keeps them for ever.
func (t Table) WithTTL(ttl streamhost.Interval) Table {
	t.ttl = ttl
	return t
}

// WithVersion is the version of the columns, 1 unless it is given: raise it when they change, and migrate what is stored.
func (t Table) WithVersion(version uint32) Table {
	t.version = version
	return t
}

// columns are those of an entry but for its key.
func (t *Table) columns() arrow.Schema {
	return append(append(arrow.Schema{}, t.second...), t.value...)
}

// withKey puts the column of the key before others. Names of columns do not matter in an entry; so it may be a column's too.
func withKey(columns arrow.Schema) arrow.Schema {
	return append(arrow.Schema{{Name: "key", Type: arrow.Type{Kind: arrow.Uint32}}}, columns...)
}

// declaration is how the host is told of it. A time to live counts in milliseconds there.
func (t *Table) declaration() host.Declaration {
	d := host.Declaration{Name: t.name, Kind: uint8(t.kind), Value: t.value.Encode(), Version: t.version}
	if t.kind == mapping {
		d.Second = t.second.Encode()
	}
	if t.ttl > 0 {
		d.HasTTL, d.TTL = true, uint64(t.ttl)/1000
	}
	return d
}

// Entries of a table, ordered by key; those of a key as they were appended, or by their second key.
type Entries struct {
	keys   []uint32
	second *arrow.Batch
	values *arrow.Batch
}

func newEntries(table *Table, batch *arrow.Batch) (*Entries, error) {
	keys, _ := arrow.Values[uint32](batch.Column(0))
	ordered := batch.Column(0).Nulls() == 0
	for i := 1; i < len(keys); i++ {
		ordered = ordered && keys[i-1] <= keys[i]
	}
	if !ordered {
		return nil, permanent("the host's entries are not ordered by their keys")
	}
	columns, second := batch.Columns()[1:], len(table.second)
	// The columns are those that the messages were read by.
	seconds, _ := arrow.BatchOf(table.second, columns[:second], batch.Rows())
	values, _ := arrow.BatchOf(table.value, columns[second:], batch.Rows())
	return &Entries{keys, seconds, values}, nil
}

// Keys has the key of each entry, as its row in the call's keys.
func (e *Entries) Keys() []uint32 { return e.keys }

// Second has the second keys, a row for each entry; without columns but in a mapping.
func (e *Entries) Second() *arrow.Batch { return e.second }

// Values has the values, a row for each entry.
func (e *Entries) Values() *arrow.Batch { return e.values }

// Find is the first entry of a key; false if it has none.
func (e *Entries) Find(key uint32) (int, bool) {
	from, to := 0, len(e.keys)
	for from < to {
		if middle := (from + to) / 2; e.keys[middle] < key {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, from < len(e.keys) && e.keys[from] == key
}

// Ends is where each of so many keys has its entries: those of key i are from Ends[i] to before Ends[i+1].
func (e *Entries) Ends(keys int) []int {
	ends, entry := make([]int, 0, keys+1), 0
	for key := range uint32(keys + 1) {
		for entry < len(e.keys) && e.keys[entry] < key {
			entry++
		}
		ends = append(ends, entry)
	}
	return ends
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
