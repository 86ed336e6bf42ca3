// A function for SQL: how many words a text has.
package main

import (
	"strings"
	"unicode/utf8"

	"streamhost"
	"streamhost/sqlfunctions"
)

// Config is what the pipeline may set.
type Config struct {
	Letters int `default:"1" doc:"The fewest letters of a word that counts."`
}

// Arguments are those of the function. Of NULL the result is NULL; with a Null[string] it could be another.
type Arguments struct {
	Text string
}

func init() {
	sqlfunctions.Rows("words", words, streamhost.Summary("A function for SQL: how many words a text has."))
}

func main() {}

// words counts the words of a text that are long enough.
func words(call *streamhost.Call[Config], arguments Arguments) (int32, error) {
	count := int32(0)
	for _, word := range strings.Fields(arguments.Text) {
		if utf8.RuneCountInString(word) >= call.Config.Letters {
			count++
		}
	}
	return count, nil
}
