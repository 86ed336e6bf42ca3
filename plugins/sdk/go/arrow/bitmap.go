package arrow

import "math/bits"

// Bitmap is a bit for each row: bit i is bit i%8 of byte i/8. Bits behind the last row are clear.
type Bitmap struct {
	bytes  []byte
	length int
}

// NewBitmap is so many bits, none of them set.
func NewBitmap(length int) *Bitmap {
	return &Bitmap{bytes: make([]byte, (length+7)/8), length: length}
}

// AllSet is so many bits, all of them set.
func AllSet(length int) *Bitmap {
	b := NewBitmap(length)
	for i := range b.bytes {
		b.bytes[i] = 0xff
	}
	b.trim()
	return b
}

// Where sets the bit of each value for which the function says so. The function is called for each; for a comparison with a number
// [Compare] is thirty times as quick.
func Where[T any](values []T, keep func(T) bool) *Bitmap {
	b := NewBitmap(len(values))
	to := b.bytes
	for ; len(values) >= 8; values, to = values[8:], to[1:] {
		v := (*[8]T)(values)
		to[0] = bit(keep(v[0])) | bit(keep(v[1]))<<1 | bit(keep(v[2]))<<2 | bit(keep(v[3]))<<3 |
			bit(keep(v[4]))<<4 | bit(keep(v[5]))<<5 | bit(keep(v[6]))<<6 | bit(keep(v[7]))<<7
	}
	for i, v := range values {
		to[0] |= bit(keep(v)) << i
	}
	return b
}

// Len is the number of bits.
func (b *Bitmap) Len() int { return b.length }

// Bytes are the bits, eight a byte. They are the bitmap's own.
func (b *Bitmap) Bytes() []byte { return b.bytes }

// Get says whether a bit is set.
func (b *Bitmap) Get(i int) bool { return b.bytes[i>>3]>>(i&7)&1 != 0 }

// Set sets a bit.
func (b *Bitmap) Set(i int) { b.bytes[i>>3] |= 1 << (i & 7) }

// Clear clears a bit.
func (b *Bitmap) Clear(i int) { b.bytes[i>>3] &^= 1 << (i & 7) }

// Count is how many bits are set.
func (b *Bitmap) Count() int { return countBits(b.bytes) }

// And clears the bits that are clear in the other one, which has to be as long.
func (b *Bitmap) And(o *Bitmap) *Bitmap {
	to, with := b.bytes, o.bytes[:len(b.bytes)]
	for ; len(to) >= 8 && len(with) >= 8; to, with = to[8:], with[8:] {
		set64(to, le64(to)&le64(with))
	}
	for i := range to {
		to[i] &= with[i]
	}
	return b
}

// Or sets the bits that are set in the other one, which has to be as long.
func (b *Bitmap) Or(o *Bitmap) *Bitmap {
	to, with := b.bytes, o.bytes[:len(b.bytes)]
	for ; len(to) >= 8 && len(with) >= 8; to, with = to[8:], with[8:] {
		set64(to, le64(to)|le64(with))
	}
	for i := range to {
		to[i] |= with[i]
	}
	return b
}

// Not turns every bit round.
func (b *Bitmap) Not() *Bitmap {
	to := b.bytes
	for ; len(to) >= 8; to = to[8:] {
		set64(to, ^le64(to))
	}
	for i := range to {
		to[i] = ^to[i]
	}
	b.trim()
	return b
}

// Clone is a copy.
func (b *Bitmap) Clone() *Bitmap {
	return &Bitmap{bytes: append([]byte(nil), b.bytes...), length: b.length}
}

// Rows are the numbers of the bits that are set, in their order.
func (b *Bitmap) Rows() []int32 {
	rows := make([]int32, 0, b.Count())
	for i, bits8 := range b.bytes {
		for ; bits8 != 0; bits8 &= bits8 - 1 {
			rows = append(rows, int32(i*8+bits.TrailingZeros8(bits8)))
		}
	}
	return rows
}

func (b *Bitmap) trim() {
	if b.length%8 != 0 {
		b.bytes[len(b.bytes)-1] &= 1<<(b.length%8) - 1
	}
}

