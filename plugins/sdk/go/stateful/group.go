package stateful

import (
	"streamhost"
	"streamhost/row"
)

// Group is the rows of one key, in the order in which they came. A row that cannot be read is a row error, and is left out.
type Group[R any] struct {
	rows   *row.Rows[R]
	at, to int
	more   bool
	errors *streamhost.RowErrors
}

// Len is how many rows have not been read yet.
func (g *Group[R]) Len() int { return g.to - g.at }

// More says whether the function is called once more in this epoch, for more rows of this key: where there are more than a batch has. It
// finds there what it leaves in its state now.
func (g *Group[R]) More() bool { return g.more }

// Next is the next row; false if all have been read.
func (g *Group[R]) Next() (row R, ok bool) {
	for g.at < g.to {
		g.at++
		row, err := g.rows.Read(g.at - 1)
		if err == nil {
			return row, true
		}
		g.errors.Add(g.at-1, err)
	}
	return row, false
}

// All are the rows, for a loop: `for event := range events.All()`.
func (g *Group[R]) All() func(yield func(R) bool) {
	return func(yield func(R) bool) {
		for row, ok := g.Next(); ok; row, ok = g.Next() {
			if !yield(row) {
				return
			}
		}
	}
}

// Each calls a function for each row. Where it fails, that row is in error, and the others go on.
func (g *Group[R]) Each(of func(row R) error) {
	for row, ok := g.Next(); ok; row, ok = g.Next() {
		if err := of(row); err != nil {
			g.errors.Add(g.at-1, err)
		}
	}
}
