package stateful

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"streamhost"
	"streamhost/internal/config"
	"streamhost/internal/rows"
)

// tableField is a field of the state's struct, which is a table.
type tableField struct {
	name    string
	index   int
	kind    tableKind
	second  *rows.Fields
	values  *rows.Fields
	ttl     streamhost.Interval
	version uint32
}

// tablesOf takes the state's struct apart.
func tablesOf(state reflect.Type) []tableField {
	if state.Kind() != reflect.Struct {
		panic("streamhost: what is kept is a struct of tables, and " + state.String() + " is none")
	}
	var tables []tableField
	for i := range state.NumField() {
		f := state.Field(i)
		if !f.IsExported() {
			continue
		}
		table := tableField{name: config.Kebab(f.Name, '_'), index: i, version: 1}
		table.tag(f.Tag.Get("table"))
		switch f.Type.Kind() {
		case reflect.Pointer:
			table.kind = value
		case reflect.Slice:
			table.kind = sequence
		case reflect.Map:
			table.kind, table.second = mapping, rows.Of(f.Type.Key())
		default:
			panic("streamhost: table `" + table.name + "` is a pointer, a slice or a map of structs, and " + f.Type.String() + " is none")
		}
		table.values = rows.Of(f.Type.Elem())
		tables = append(tables, table)
	}
	return tables
}

// tag reads `name,ttl=1h,version=2`.
func (t *tableField) tag(tag string) {
	for i, part := range strings.Split(tag, ",") {
		key, setting, given := strings.Cut(part, "=")
		switch {
		case i == 0 && !given:
			if key != "" {
				t.name = key
			}
		case key == "ttl":
			t.ttl = mustInterval(setting)
		case key == "version":
			version, err := strconv.ParseUint(setting, 10, 32)
			if err != nil {
				panic("streamhost: table `" + t.name + "` has the version " + setting + ", which is no number")
			}
			t.version = uint32(version)
		default:
			panic("streamhost: the tag of table `" + t.name + "` says " + part + "; it takes a name, ttl= and version=")
		}
	}
}

func mustInterval(length string) streamhost.Interval {
	interval, err := config.ParseInterval(length)
	if err != nil {
		panic("streamhost: " + err.Error())
	}
	return interval
}

func (t *tableField) declare(config any, spec *streamhost.Spec) Table {
	table := Value(t.name, t.values.Schema())
	switch t.kind {
	case sequence:
		table = Sequence(t.name, t.values.Schema())
	case mapping:
		table = Mapping(t.name, t.second.Schema(), t.values.Schema())
	}
	ttl := t.ttl
	if of, ok := spec.Extra["ttl"].(func(any) streamhost.Interval); ok && ttl == 0 {
		ttl = of(config)
	}
	return table.WithTTL(ttl).WithVersion(t.version)
}

// held is what a table has of the keys of a call: read in one crossing, and written in one, of which only what was changed is.
type held struct {
	field  *tableField
	second *rows.Rows
	values *rows.Rows
	ends   []int
	// later are keys that may come again in this call, as they are now, in the order in which they came; nil if no key does.
	later map[int]reflect.Value
	order []int
	put   changes
	more  changes
	gone  changes
	// removed are keys that have nothing left.
	removed []uint32
}

// changes are rows that are being written, and the key of each.
type changes struct {
	keys   []uint32
	second *rows.Writer
	values *rows.Writer
}

// open reads what the table has of so many keys. `again` says that keys may come more than once.
func (t *tableField) open(state *State, keys int, again bool) (*held, error) {
	table, err := state.Open(t.name)
	if err != nil {
		return nil, err
	}
	entries, err := table.Get()
	if err != nil {
		return nil, err
	}
	h := &held{field: t, ends: entries.Ends(keys)}
	h.put.values, h.more.values = t.values.Writer(), t.values.Writer()
	if t.second != nil {
		h.put.second, h.gone.second = t.second.Writer(), t.second.Writer()
		if h.second, err = t.second.Open(entries.Second()); err != nil {
			return nil, err
		}
	}
	if again {
		h.later = map[int]reflect.Value{}
	}
	h.values, err = t.values.Open(entries.Values())
	return h, err
}

// begin puts what the key has to a place.
func (h *held) begin(key int, at reflect.Value) error {
	if later, ok := h.later[key]; ok {
		at.Set(cloned(later))
		return nil
	}
	stored, err := h.stored(key, at.Type())
	if err == nil {
		at.Set(stored)
	}
	return err
}

// cloned is a copy whose changes do not show in the other one.
func cloned(of reflect.Value) reflect.Value {
	if of.IsNil() {
		return of
	}
	switch of.Kind() {
	case reflect.Pointer:
		clone := reflect.New(of.Type().Elem())
		clone.Elem().Set(of.Elem())
		return clone
	case reflect.Slice:
		return reflect.AppendSlice(reflect.MakeSlice(of.Type(), 0, of.Len()), of)
	}
	clone := reflect.MakeMapWithSize(of.Type(), of.Len())
	for _, key := range of.MapKeys() {
		clone.SetMapIndex(key, of.MapIndex(key))
	}
	return clone
}

