// Splits a text into a row for each of its words.
package main

import (
	"strings"

	"streamhost"
	"streamhost/stateless"
)

// Line has the columns that the plugin reads.
type Line struct {
	Text streamhost.Null[string]
}

// Word has the columns of the rows that leave.
type Word struct {
	Word string
}

func init() {
	stateless.TransformRows(words, streamhost.Summary("Splits a text into a row for each of its words."))
}

func main() {}

// words emits the rows that a row becomes.
func words(line Line, emit func(Word)) error {
	for _, word := range strings.Fields(line.Text.Value) {
		emit(Word{Word: word})
	}
	return nil
}
