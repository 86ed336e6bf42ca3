package sqlfunctions_test

import (
	"strings"
	"testing"

	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/host"
	"streamhost/sqlfunctions"
	"streamhost/streamhosttest"
)

type config struct {
	Letters int `default:"1"`
}

type text struct {
	Text  string
	Other streamhost.Null[int64]
}

func functions(t *testing.T, given string) *streamhosttest.Functions {
	t.Helper()
	host.Reset()
	sqlfunctions.Rows("words", func(call *streamhost.Call[config], a text) (int32, error) {
		words := int32(0)
		for _, word := range strings.Fields(a.Text) {
			if word == "bad" {
				return 0, streamhost.Transient("there is a bad word")
			}
			if len(word) >= call.Config.Letters {
				words++
			}
		}
		return words + int32(a.Other.Value), nil
	}, streamhost.Summary("Words."))
	sqlfunctions.Rows("first", func(_ *streamhost.Call[config], a struct{ Text *string }) (streamhost.Null[string], error) {
		if a.Text == nil {
			return streamhost.Some("none"), nil
		}
		first, _, _ := strings.Cut(*a.Text, " ")
		return streamhost.Null[string]{Value: first, Valid: first != ""}, nil
	}, streamhost.Nondeterministic())
	sqlfunctions.Columns("halved", "price DECIMAL(10, 2) NOT NULL", "DECIMAL(10, 2)",
		func(_ *streamhost.Call[config], arguments *arrow.Batch) (*arrow.Column, error) {
			prices, _ := arrow.Values[arrow.Decimal](arguments.Column(0))
			halved := make([]arrow.Decimal, len(prices))
			for i, price := range prices {
				halved[i], _ = price.QuoRem(2)
			}
			return arrow.Of(halved).As(arrow.DECIMAL(10, 2)), nil
		})
	sqlfunctions.Columns("answer", "", "INT", func(_ *streamhost.Call[config], arguments *arrow.Batch) (*arrow.Column, error) {
		return arrow.Of(make([]int32, max(arguments.Rows()-1, 0))), nil
	})
	bound, err := streamhosttest.BindFunctions(given)
	if err != nil {
		t.Fatal(err)
	}
	return bound
}

func TestCalls(t *testing.T) {
	bound := functions(t, `{"letters": 2}`)
	for name, calls := range map[string][2]string{
		"words":  {`{"text": "to be or a"}` + "\n" + `{"text": null}` + "\n" + `{"text": "", "other": 5}`, `{"words":3}|{}|{"words":5}|`},
		"first":  {`{"text": "é b"}` + "\n" + `{}` + "\n" + `{"text": ""}`, `{"first":"é"}|{"first":"none"}|{}|`},
		"halved": {`{"price": 12.5}` + "\n" + `{"price": -0.05}` + "\n" + `{}`, `{"halved":6.25}|{"halved":-0.02}|{}|`},
	} {
		results, err := bound.Call(name, calls[0])
		if given := strings.ReplaceAll(results, "\n", "|"); err != nil || given != calls[1] {
			t.Errorf("%s gives %s, and should give %s (%v)", name, given, calls[1], err)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	bound := functions(t, "")
	if _, err := bound.Call("words", `{"text": "a bad one"}`); err == nil || err.Error() != "there is a bad word" {
		t.Error(err)
	}
	if _, err := bound.Call("answer", "{}\n{}"); err == nil || err.Error() != "function `answer` gives 1 values for 2 rows" {
		t.Error(err)
	}
	plugin := host.Of(host.Functions).(host.Scalars)
	if _, err := plugin.Call("none", nil); err == nil || err.Error() != "there is no function `none`" {
		t.Error(err)
	}
	signatures := plugin.Signatures()
	if len(signatures) != 4 || signatures[1].Deterministic || !signatures[0].Deterministic {
		t.Error(signatures)
	}
	if said := host.Describe(); said.Summary != "Words." || said.Deterministic {
		t.Error(said)
	}
	defer func() {
		if recover() == nil {
			t.Error("functions have configurations of different types")
		}
	}()
	sqlfunctions.Rows("other", func(*streamhost.Call[streamhost.NoConfig], text) (int32, error) { return 0, nil })
}
