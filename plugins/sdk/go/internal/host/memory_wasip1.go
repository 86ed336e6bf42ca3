package host

import (
	"runtime"
	"unsafe"
)

// The collector runs when this package says so, and never by itself: it reads a clock, which a component may not do while the host has
// it allocate (cabi_realloc).
//
//go:linkname setGCPercent runtime/debug.setGCPercent
func setGCPercent(percent int32) int32

//go:linkname freeOSMemory runtime/debug.freeOSMemory
func freeOSMemory()

func init() { setGCPercent(-1) }

// collectAfter is the bytes that are allocated between two collections, at least.
const collectAfter = 8 << 20

var (
	// arrived are the blocks that the host allocated, until the call that they are for has their addresses as pointers.
	arrived []unsafe.Pointer
	// answer is what the host reads once a call is over. It stays until the next one.
	answer Area
	// live is what the last collection left.
	live  uint64
	stats runtime.MemStats
)

// realloc allocates memory that the host fills. The collector does not run here.
//
//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	if size == 0 {
		return unsafe.Add(nil, align)
	}
	// Words, so that the block is aligned for every value.
	block := unsafe.Pointer(unsafe.SliceData(make([]uint64, (int(size)+7)/8)))
	if old != nil {
		copy(unsafe.Slice((*byte)(block), size), unsafe.Slice((*byte)(old), min(oldSize, size)))
	}
	arrived = append(arrived, block)
	return block
}

// adapterMemory is for the adapter between Go's WASI and the host's. It asks for its memory before Go's runtime has begun, when nothing can
// be allocated yet: 64 KiB for its state and as much for its stack.
var (
	adapterMemory [(192 << 10) / 8]uint64
	adapterUsed   uintptr
)

// adapterRealloc hands out memory that is there from the start.
//
//go:wasmexport cabi_realloc_adapter
func adapterRealloc(_ unsafe.Pointer, _, align, size uint32) unsafe.Pointer {
	start := uintptr(unsafe.Pointer(&adapterMemory))
	from := (start+adapterUsed+uintptr(align)-1)&^(uintptr(align)-1) - start
	adapterUsed = from + uintptr(size)
	if adapterUsed > unsafe.Sizeof(adapterMemory) {
		// The adapter is another one than this was made for: a trap, here as in its own code.
		return unsafe.Pointer(&adapterMemory[len(adapterMemory):][0])
	}
	return unsafe.Add(unsafe.Pointer(&adapterMemory), from)
}

// taken forgets the blocks that arrived: what was made of them are pointers now.
func taken() {
	clear(arrived)
	arrived = arrived[:0]
}

// Collect collects garbage if there is enough of it. It is called where a clock may be read: at the end of an export, and between the
// batches of an epoch.
func Collect() {
	runtime.ReadMemStats(&stats)
	if stats.HeapAlloc < live+max(collectAfter, live) {
		return
	}
	freeOSMemory()
	// Memory that the heap does not use is as good as given back now, and none is left to give back: without this, the next growth of the
	// heap would begin to, which reads a clock, and it may be the host that lets it grow.
	setGCPercent(-1)
	runtime.ReadMemStats(&stats)
	live = stats.HeapAlloc
}

// Bytes is a list of bytes that the host wrote.
func Bytes(at unsafe.Pointer, length uint32) []byte {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(at), int(length))
}

// Text is a string that the host wrote.
func Text(at unsafe.Pointer, length uint32) string {
	return unsafe.String((*byte)(at), int(length))
}

// List is a list of plain values that the host wrote.
func List[T any](at unsafe.Pointer, length uint32) []T {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*T)(at), int(length))
}

// texts is a list of strings that the host wrote.
func texts(at unsafe.Pointer, length uint32) []string {
	var list []string
	for _, item := range List[[2]uint32](at, length) {
		list = append(list, Text(unsafe.Add(nil, item[0]), item[1]))
	}
	return list
}

// Area is a piece of memory that is filled with a value as the contract lays it out, and what it points to.
type Area struct {
	words []uint64
	held  []any
}

// NewArea is an area of so many bytes, all of them zero.
func NewArea(size int) *Area { return &Area{words: make([]uint64, (size+7)/8)} }

// Address is where it begins.
func (a *Area) Address() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(a.words)) }

func (a *Area) at(offset int) unsafe.Pointer { return unsafe.Add(a.Address(), offset) }

// U8 writes a byte.
func (a *Area) U8(offset int, value uint8) { *(*uint8)(a.at(offset)) = value }

// U32 writes four bytes.
func (a *Area) U32(offset int, value uint32) { *(*uint32)(a.at(offset)) = value }

// U64 writes eight bytes.
func (a *Area) U64(offset int, value uint64) { *(*uint64)(a.at(offset)) = value }

// Bytes writes where bytes are, and how many.
func (a *Area) Bytes(offset int, bytes []byte) {
	a.U32(offset, uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes)))))
	a.U32(offset+4, uint32(len(bytes)))
	a.held = append(a.held, bytes)
}

// Text writes where a string is, and how long.
func (a *Area) Text(offset int, text string) {
	a.U32(offset, uint32(uintptr(unsafe.Pointer(unsafe.StringData(text)))))
	a.U32(offset+4, uint32(len(text)))
	a.held = append(a.held, text)
}

// List writes where a list is: so many items of so many bytes each, which the function fills from an offset on.
func (a *Area) List(offset, count, size int, fill func(items *Area, item, offset int)) {
	items := NewArea(count * size)
	for i := range count {
		fill(items, i, i*size)
	}
	a.U32(offset, uint32(uintptr(items.Address())))
	a.U32(offset+4, uint32(count))
	a.held = append(a.held, items)
}

// Sides writes a list of names and bytes.
func (a *Area) Sides(offset int, sides []Side) {
	a.List(offset, len(sides), 16, func(items *Area, i, offset int) {
		items.Text(offset, sides[i].Name)
		items.Bytes(offset+8, sides[i].Bytes)
	})
}

// Errors writes a list of row errors.
func (a *Area) Errors(offset int, errors []RowError) {
	a.List(offset, len(errors), 16, func(items *Area, i, offset int) {
		items.U32(offset, errors[i].Row)
		if errors[i].Retry {
			items.U8(offset+4, 1)
		}
		items.Text(offset+8, errors[i].Message)
	})
}

// texts writes a list of strings.
func (a *Area) texts(offset int, texts []string) {
	a.List(offset, len(texts), 8, func(items *Area, i, offset int) { items.Text(offset, texts[i]) })
}
