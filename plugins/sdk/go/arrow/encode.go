package arrow

import "encoding/binary"

// alignment: bodies and their buffers start at multiples of it, as Arrow recommends.
const alignment = 64

// fixedHeader is the bytes of a batch's header before its nodes.
const fixedHeader = 72

func roundUp(length int) int { return (length + alignment - 1) &^ (alignment - 1) }

var padding [alignment]byte

// Encode adds the message of a batch to what is there.
func (b *Batch) Encode(to []byte) []byte {
	e := encoder{nodes: make([][2]int, 0, 2*len(b.columns)), buffers: make([][]byte, 0, 3*len(b.columns))}
	for _, column := range b.columns {
		e.column(column)
	}
	return e.message(to, b.rows)
}

// encoder collects nodes and buffers in the order of the fields, depth first.
type encoder struct {
	nodes   [][2]int
	buffers [][]byte
}

func (e *encoder) column(c *Column) {
	e.nodes = append(e.nodes, [2]int{c.length, c.nulls})
	if c.typ.Kind == Null {
		return
	}
	if c.nulls > 0 {
		e.buffers = append(e.buffers, c.valid)
	} else {
		e.buffers = append(e.buffers, nil)
	}
	switch c.typ.shape() {
	case shapeBits, shapeFixed:
		e.buffers = append(e.buffers, c.data)
	case shapeBytes:
		from, to := e.offsets(c)
		e.buffers = append(e.buffers, c.data[from:to])
	case shapeList:
		e.list(c)
	default:
		for _, child := range c.children {
			e.column(child)
		}
	}
}

// offsets writes offsets from zero on; what they point to is from the first number to before the second.
func (e *encoder) offsets(c *Column) (int, int) {
	offsets := c.offsets
	first, last := offsets[0], offsets[c.length]
	if first != 0 {
		moved := make([]int32, len(offsets))
		for i, offset := range offsets {
			moved[i] = offset - first
		}
		offsets = moved
	}
	if c.typ.large() {
		wide := make([]int64, len(offsets))
		for i, offset := range offsets {
			wide[i] = int64(offset)
		}
		e.buffers = append(e.buffers, bytesOf(wide))
	} else {
		e.buffers = append(e.buffers, bytesOf(offsets))
	}
	return int(first), int(last)
}

func (e *encoder) list(c *Column) {
	from, to := e.offsets(c)
	children, entries := c.children, c.entries
	if from != 0 || to != children[0].length {
		rows := make([]int32, 0, to-from)
		for row := from; row < to; row++ {
			rows = append(rows, int32(row))
		}
		children = nil
		for _, child := range c.children {
			children = append(children, child.Take(rows))
		}
		entries, _ = takeValid(entries, rows)
	}
	if c.typ.Kind == Map {
		nulls := 0
		if entries != nil {
			nulls = to - from - countBits(entries)
		}
		e.nodes = append(e.nodes, [2]int{to - from, nulls})
		e.buffers = append(e.buffers, entries)
	}
	for _, child := range children {
		e.column(child)
	}
}

// message adds prefix, header and body, with one allocation at most.
func (e *encoder) message(to []byte, rows int) []byte {
	size := 0
	for _, buffer := range e.buffers {
		size += roundUp(len(buffer))
	}
	header := roundUp(8 + fixedHeader + 16*len(e.nodes) + 8 + 16*len(e.buffers))
	// Messages before this one have a padded length too.
	start := len(to)
	if cap(to)-start < header+size {
		to = append(make([]byte, 0, start+header+size), to...)
	}
	to = append(to, 0xff, 0xff, 0xff, 0xff)
	to = binary.LittleEndian.AppendUint32(to, uint32(header-8))
	to = e.header(to, rows, size)
	to = append(to, padding[:start+header-len(to)]...)
	for _, buffer := range e.buffers {
		to = append(to, buffer...)
		to = append(to, padding[:roundUp(len(buffer))-len(buffer)]...)
	}
	return to
}

// header adds the FlatBuffer. Its tables always have the same fields, so their places are constants; only the two vectors at its end
// vary. Positions in the comments count from its start.
func (e *encoder) header(to []byte, rows, size int) []byte {
	order := binary.LittleEndian
	// 0: the message's table is at 16
	to = order.AppendUint32(to, 16)
	// 4: its vtable: 12 bytes of 20, version at +16, header type at +18, header at +4, body length at +8
	to = appendWords(to, 12, 20, 16, 18, 4, 8)
	// 16: its table: vtable, record batch's table at 48, body length, version 5, header type 3
	to = order.AppendUint32(to, 12)
	to = order.AppendUint32(to, 28)
	to = order.AppendUint64(to, uint64(size))
	to = appendWords(to, 4, 3)
	// 36: the record batch's vtable: 10 bytes of 20, length at +8, nodes at +4, buffers at +16
	to = appendWords(to, 10, 20, 8, 4, 16, 0)
	// 48: its table: vtable, nodes' vector at 68, rows, buffers' vector past the nodes
	to = order.AppendUint32(to, 12)
	to = order.AppendUint32(to, 16)
	to = order.AppendUint64(to, uint64(rows))
	to = order.AppendUint32(to, uint32(12+16*len(e.nodes)))
	// 68: the nodes
	to = order.AppendUint32(to, uint32(len(e.nodes)))
	for _, node := range e.nodes {
		to = order.AppendUint64(to, uint64(node[0]))
		to = order.AppendUint64(to, uint64(node[1]))
	}
	// 72 + 16 × nodes: padding, so that the buffers' longs are aligned; the buffers
	to = order.AppendUint32(to, 0)
	to = order.AppendUint32(to, uint32(len(e.buffers)))
	offset := 0
	for _, buffer := range e.buffers {
		to = order.AppendUint64(to, uint64(offset))
		to = order.AppendUint64(to, uint64(len(buffer)))
		offset += roundUp(len(buffer))
	}
	return to
}

func appendWords(to []byte, words ...uint16) []byte {
	for _, word := range words {
		to = binary.LittleEndian.AppendUint16(to, word)
	}
	return to
}
