package config

import (
	"encoding/json"
	"strings"
	"testing"
)

type limits struct {
	AtMost uint32            `doc:"The most that is let through."`
	Unit   string            `default:"m" oneof:"m km mi"`
	Share  Null[float64]     `config:"part"`
	Within Interval          `default:"10 minutes"`
	Exact  Number            `default:"1.50"`
	Names  []string          `config:",optional"`
	Inner  *struct{ A bool } `doc:"More."`
}

func TestMessagesNameWhatIsWrong(t *testing.T) {
	for text, wanted := range map[string]string{
		``:                                    "config: missing field `at-most`",
		`{"at-mots": 1}`:                      "config: unknown field `at-mots`, expected one of `at-most`, `unit`, `part`, `within`, `exact`, `names`, `inner`",
		`{"at-most": 1, "unit": "yd"}`:        "config: unknown variant `yd`, expected one of `m`, `km`, `mi`",
		`{"at-most": -1}`:                     "config: invalid type: number `-1`, expected a whole number that fits uint32",
		`{"at-most": "1"}`:                    "config: invalid type: string \"1\", expected a whole number that fits uint32",
		`{"at-most": 1, "within": "a while"}`: "config: `a while` is no length of time; write for example \"90s\" or \"10 minutes\"",
		`{"at-most": 1, "at-most": 2}`:        "config: duplicate field `at-most`",
		`{"at-most": 1`:                       "config: JSON, position 14: expected `,` or `}`",
	} {
		if _, err := Read[limits](text); err == nil || err.Error() != wanted {
			t.Errorf("%s\n  gives %v\n  and should give %s", text, err, wanted)
		}
	}
	type two struct{ A, B bool }
	if _, err := Read[two](`{"c": true}`); err == nil || err.Error() != "config: unknown field `c`, expected `a` or `b`" {
		t.Error(err)
	}
	if _, err := Read[struct{}](`{"c": true}`); err == nil || err.Error() != "config: unknown field `c`, there are no fields" {
		t.Error(err)
	}
}

func TestValuesAndDefaults(t *testing.T) {
	config, err := Read[limits](`{"at-most": 3, "part": 0.5, "names": ["a", "\u00e9"], "inner": {"a": true}}`)
	if err != nil {
		t.Fatal(err)
	}
	if config.AtMost != 3 || config.Unit != "m" || config.Share.Or(0) != 0.5 || config.Within.Micros() != 600_000_000 ||
		config.Exact.Float64() != 1.5 || len(config.Names) != 2 || config.Names[1] != "é" || !config.Inner.A {
		t.Errorf("%+v", config)
	}
	if config, err = Read[limits](`{"at-most": 3, "part": null}`); err != nil || config.Share.Valid || config.Inner != nil {
		t.Errorf("%+v, %v", config, err)
	}
}

func TestTheSchemaIsOne(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal([]byte(Schema[limits]()), &schema); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(Schema[limits](), `"at-most":{"description":"The most that is let through."`) {
		t.Error(Schema[limits]())
	}
	if required := schema["required"].([]any); len(required) != 1 || required[0] != "at-most" {
		t.Error(required)
	}
}

func TestLengthsOfTime(t *testing.T) {
	for text, micros := range map[string]Interval{
		"200ms": 200_000, "10 minutes": 600_000_000, "1h30m": 5_400_000_000, " 1 day, 1s ": 86_401_000_000, "5µs": 5,
	} {
		if given, err := ParseInterval(text); err != nil || given != micros {
			t.Errorf("%q is %d, %v", text, given, err)
		}
	}
	for _, text := range []string{"", "10", "minutes", "-1s", "1.5h", "3 moons", "999999999999999 days"} {
		if _, err := ParseInterval(text); err == nil {
			t.Error(text)
		}
	}
}

func TestNamesAreSplitWhereWordsBegin(t *testing.T) {
	for name, wanted := range map[string]string{"UserID": "user-id", "Lat1": "lat1", "URL": "url", "HTTPServer": "http-server", "A": "a"} {
		if given := Kebab(name, '-'); given != wanted {
			t.Errorf("%s is %s", name, given)
		}
	}
}
