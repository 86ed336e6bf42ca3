package arrow

// Go's compiler makes slow loops for WebAssembly: each turn goes through a table of the function's entries, 8 ns and more. So what runs
// for each value of a column does eight of them in a turn, and is here for plugins to use. A loop of one's own is as quick if it does
// the same.

// Number is what can be reckoned with.
type Number = Ordered

// Convert makes values of another type of them, as Go's conversion does.
func Convert[To, From Number](values []From) []To {
	to := make([]To, len(values))
	rest := to
	for len(values) >= 8 && len(rest) >= 8 {
		v, r := (*[8]From)(values), (*[8]To)(rest)
		r[0], r[1], r[2], r[3] = To(v[0]), To(v[1]), To(v[2]), To(v[3])
		r[4], r[5], r[6], r[7] = To(v[4]), To(v[5]), To(v[6]), To(v[7])
		values, rest = values[8:], rest[8:]
	}
	for i, v := range values {
		rest[i] = To(v)
	}
	return to
}

// AddTo adds a number to each value.
func AddTo[T Number](values []T, number T) []T {
	to := make([]T, len(values))
	rest := to
	for len(values) >= 8 && len(rest) >= 8 {
		v, r := (*[8]T)(values), (*[8]T)(rest)
		r[0], r[1], r[2], r[3] = v[0]+number, v[1]+number, v[2]+number, v[3]+number
		r[4], r[5], r[6], r[7] = v[4]+number, v[5]+number, v[6]+number, v[7]+number
		values, rest = values[8:], rest[8:]
	}
	for i, v := range values {
		rest[i] = v + number
	}
	return to
}

// MulBy multiplies each value by a number.
func MulBy[T Number](values []T, number T) []T {
	to := make([]T, len(values))
	rest := to
	for len(values) >= 8 && len(rest) >= 8 {
		v, r := (*[8]T)(values), (*[8]T)(rest)
		r[0], r[1], r[2], r[3] = v[0]*number, v[1]*number, v[2]*number, v[3]*number
		r[4], r[5], r[6], r[7] = v[4]*number, v[5]*number, v[6]*number, v[7]*number
		values, rest = values[8:], rest[8:]
	}
	for i, v := range values {
		rest[i] = v * number
	}
	return to
}

// DivBy divides each value by a number, which for whole numbers is not 0.
func DivBy[T Number](values []T, number T) []T {
	to := make([]T, len(values))
	rest := to
	for len(values) >= 8 && len(rest) >= 8 {
		v, r := (*[8]T)(values), (*[8]T)(rest)
		r[0], r[1], r[2], r[3] = v[0]/number, v[1]/number, v[2]/number, v[3]/number
		r[4], r[5], r[6], r[7] = v[4]/number, v[5]/number, v[6]/number, v[7]/number
		values, rest = values[8:], rest[8:]
	}
	for i, v := range values {
		rest[i] = v / number
	}
	return to
}

// Add adds the values of two columns, which are as long.
func Add[T Number](a, b []T) []T {
	to := make([]T, len(a))
	rest := to
	for len(a) >= 8 && len(b) >= 8 && len(rest) >= 8 {
		v, w, r := (*[8]T)(a), (*[8]T)(b), (*[8]T)(rest)
		r[0], r[1], r[2], r[3] = v[0]+w[0], v[1]+w[1], v[2]+w[2], v[3]+w[3]
		r[4], r[5], r[6], r[7] = v[4]+w[4], v[5]+w[5], v[6]+w[6], v[7]+w[7]
		a, b, rest = a[8:], b[8:], rest[8:]
	}
	for i, v := range a {
		rest[i] = v + b[i]
	}
	return to
}

// Sub subtracts the values of the second column from those of the first one, which are as long.
func Sub[T Number](a, b []T) []T {
	to := make([]T, len(a))
	rest := to
	for len(a) >= 8 && len(b) >= 8 && len(rest) >= 8 {
		v, w, r := (*[8]T)(a), (*[8]T)(b), (*[8]T)(rest)
		r[0], r[1], r[2], r[3] = v[0]-w[0], v[1]-w[1], v[2]-w[2], v[3]-w[3]
		r[4], r[5], r[6], r[7] = v[4]-w[4], v[5]-w[5], v[6]-w[6], v[7]-w[7]
		a, b, rest = a[8:], b[8:], rest[8:]
	}
	for i, v := range a {
		rest[i] = v - b[i]
	}
	return to
}

// Mul multiplies the values of two columns, which are as long.
func Mul[T Number](a, b []T) []T {
	to := make([]T, len(a))
	rest := to
	for len(a) >= 8 && len(b) >= 8 && len(rest) >= 8 {
		v, w, r := (*[8]T)(a), (*[8]T)(b), (*[8]T)(rest)
		r[0], r[1], r[2], r[3] = v[0]*w[0], v[1]*w[1], v[2]*w[2], v[3]*w[3]
		r[4], r[5], r[6], r[7] = v[4]*w[4], v[5]*w[5], v[6]*w[6], v[7]*w[7]
		a, b, rest = a[8:], b[8:], rest[8:]
	}
	for i, v := range a {
		rest[i] = v * b[i]
	}
	return to
}

// Select is the values of a slice whose bit is set.
func Select[T any](values []T, keep *Bitmap) []T {
	count := keep.Count()
	// With room for eight more, which are written before it is known that they do not stay.
	kept := make([]T, count+8)
	at := 0
	for _, bits8 := range keep.bytes {
		if len(values) < 8 {
			break
		}
		v, to := (*[8]T)(values), (*[8]T)(kept[at:])
		if bits8 == 0xff {
			*to = *v
			at += 8
		} else if bits8 != 0 {
			b := uint(bits8)
			i := uint(0)
			to[i&7] = v[0]
			i += b & 1
			to[i&7] = v[1]
			i += b >> 1 & 1
			to[i&7] = v[2]
			i += b >> 2 & 1
			to[i&7] = v[3]
			i += b >> 3 & 1
			to[i&7] = v[4]
			i += b >> 4 & 1
			to[i&7] = v[5]
			i += b >> 5 & 1
			to[i&7] = v[6]
			i += b >> 6 & 1
			to[i&7] = v[7]
			i += b >> 7
			at += int(i)
		}
		values = values[8:]
	}
	for i, v := range values {
		if keep.bytes[len(keep.bytes)-1]>>i&1 != 0 {
			kept[at] = v
			at++
		}
	}
	return kept[:count:count]
}
