package streamhosttest

import (
	"slices"
	"strconv"
	"strings"

	"streamhost/arrow"
	"streamhost/internal/host"
)

// keyed is an entry, or its place, with its key.
type keyed struct {
	at  uint32
	key string
	entry
}

func (s *store) key(at uint32) (string, error) {
	if int(at) >= len(s.call) {
		return "", invalid("it names key " + strconv.Itoa(int(at)) + ", and the call has " + strconv.Itoa(len(s.call)) + " keys")
	}
	return s.call[at], nil
}

// read reads entries, or their places. All are looked at before any is used.
func (s *store) read(table *shelf, columns arrow.Schema, messages []byte) ([]keyed, error) {
	// The plugin uses the memory again.
	batch, err := arrow.DecodeOne(slices.Clone(messages), columns)
	if err != nil {
		return nil, err
	}
	var list []keyed
	for at := range batch.Rows() {
		values := valuesOf(batch, at)
		number := values[0].(uint32)
		key, err := s.key(number)
		if err != nil {
			return nil, err
		}
		second := 1 + len(table.second)
		list = append(list, keyed{number, key, entry{values[1:second], values[second:], s.now}})
	}
	return list, nil
}

// send is entries as the host sends them.
func (s *store) send(table *shelf, entries []keyed) []byte {
	var rows []row
	for _, entry := range entries {
		rows = append(rows, slices.Concat(row{entry.at}, entry.second, entry.value))
	}
	return batchOfValues(table.columns(), rows).Encode(nil)
}

func (s *store) Get(name string, keys []uint32, all bool) ([]byte, error) {
	table, err := s.find(name)
	if err != nil {
		return nil, err
	}
	keys = slices.Clone(keys)
	for at := range s.call {
		if all {
			keys = append(keys, uint32(at))
		}
	}
	slices.Sort(keys)
	var entries []keyed
	for _, at := range slices.Compact(keys) {
		key, err := s.key(at)
		if err != nil {
			return nil, err
		}
		for _, entry := range table.sorted(key) {
			entries = append(entries, keyed{at, key, entry})
		}
	}
	return s.send(table, entries), nil
}

