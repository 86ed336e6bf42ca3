// Package config reads a pipeline's configuration into a struct, and describes the struct by a JSON Schema.
package config

import (
	"errors"
	"strconv"
	"strings"
)

// Null is a value that may be null.
type Null[T any] struct {
	Value T
	Valid bool
}

// Or is the value, or another one if it is null.
func (n Null[T]) Or(otherwise T) T {
	if n.Valid {
		return n.Value
	}
	return otherwise
}

// Micros is a length of time in microseconds.
func (i Interval) Micros() int64 { return int64(i) }

// Interval is a length of time in microseconds.
type Interval int64

// Number is a number as it was written.
type Number string

// Int64 is the number if it is written as a whole one, and if it has a place in an int64.
func (n Number) Int64() (int64, bool) {
	whole, err := strconv.ParseInt(string(n), 10, 64)
	return whole, err == nil
}

// Float64 is the nearest number with a fraction.
func (n Number) Float64() float64 {
	fraction, _ := strconv.ParseFloat(string(n), 64)
	return fraction
}

var units = [...]struct {
	names  string
	micros int64
}{
	{" us µs microsecond microseconds ", 1},
	{" ms millisecond milliseconds ", 1_000},
	{" s sec secs second seconds ", 1_000_000},
	{" m min mins minute minutes ", 60_000_000},
	{" h hr hrs hour hours ", 3_600_000_000},
	{" d day days ", 86_400_000_000},
}

// ParseInterval reads a length of time: "200ms", "10 minutes", "1h30m", "1 day, 1s".
func ParseInterval(text string) (Interval, error) {
	wrong := errors.New("`" + text + "` is no length of time; write for example \"90s\" or \"10 minutes\"")
	rest, total, any := strings.TrimSpace(text), int64(0), false
	for rest != "" {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		after := strings.TrimLeft(rest[len(digits):], " ")
		unit := after[:len(after)-len(strings.TrimLeft(after, "abcdefghijklmnopqrstuvwxyzµ"))]
		count, err := strconv.ParseInt(digits, 10, 64)
		micros := unitMicros(unit)
		if err != nil || micros == 0 || count > (1<<63-1-total)/micros {
			return 0, wrong
		}
		total, any = total+count*micros, true
		rest = strings.TrimLeft(after[len(unit):], " ,")
	}
	if !any {
		return 0, wrong
	}
	return Interval(total), nil
}

func unitMicros(unit string) int64 {
	for _, known := range units {
		if unit != "" && strings.Contains(known.names, " "+unit+" ") {
			return known.micros
		}
	}
	return 0
}
