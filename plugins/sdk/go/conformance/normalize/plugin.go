// Adds a column that is another one divided by a number.
package main

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/stateless"
)

// Config is what is divided by what.
type Config struct {
	Column  string                   `default:"value" doc:"The column of numbers."`
	As      streamhost.Null[string]  `doc:"The new column's name; normalized_ and the column's by default."`
	Divisor float64                  `default:"100" doc:"What each value is divided by."`
	Above   streamhost.Null[float64] `doc:"Keeps only rows whose value is greater."`
}

func init() {
	stateless.FilterMap(normalize,
		streamhost.Summary("Adds a column that is another one divided by a number."),
		streamhost.ReadsOf(func(config *Config) []string { return []string{config.Column} }))
}

func main() {}

// normalize adds the quotient; null stays null.
func normalize(call *streamhost.Call[Config], batch *arrow.Batch) (*arrow.Bitmap, *arrow.Batch, error) {
	config, column := call.Config, batch.Column(0)
	if config.Divisor == 0 {
		return nil, nil, streamhost.Invalid("config: `divisor` is 0")
	}
	values := numbers(column)
	if values == nil {
		return nil, nil, streamhost.Invalid("column `" + config.Column + "` has type " + column.Type().String() +
			", which is no number to divide")
	}
	name, valid := config.As.Or("normalized_"+config.Column), column.Valid()
	if !config.Above.Valid {
		return nil, arrow.NewBatch(arrow.Named{Name: name, Column: arrow.OfNullable(arrow.DivBy(values, config.Divisor), valid)}), nil
	}
	above := arrow.Compare(values, arrow.Greater, config.Above.Value)
	if valid != nil {
		above.And(valid)
	}
	kept := arrow.DivBy(arrow.Select(values, above), config.Divisor)
	return above, arrow.NewBatch(arrow.Named{Name: name, Column: arrow.Of(kept)}), nil
}

// numbers are the values of a column of numbers; nil if it is none.
func numbers(c *arrow.Column) []float64 {
	switch c.Type().Kind {
	case arrow.Float64:
		values, _ := arrow.Values[float64](c)
		return notNil(values)
	case arrow.Float32:
		return floats[float32](c)
	case arrow.Int8:
		return floats[int8](c)
	case arrow.Int16:
		return floats[int16](c)
	case arrow.Int32:
		return floats[int32](c)
	case arrow.Int64:
		return floats[int64](c)
	}
	return nil
}

func floats[T int8 | int16 | int32 | int64 | float32](c *arrow.Column) []float64 {
	values, _ := arrow.Values[T](c)
	return arrow.Convert[float64](values)
}

func notNil(values []float64) []float64 {
	if values == nil {
		return []float64{}
	}
	return values
}
