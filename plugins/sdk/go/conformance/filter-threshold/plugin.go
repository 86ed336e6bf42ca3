// Keeps the rows whose number in one column passes a comparison.
package main

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/stateless"
)

// Config is what is compared with what.
type Config struct {
	Column    string            `default:"value" doc:"The column of numbers."`
	Op        string            `default:">" oneof:"> >= < <= == !=" doc:"How the value compares with the threshold in the rows that are kept."`
	Threshold streamhost.Number `default:"10" doc:"The number that values are compared with."`
}

func init() {
	stateless.Filter(keep,
		streamhost.Summary("Keeps the rows whose number in one column passes a comparison."),
		streamhost.ReadsOf(func(config *Config) []string { return []string{config.Column} }))
}

func main() {}

// keep keeps the rows whose value passes; null passes none.
func keep(call *streamhost.Call[Config], batch *arrow.Batch) (*arrow.Bitmap, error) {
	column := batch.Column(0)
	bits := passing(column, call.Config)
	if bits == nil {
		return nil, streamhost.Invalid("column `" + call.Config.Column + "` has type " + column.Type().String() +
			", which is no number to compare")
	}
	if valid := column.Valid(); valid != nil {
		bits.And(valid)
	}
	return bits, nil
}

// passing is nil if the column is no number.
func passing(c *arrow.Column, config *Config) *arrow.Bitmap {
	switch c.Type().Kind {
	case arrow.Float64:
		return fractions[float64](c, config)
	case arrow.Float32:
		return fractions[float32](c, config)
	case arrow.Int8:
		return whole[int8](c, config)
	case arrow.Int16:
		return whole[int16](c, config)
	case arrow.Int32:
		return whole[int32](c, config)
	case arrow.Int64:
		return whole[int64](c, config)
	case arrow.Uint8:
		return whole[uint8](c, config)
	case arrow.Uint16:
		return whole[uint16](c, config)
	case arrow.Uint32:
		return whole[uint32](c, config)
	}
	return nil
}

// number is a value of a column.
type number interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | float32 | float64
}

func fractions[T number](c *arrow.Column, config *Config) *arrow.Bitmap {
	values, _ := arrow.Values[T](c)
	return compare(arrow.Convert[float64](values), config.Op, config.Threshold.Float64())
}

// whole compares with whole numbers exactly.
func whole[T number](c *arrow.Column, config *Config) *arrow.Bitmap {
	threshold, exact := config.Threshold.Int64()
	if !exact {
		return fractions[T](c, config)
	}
	values, _ := arrow.Values[T](c)
	return compare(arrow.Convert[int64](values), config.Op, threshold)
}

// compare compares as Spark does: NaN is larger than every number. In Go it is neither larger nor smaller, so that a value is greater where
// it is not less or equal.
func compare[T int64 | float64](values []T, op string, with T) *arrow.Bitmap {
	switch op {
	case ">":
		return arrow.Compare(values, arrow.LessOrEqual, with).Not()
	case ">=":
		return arrow.Compare(values, arrow.Less, with).Not()
	case "<":
		return arrow.Compare(values, arrow.Less, with)
	case "<=":
		return arrow.Compare(values, arrow.LessOrEqual, with)
	case "==":
		return arrow.Compare(values, arrow.Equal, with)
	}
	return arrow.Compare(values, arrow.Unequal, with)
}
