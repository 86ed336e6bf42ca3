package arrow

import "math/bits"

// Decimal is a Decimal128 without its scale, which is the column's: 12.50 of a DECIMAL(10, 2) is 1250.
type Decimal struct {
	Low  uint64
	High int64
}

// Decimal256Value is a Decimal256 without its scale: four words, the lowest first.
type Decimal256Value [4]uint64

// DecimalOf is a whole number.
func DecimalOf(n int64) Decimal { return Decimal{Low: uint64(n), High: n >> 63} }

// Int64 is the number; false if it is too large.
func (d Decimal) Int64() (int64, bool) { return int64(d.Low), d.High == int64(d.Low)>>63 }

// Add is the sum, which wraps around beyond 128 bits.
func (d Decimal) Add(o Decimal) Decimal {
	low, carry := bits.Add64(d.Low, o.Low, 0)
	return Decimal{Low: low, High: d.High + o.High + int64(carry)}
}

// Neg is the number with the other sign.
func (d Decimal) Neg() Decimal {
	low, carry := bits.Add64(^d.Low, 1, 0)
	return Decimal{Low: low, High: ^d.High + int64(carry)}
}

// Sub is the difference.
func (d Decimal) Sub(o Decimal) Decimal { return d.Add(o.Neg()) }

// Mul is the product, which wraps around beyond 128 bits. Its scale is the sum of the scales.
func (d Decimal) Mul(o Decimal) Decimal {
	high, low := bits.Mul64(d.Low, o.Low)
	return Decimal{Low: low, High: int64(high) + d.High*int64(o.Low) + int64(d.Low)*o.High}
}

// QuoRem is the quotient towards zero and the rest, which has the number's sign. The divisor is not 0.
func (d Decimal) QuoRem(by uint64) (Decimal, int64) {
	negative := d.High < 0
	if negative {
		d = d.Neg()
	}
	high, rest := bits.Div64(0, uint64(d.High), by)
	low, rest := bits.Div64(rest, d.Low, by)
	quotient, remainder := Decimal{Low: low, High: int64(high)}, int64(rest)
	if negative {
		return quotient.Neg(), -remainder
	}
	return quotient, remainder
}

// Cmp is -1, 0 or 1: whether the number is less than, equal to or greater than the other one.
func (d Decimal) Cmp(o Decimal) int {
	switch {
	case d == o:
		return 0
	case d.High < o.High || d.High == o.High && d.Low < o.Low:
		return -1
	}
	return 1
}

// Text is the number with its point: 12.50.
func (d Decimal) Text(scale int32) string {
	negative := d.High < 0
	var text []byte
	for n, place := d, int32(0); place <= scale || n != (Decimal{}); place++ {
		if place == scale && scale > 0 {
			text = append(text, '.')
		}
		var digit int64
		n, digit = n.QuoRem(10)
		if digit < 0 {
			digit = -digit
		}
		text = append(text, '0'+byte(digit))
	}
	if negative {
		text = append(text, '-')
	}
	for i, j := 0, len(text)-1; i < j; i, j = i+1, j-1 {
		text[i], text[j] = text[j], text[i]
	}
	for ; scale < 0 && d != (Decimal{}); scale++ {
		text = append(text, '0')
	}
	return string(text)
}

// ParseDecimal reads a number with at most so many digits behind the point; false if it is none, or too large.
func ParseDecimal(text string, scale int32) (Decimal, bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	var n Decimal
	places, seen, point := int32(0), 0, false
	for _, c := range []byte(text) {
		switch {
		case c == '.' && !point:
			point = true
			continue
		case c < '0' || c > '9' || point && places == scale:
			return Decimal{}, false
		}
		if n = shifted(n, c-'0'); n.High < 0 {
			return Decimal{}, false
		}
		seen++
		if point {
			places++
		}
	}
	for ; places < scale && n.High >= 0; places++ {
		n = shifted(n, 0)
	}
	if negative {
		return n.Neg(), seen > 0 && n.High >= 0
	}
	return n, seen > 0 && n.High >= 0
}

// shifted is ten times the number and a digit; negative if that is too large.
func shifted(n Decimal, digit byte) Decimal {
	if n.High > 1<<63/10 {
		return Decimal{High: -1}
	}
	return n.Mul(DecimalOf(10)).Add(DecimalOf(int64(digit)))
}
