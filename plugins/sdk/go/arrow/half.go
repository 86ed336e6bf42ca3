package arrow

import "math"

// Float32 is the same number.
func (h Half) Float32() float32 {
	sign, exponent, mantissa := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&0x3ff)
	switch {
	case exponent == 31:
		return math.Float32frombits(sign | 0x7f800000 | mantissa<<13)
	case exponent != 0:
		return math.Float32frombits(sign | (exponent+112)<<23 | mantissa<<13)
	}
	value := float32(mantissa) / (1 << 24)
	if sign != 0 {
		return -value
	}
	return value
}

// HalfOf is the nearest Float16; ties go to the even one.
func HalfOf(value float32) Half {
	bits := math.Float32bits(value)
	sign, magnitude := Half(bits>>16&0x8000), bits&0x7fffffff
	switch {
	case magnitude > 0x7f800000:
		return sign | 0x7e00 | Half(magnitude>>13&0x3ff)
	case magnitude >= 0x477ff000:
		return sign | 0x7c00
	case magnitude < 0x38800000:
		// Subnormal: the sum's last bits are the number, rounded.
		return sign | Half(math.Float32bits(math.Float32frombits(magnitude)+0.5)-0x3f000000)
	}
	return sign | Half((magnitude+0xfff+magnitude>>13&1-0x38000000)>>13)
}