// stored is what the host has of the key.
func (h *held) stored(key int, t reflect.Type) (reflect.Value, error) {
	from, to := h.ends[key], h.ends[key+1]
	switch h.field.kind {
	case value:
		if from == to {
			return reflect.Zero(t), nil
		}
		return h.read(h.values, from, t.Elem())
	case sequence:
		list := reflect.MakeSlice(t, 0, to-from)
		for entry := from; entry < to; entry++ {
			item, err := h.read(h.values, entry, t.Elem())
			if err != nil {
				return list, err
			}
			list = reflect.Append(list, item.Elem())
		}
		return list, nil
	}
	entries := reflect.MakeMapWithSize(t, to-from)
	for entry := from; entry < to; entry++ {
		second, err := h.read(h.second, entry, t.Key())
		if err != nil {
			return entries, err
		}
		item, err := h.read(h.values, entry, t.Elem())
		if err != nil {
			return entries, err
		}
		entries.SetMapIndex(second.Elem(), item.Elem())
	}
	return entries, nil
}

// read is a pointer to an entry.
func (h *held) read(from *rows.Rows, entry int, t reflect.Type) (reflect.Value, error) {
	item := reflect.New(t)
	return item, from.Read(entry, item.UnsafePointer())
}

// keep keeps what the key has now.
func (h *held) keep(key int, at reflect.Value) error {
	if h.later == nil {
		return h.note(key, at)
	}
	if _, ok := h.later[key]; !ok {
		h.order = append(h.order, key)
	}
	kept := reflect.New(at.Type()).Elem()
	kept.Set(at)
	h.later[key] = kept
	return nil
}

// note notes what has to be written so that the key's entries are these.
func (h *held) note(key int, now reflect.Value) error {
	stored, err := h.stored(key, now.Type())
	if err != nil {
		return err
	}
	of := uint32(key)
	switch h.field.kind {
	case value:
		h.noteValue(of, now, stored)
	case sequence:
		h.noteList(of, now, stored)
	default:
		h.noteMap(of, now, stored)
	}
	return nil
}

func (h *held) noteValue(key uint32, now, stored reflect.Value) {
	switch {
	case now.IsNil() && stored.IsNil():
	case now.IsNil():
		h.removed = append(h.removed, key)
	case stored.IsNil() || !h.field.values.Same(now.UnsafePointer(), stored.UnsafePointer()):
		h.put.add(key, now.UnsafePointer())
	}
}

// noteList appends where the list has only grown.
func (h *held) noteList(key uint32, now, stored reflect.Value) {
	count := stored.Len()
	grown := now.Len() >= count
	for i := 0; grown && i < count; i++ {
		grown = h.field.values.Same(place(now.Index(i)), place(stored.Index(i)))
	}
	switch {
	case grown:
		for i := count; i < now.Len(); i++ {
			h.more.add(key, place(now.Index(i)))
		}
	case now.Len() == 0:
		h.removed = append(h.removed, key)
	default:
		for i := range now.Len() {
			h.put.add(key, place(now.Index(i)))
		}
	}
}

func (h *held) noteMap(key uint32, now, stored reflect.Value) {
	if now.Len() == 0 {
		if stored.Len() > 0 {
			h.removed = append(h.removed, key)
		}
		return
	}
	for _, second := range sorted(now) {
		item := copied(now.MapIndex(second))
		if was := stored.MapIndex(second); !was.IsValid() || !h.field.values.Same(item, copied(was)) {
			h.put.second.Write(copied(second))
			h.put.add(key, item)
		}
	}
	for _, second := range sorted(stored) {
		if !now.MapIndex(second).IsValid() {
			h.gone.second.Write(copied(second))
			h.gone.keys = append(h.gone.keys, key)
		}
	}
}

// sorted are the keys of a map in their order, so that the same map is always written alike.
func sorted(of reflect.Value) []reflect.Value {
	keys := of.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		if rows.Less(a, b) {
			return -1
		} else if rows.Less(b, a) {
			return 1
		}
		return 0
	})
	return keys
}

func place(of reflect.Value) unsafe.Pointer { return of.Addr().UnsafePointer() }

// copied is a place with a copy of a value of a map.
func copied(of reflect.Value) unsafe.Pointer {
	copy := reflect.New(of.Type())
	copy.Elem().Set(of)
	return copy.UnsafePointer()
}

func (c *changes) add(key uint32, row unsafe.Pointer) {
	c.keys = append(c.keys, key)
	c.values.Write(row)
}

// write writes what was changed, in as few crossings as there are kinds of changes.
func (h *held) write(state *State) error {
	for _, key := range h.order {
		if err := h.note(key, h.later[key]); err != nil {
			return err
		}
	}
	table, err := state.Open(h.field.name)
	if err != nil {
		return err
	}
	if len(h.put.keys) > 0 {
		columns := h.put.values.Batch()
		if h.put.second != nil {
			columns = h.put.second.Batch().Beside(columns)
		}
		if err := table.Put(h.put.keys, columns); err != nil {
			return err
		}
	}
	if len(h.more.keys) > 0 {
		if err := table.Append(h.more.keys, h.more.values.Batch()); err != nil {
			return err
		}
	}
	if len(h.gone.keys) > 0 {
		if err := table.RemoveFound(h.gone.keys, h.gone.second.Batch()); err != nil {
			return err
		}
	}
	return table.Remove(h.removed)
}