func countBits(bytes []byte) int {
	count, i := 0, 0
	for ; i+8 <= len(bytes); i += 8 {
		count += bits.OnesCount64(le64(bytes[i:]))
	}
	for ; i < len(bytes); i++ {
		count += bits.OnesCount8(bytes[i])
	}
	return count
}

// Ordered is what can be compared.
type Ordered interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Op is a comparison.
type Op uint8

// The comparisons.
const (
	Greater Op = iota
	GreaterOrEqual
	Less
	LessOrEqual
	Equal
	Unequal
)

// Compare sets the bit of each value that compares so with the other one: Compare(values, Greater, 10). One loop for each comparison,
// without a call for each value. A NaN is unequal to everything.
func Compare[T Ordered](values []T, op Op, with T) *Bitmap {
	b := NewBitmap(len(values))
	switch op {
	case Greater:
		greater(b.bytes, values, with)
	case GreaterOrEqual:
		greaterOrEqual(b.bytes, values, with)
	case Less:
		less(b.bytes, values, with)
	case LessOrEqual:
		lessOrEqual(b.bytes, values, with)
	case Equal:
		equal(b.bytes, values, with)
	default:
		equal(b.bytes, values, with)
		b.Not()
	}
	return b
}

func bit(is bool) byte {
	if is {
		return 1
	}
	return 0
}

func greater[T Ordered](to []byte, values []T, with T) {
	for ; len(values) >= 8; values, to = values[8:], to[1:] {
		v := values[:8]
		to[0] = bit(v[0] > with) | bit(v[1] > with)<<1 | bit(v[2] > with)<<2 | bit(v[3] > with)<<3 |
			bit(v[4] > with)<<4 | bit(v[5] > with)<<5 | bit(v[6] > with)<<6 | bit(v[7] > with)<<7
	}
	for i, v := range values {
		to[0] |= bit(v > with) << i
	}
}

func greaterOrEqual[T Ordered](to []byte, values []T, with T) {
	for ; len(values) >= 8; values, to = values[8:], to[1:] {
		v := values[:8]
		to[0] = bit(v[0] >= with) | bit(v[1] >= with)<<1 | bit(v[2] >= with)<<2 | bit(v[3] >= with)<<3 |
			bit(v[4] >= with)<<4 | bit(v[5] >= with)<<5 | bit(v[6] >= with)<<6 | bit(v[7] >= with)<<7
	}
	for i, v := range values {
		to[0] |= bit(v >= with) << i
	}
}

func less[T Ordered](to []byte, values []T, with T) {
	for ; len(values) >= 8; values, to = values[8:], to[1:] {
		v := values[:8]
		to[0] = bit(v[0] < with) | bit(v[1] < with)<<1 | bit(v[2] < with)<<2 | bit(v[3] < with)<<3 |
			bit(v[4] < with)<<4 | bit(v[5] < with)<<5 | bit(v[6] < with)<<6 | bit(v[7] < with)<<7
	}
	for i, v := range values {
		to[0] |= bit(v < with) << i
	}
}

func lessOrEqual[T Ordered](to []byte, values []T, with T) {
	for ; len(values) >= 8; values, to = values[8:], to[1:] {
		v := values[:8]
		to[0] = bit(v[0] <= with) | bit(v[1] <= with)<<1 | bit(v[2] <= with)<<2 | bit(v[3] <= with)<<3 |
			bit(v[4] <= with)<<4 | bit(v[5] <= with)<<5 | bit(v[6] <= with)<<6 | bit(v[7] <= with)<<7
	}
	for i, v := range values {
		to[0] |= bit(v <= with) << i
	}
}

func equal[T Ordered](to []byte, values []T, with T) {
	for ; len(values) >= 8; values, to = values[8:], to[1:] {
		v := values[:8]
		to[0] = bit(v[0] == with) | bit(v[1] == with)<<1 | bit(v[2] == with)<<2 | bit(v[3] == with)<<3 |
			bit(v[4] == with)<<4 | bit(v[5] == with)<<5 | bit(v[6] == with)<<6 | bit(v[7] == with)<<7
	}
	for i, v := range values {
		to[0] |= bit(v == with) << i
	}
}