func (s *store) Find(name string, of []byte) ([]byte, error) {
	table, err := s.find(name)
	if err != nil {
		return nil, err
	}
	places, err := s.read(table, table.places(), of)
	if err != nil {
		return nil, err
	}
	var found []keyed
	for _, place := range places {
		for _, entry := range table.entries[place.key] {
			if compareRows(entry.second, place.second) == 0 {
				found = append(found, keyed{place.at, place.key, entry})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b keyed) int { return int(a.at) - int(b.at) })
	return s.send(table, found), nil
}

func (s *store) Put(name string, messages []byte) error {
	table, err := s.find(name)
	if err != nil {
		return err
	}
	entries, err := s.read(table, table.columns(), messages)
	if err != nil {
		return err
	}
	if table.kind == 1 {
		// The rows of a key are its whole list from now on.
		for _, entry := range entries {
			delete(table.entries, entry.key)
		}
	}
	for _, put := range entries {
		if table.kind != 1 {
			table.without(put)
		}
		table.entries[put.key] = append(table.entries[put.key], put.entry)
	}
	return nil
}

func (t *shelf) without(place keyed) {
	t.entries[place.key] = slices.DeleteFunc(t.entries[place.key], func(e entry) bool {
		return compareRows(e.second, place.second) == 0
	})
}

func (s *store) Append(name string, messages []byte) error {
	table, err := s.find(name)
	if err != nil {
		return err
	}
	if table.kind != 1 {
		return invalid("it is no sequence table, so nothing is appended to it")
	}
	entries, err := s.read(table, table.columns(), messages)
	for _, put := range entries {
		table.entries[put.key] = append(table.entries[put.key], put.entry)
	}
	return err
}

func (s *store) Remove(name string, keys []uint32) error {
	table, err := s.find(name)
	if err != nil {
		return err
	}
	for _, at := range keys {
		key, err := s.key(at)
		if err != nil {
			return err
		}
		delete(table.entries, key)
	}
	return nil
}

func (s *store) RemoveFound(name string, of []byte) error {
	table, err := s.find(name)
	if err != nil {
		return err
	}
	places, err := s.read(table, table.places(), of)
	for _, place := range places {
		table.without(place)
	}
	return err
}

var clockNames = [...]string{"the watermark", "the time of the epoch"}

func (s *store) SetTimers(of host.Clock, timers []host.Timer) error {
	clock := &s.clocks[of]
	for _, set := range timers {
		if _, err := s.key(set.Key); err != nil {
			return err
		}
		if clock.begun && set.At <= clock.reached {
			return invalid("it sets a timer at " + arrow.Timestamp(set.At).String() + ", which " + clockNames[of] + ", " +
				arrow.Timestamp(clock.reached).String() + ", has reached")
		}
	}
	for _, set := range timers {
		clock.timers[timer{set.At, s.call[set.Key]}] = true
	}
	return nil
}

func (s *store) ClearTimers(of host.Clock, timers []host.Timer) error {
	for _, cleared := range timers {
		key, err := s.key(cleared.Key)
		if err != nil {
			return err
		}
		delete(s.clocks[of].timers, timer{cleared.At, key})
	}
	return nil
}

func (s *store) ClearAllTimers(of host.Clock, keys []uint32) error {
	for _, at := range keys {
		key, err := s.key(at)
		if err != nil {
			return err
		}
		for set := range s.clocks[of].timers {
			if set.key == key {
				delete(s.clocks[of].timers, set)
			}
		}
	}
	return nil
}

// valuesOf are the values of a row.
func valuesOf(batch *arrow.Batch, at int) row {
	values := make(row, len(batch.Columns()))
	for i, column := range batch.Columns() {
		values[i] = column.Value(at)
	}
	return values
}

// batchOfValues makes columns of values, which are those of the schema's types.
func batchOfValues(schema arrow.Schema, rows []row) *arrow.Batch {
	columns := make([]*arrow.Column, len(schema))
	for i, field := range schema {
		builder := arrow.NewBuilder(field.Type)
		for _, row := range rows {
			if err := builder.AppendValue(row[i]); err != nil {
				panic("streamhosttest: `" + field.Name + "`: " + err.Error())
			}
		}
		columns[i] = builder.Column()
	}
	batch, err := arrow.BatchOf(schema, columns, len(rows))
	if err != nil {
		panic("streamhosttest: " + err.Error())
	}
	return batch
}

// compareRows is the order of rows, by their columns from the first on, nulls first.
func compareRows(a, b row) int {
	for i := range a {
		if order := compareValues(a[i], b[i]); order != 0 {
			return order
		}
	}
	return 0
}

func compareValues(a, b arrow.Value) int {
	if a == nil || b == nil {
		return bit(a != nil) - bit(b != nil)
	}
	switch one := a.(type) {
	case string:
		return strings.Compare(one, b.(string))
	case []byte:
		return slices.Compare(one, b.([]byte))
	case bool:
		return bit(one) - bit(b.(bool))
	case int32:
		return compare(one, b.(int32))
	case int64:
		return compare(one, b.(int64))
	case uint64:
		return compare(one, b.(uint64))
	case float32:
		return compare(one, b.(float32))
	case float64:
		return compare(one, b.(float64))
	case arrow.Date:
		return compare(one, b.(arrow.Date))
	case arrow.Timestamp:
		return compare(one, b.(arrow.Timestamp))
	case arrow.Decimal:
		return one.Cmp(b.(arrow.Decimal))
	}
	return strings.Compare(print(jsonOf(a, arrow.Type{})), print(jsonOf(b, arrow.Type{})))
}

func compare[T arrow.Ordered](a, b T) int { return bit(a > b) - bit(a < b) }

func bit(is bool) int {
	if is {
		return 1
	}
	return 0
}
