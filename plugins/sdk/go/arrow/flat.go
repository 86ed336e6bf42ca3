package arrow

// table is a table of a FlatBuffer that came from outside: every access is checked. Fields are numbered; those that are not there have
// their default value. The first place that cannot be is noted, and everything read from then on is zero.
type table struct {
	flat  *flat
	start int
}

type flat struct {
	bytes  []byte
	broken bool
}

func (f *flat) root() table { return table{f, f.reference(0)} }

func (f *flat) fail() int {
	f.broken = true
	return 0
}

// within says whether so many bytes are there.
func (f *flat) within(at, size int) bool {
	if f.broken || at < 0 || size < 0 || at > len(f.bytes)-size {
		f.broken = true
		return false
	}
	return true
}

func (f *flat) u16(at int) int {
	if !f.within(at, 2) {
		return 0
	}
	return int(le16(f.bytes[at:]))
}

func (f *flat) i32(at int) int {
	if !f.within(at, 4) {
		return 0
	}
	return int(int32(le32(f.bytes[at:])))
}

func (f *flat) i64(at int) int64 {
	if !f.within(at, 8) {
		return 0
	}
	return int64(le64(f.bytes[at:]))
}

// size is a length or a position: negative ones, and those past any memory, are none.
func (f *flat) size(at int) int {
	n := f.i64(at)
	if n < 0 || n > 1<<40 {
		return f.fail()
	}
	return int(n)
}

// reference is the place that the reference at a place leads to.
func (f *flat) reference(at int) int {
	if !f.within(at, 4) {
		return 0
	}
	return at + int(le32(f.bytes[at:]))
}

// field is the place of a field; 0 if it is not there.
func (t table) field(slot int) int {
	vtable := t.start - t.flat.i32(t.start)
	entry := 4 + 2*slot
	if t.flat.u16(vtable) < entry+2 {
		return 0
	}
	offset := t.flat.u16(vtable + entry)
	if offset == 0 || t.flat.broken {
		return 0
	}
	return t.start + offset
}

func (t table) has(slot int) bool { return t.field(slot) != 0 }

func (t table) byte(slot int) int {
	at := t.field(slot)
	if at == 0 || !t.flat.within(at, 1) {
		return 0
	}
	return int(t.flat.bytes[at])
}

func (t table) short(slot int) int {
	if at := t.field(slot); at != 0 {
		return int(int16(t.flat.u16(at)))
	}
	return 0
}

func (t table) int(slot, otherwise int) int {
	if at := t.field(slot); at != 0 {
		return t.flat.i32(at)
	}
	return otherwise
}

func (t table) size(slot int) int {
	if at := t.field(slot); at != 0 {
		return t.flat.size(at)
	}
	return 0
}

func (t table) table(slot int) table {
	at := t.field(slot)
	if at == 0 {
		return table{t.flat, t.flat.fail()}
	}
	return table{t.flat, t.flat.reference(at)}
}

func (t table) text(slot int) string {
	at, count := t.vector(slot, 1)
	return string(t.flat.bytes[at : at+count])
}

// vector is where a vector's items begin, and how many there are of so many bytes each.
func (t table) vector(slot, width int) (int, int) {
	at := t.field(slot)
	if at == 0 {
		return 0, 0
	}
	at = t.flat.reference(at)
	count := t.flat.i32(at)
	if count < 0 || count > len(t.flat.bytes) || !t.flat.within(at+4, count*width) {
		return t.flat.fail(), 0
	}
	return at + 4, count
}

// pairs is what remains of a vector of structs of two longs.
type pairs struct {
	flat *flat
	at   int
	left int
}

func (t table) pairs(slot int) pairs {
	at, count := t.vector(slot, 16)
	return pairs{t.flat, at, count}
}

func (p *pairs) next() (int, int) {
	if p.left == 0 {
		return p.flat.fail(), 0
	}
	first, second := p.flat.size(p.at), p.flat.size(p.at+8)
	p.at, p.left = p.at+16, p.left-1
	return first, second
}
