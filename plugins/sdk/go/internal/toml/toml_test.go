package toml

import (
	"reflect"
	"testing"

	"streamhost/internal/json"
)

func TestWhatFixturesAreWrittenIn(t *testing.T) {
	table, err := Parse(`
# a comment
config = { threshold = 1_0, "a b" = 'x', list = [ { of = "y", at = -2.5 }, # more
] }
text = '''
{"id": 1}
'''
lines = """a
b\tc"""

[outputs]
last-year = "\u00e9"
[[epochs]]
watermark = "now"
[epochs.outputs]
late = 'z'
[[epochs]]
on = true
`)
	wanted := Table{
		"config": Table{
			"threshold": json.Number("10"), "a b": "x", "list": []any{Table{"of": "y", "at": json.Number("-2.5")}},
		},
		"text": "{\"id\": 1}\n", "lines": "a\nb\tc", "outputs": Table{"last-year": "é"},
		"epochs": []any{Table{"watermark": "now", "outputs": Table{"late": "z"}}, Table{"on": true}},
	}
	if err != nil || !reflect.DeepEqual(table, wanted) {
		t.Errorf("%v\n%v\n%v", table, wanted, err)
	}
}

func TestMistakesHaveTheirLine(t *testing.T) {
	for text, wanted := range map[string]string{
		"a = 1\na = 2":   "line 2: expected `a` once",
		"a = \"x\nb = 1": "line 1: expected a closing \"",
		"\n[a":           "line 2: expected `]`",
		"a = what":       "line 1: expected a value",
		"a = 1 b = 2":    "line 1: expected the end of the line",
	} {
		if _, err := Parse(text); err == nil || err.Error() != wanted {
			t.Errorf("%q gives %v, and should give %s", text, err, wanted)
		}
	}
}
