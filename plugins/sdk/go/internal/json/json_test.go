package json

import (
	"encoding/json"
	"testing"
)

func FuzzAgreesWithTheStandardLibrary(f *testing.F) {
	for _, text := range []string{
		`{"a": [1, -2.5e3, "x\n\"\u00e9\ud83d\ude00", true, false, null], "b": {}}`, `[]`, `01`, `1.`, `-`, `"\ud800"`, `{"a" 1}`, `[1,]`, `nul`,
		`"a` + "\n" + `"`, ` 1 2`, `{"a":1,}`, `1e5`, `"\x"`, `[[[[`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, err := Parse(text)
		if valid := json.Valid([]byte(text)); valid != (err == nil) && len(text) < 64 {
			t.Errorf("%q is read as %v, %v; the standard library says %v", text, value, err, valid)
		}
	})
}

func TestQuotedTextIsReadAgain(t *testing.T) {
	for _, text := range []string{"", "a\"b\\c\nd\te\x01f", "é😀"} {
		if value, err := Parse(Quote(text)); err != nil || value != text {
			t.Errorf("%q comes back as %v, %v", text, value, err)
		}
	}
}
