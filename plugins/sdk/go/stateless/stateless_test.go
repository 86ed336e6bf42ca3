package stateless_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/host"
	"streamhost/row"
	"streamhost/stateless"
	"streamhost/streamhosttest"
)

type call = *streamhost.Call[streamhost.NoConfig]

type event struct {
	ID    int64
	Value float64
}

// run registers a plugin, and gives it rows.
func run(t *testing.T, schema, rows string, register func()) *streamhosttest.Answer {
	t.Helper()
	answer, err := try(schema, rows, register)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func try(schema, rows string, register func()) (*streamhosttest.Answer, error) {
	host.Reset()
	register()
	plugin, err := streamhosttest.Bind("", schema)
	if err != nil {
		return nil, err
	}
	return plugin.Run(rows)
}

const four = `
	{"id": 1, "value": 5, "text": "a"}
	{"id": 2, "value": 50}
	{"id": 3}
	{"id": 4, "value": 70}`

func TestARowThatCannotBeReadIsInError(t *testing.T) {
	answer := run(t, "id INT, value DOUBLE, text STRING", four, func() {
		stateless.FilterRows(func(e event) bool { return e.Value > 10 })
	})
	answer.Expect(t, `
		{"id": 2, "value": 50}
		{"id": 4, "value": 70}`)
	if !slices.Equal(answer.Errors, []string{"row 2: `value` is null"}) {
		t.Error(answer.Errors)
	}
}

func TestErrorsAndPanicsAreTheRows(t *testing.T) {
	type added struct{ Half float64 }
	answer := run(t, "id INT, value DOUBLE, text STRING", four, func() {
		stateless.MapRows(func(e event) (added, error) {
			switch e.ID {
			case 1:
				return added{}, fmt.Errorf("first: %w", streamhost.Transient("later"))
			case 2:
				panic("two is too much")
			}
			return added{e.Value / 2}, nil
		})
	})
	answer.Expect(t, `{"id": 4, "value": 70, "half": 35}`)
	if len(answer.Errors) != 3 || answer.Errors[0] != "row 0 (retry): first: later" ||
		!strings.HasPrefix(answer.Errors[1], "row 1: panic: two is too much\n") || !strings.Contains(answer.Errors[1], "stateless_test.go:") {
		t.Error(answer.Errors)
	}
}

func TestRowsAreDroppedAndMade(t *testing.T) {
	type word struct{ Word string }
	type line struct {
		ID   int64
		Text streamhost.Null[string]
	}
	schema, rows := "id INT, text STRING", `
		{"id": 1, "text": "one two"}
		{"id": 2}
		{"id": 3, "text": "bad three"}
		{"id": 4, "text": "four"}`
	answer := run(t, schema, rows, func() {
		stateless.TransformRows(func(l line, emit func(word)) error {
			for _, text := range strings.Fields(l.Text.Value) {
				if text == "three" {
					return errors.New("there is a three")
				}
				emit(word{text})
			}
			return nil
		})
	})
	answer.Expect(t, `
		{"word": "one"}
		{"word": "two"}
		{"word": "four"}`)
	if !slices.Equal(answer.Errors, []string{"row 2: there is a three"}) {
		t.Error(answer.Errors)
	}
	answer = run(t, schema, rows, func() {
		stateless.FilterMapRows(func(l line) (word, bool, error) {
			return word{strings.ToUpper(l.Text.Value)}, l.Text.Valid, nil
		})
	})
	answer.Expect(t, `
		{"id": 1, "text": "one two", "word": "ONE TWO"}
		{"id": 3, "text": "bad three", "word": "BAD THREE"}
		{"id": 4, "text": "four", "word": "FOUR"}`)
}

type everything struct {
	Flag   bool
	Tiny   int8
	Wide   int64 `row:"narrow"`
	Share  float64
	Text   *string
	Raw    []byte
	Day    streamhost.Date
	At     streamhost.Timestamp
	Price  streamhost.Decimal `row:",decimal(10,2)"`
	Tags   []streamhost.Null[string]
	Place  place
	Counts map[string]int32
	Gone   streamhost.Null[int32]
}

type place struct {
	Lat, Lon float64
	Names    []string
}

func TestAStructHasEveryType(t *testing.T) {
	const schema = "flag BOOLEAN, tiny TINYINT, narrow INT, share DOUBLE, text STRING, raw BINARY, day DATE, at TIMESTAMP, price DECIMAL(10,2), " +
		"tags ARRAY<STRING>, place STRUCT<lat: DOUBLE, lon: DOUBLE, names: ARRAY<STRING>>, counts MAP<STRING, INT>, gone INT"
	const rows = `
		{"flag": true, "tiny": -1, "narrow": 7, "share": 0.5, "text": "é", "raw": "00ff", "day": "2024-02-29", "at": "2025-03-01T12:00:00.5Z", "price": 12.5, "tags": ["a", null, ""], "place": {"lat": 1, "lon": -2, "names": ["x"]}, "counts": {"b": 2, "a": 1}}
		{"flag": false, "tiny": 1, "narrow": 8, "share": -0.5, "text": null, "raw": "", "day": "1969-12-31", "at": "1969-12-31T23:59:59Z", "price": -0.05, "tags": [], "place": {"lat": 0, "lon": 0, "names": []}, "counts": {}, "gone": 5}`
	answer := run(t, schema, rows, func() {
		stateless.TransformRows(func(e everything, emit func(everything)) error { emit(e); return nil })
	})
	answer.Expect(t, strings.ReplaceAll(rows, ".5Z", ".500Z"))
	if len(answer.Errors) > 0 {
		t.Error(answer.Errors)
	}
}

func TestAColumnThatDoesNotFitIsRefused(t *testing.T) {
	type wide struct{ Value float64 }
	keep := func() { stateless.FilterRows(func(w wide) bool { return true }) }
	for schema, wanted := range map[string]string{
		"value BIGINT": "column `value` has type BIGINT, and the plugin reads DOUBLE, which not every BIGINT is; cast the column before this step",
		"value STRING": "column `value` has type STRING, and the plugin reads DOUBLE",
		"other DOUBLE": "the input has no column `value`; its columns are other DOUBLE",
	} {
		if _, err := try(schema, "", keep); err == nil || err.Error() != wanted {
			t.Errorf("%s is refused with %v", schema, err)
		}
	}
	for _, schema := range []string{"value TINYINT", "value SMALLINT", "value INT", "value FLOAT"} {
		if _, err := try(schema, `{"value": 1}`, keep); err != nil {
			t.Error(schema, err)
		}
	}
}

func TestSideOutputsAreGivenForEveryBatch(t *testing.T) {
	split := func(name string) func() {
		return func() {
			stateless.Split(func(_ call, batch *arrow.Batch) (*arrow.Batch, []stateless.Side, error) {
				values, _ := arrow.Values[float64](batch.Named("value"))
				big := arrow.Compare(values, arrow.GreaterOrEqual, 60)
				side := stateless.Side{Name: "small", Rows: batch.Filter(big.Clone().Not())}
				if batch.Rows() > 0 {
					side.Name = name
				}
				return batch.Filter(big), []stateless.Side{side}, nil
			})
		}
	}
	answer := run(t, "id INT, value DOUBLE, text STRING", four, split("small"))
	answer.Expect(t, `{"id": 4, "value": 70}`)
	if len(strings.Split(strings.TrimSpace(answer.Side("small")), "\n")) != 3 {
		t.Error(answer.Side("small"))
	}
	_, err := try("id INT, value DOUBLE, text STRING", four, split("other"))
	if err == nil || !strings.Contains(err.Error(), "side output `other` was not given for an empty batch") {
		t.Error(err)
	}
}

func TestColumnsMustNotDependOnTheRows(t *testing.T) {
	_, err := try("id INT", `{"id": 1}`, func() {
		stateless.Map(func(_ call, batch *arrow.Batch) (*arrow.Batch, error) {
			if batch.Rows() == 0 {
				return arrow.NewBatch(arrow.Named{Name: "a", Column: arrow.Of([]int64{})}), nil
			}
			return arrow.NewBatch(arrow.Named{Name: "b", Column: arrow.Of([]int64{1})}), nil
		})
	})
	if err == nil || !strings.Contains(err.Error(), "they must not depend on the rows") {
		t.Error(err)
	}
	_, err = try("id INT", `{"id": 1}`, func() {
		stateless.Filter(func(call, *arrow.Batch) (*arrow.Bitmap, error) { return arrow.NewBitmap(0), nil })
	})
	if err == nil || err.Error() != "the rows to keep are 0, and the rows 1" {
		t.Error(err)
	}
}

func TestBatchesOfOneCallAreJoined(t *testing.T) {
	host.Reset()
	stateless.FilterMap(func(call call, batch *arrow.Batch) (*arrow.Bitmap, *arrow.Batch, error) {
		ids, _ := arrow.Values[int64](batch.Column(0))
		bits := arrow.Compare(ids, arrow.Greater, 2)
		if batch.Rows() > 2 {
			call.Errors.Add(2, errors.New("the third"))
		}
		for _, row := range call.Errors.Rows() {
			bits.Clear(row)
		}
		return bits, arrow.NewBatch(arrow.Named{Name: "twice", Column: arrow.Of(arrow.MulBy(arrow.Select(ids, bits), 2))}), nil
	})
	plugin := host.Of(host.Transform).(host.Transformer)
	schema := arrow.Schema{{Name: "id", Type: arrow.BIGINT}}
	if _, err := plugin.Process(host.Context{}, nil); err == nil || err.Error() != "a batch came before `bind`" {
		t.Error(err)
	}
	if _, err := plugin.Bind("", schema.Encode(), nil); err != nil {
		t.Fatal(err)
	}
	batch := func(ids ...int64) *arrow.Batch { return arrow.NewBatch(arrow.Named{Name: "id", Column: arrow.Of(ids)}) }
	outcome, err := plugin.Process(host.Context{}, batch(4, 3, 9).Encode(batch(1, 2, 3, 4, 5).Encode(nil)))
	if err != nil {
		t.Fatal(err)
	}
	// Rows 3, 4, 5 and 6 are kept: of the first batch 4 and 5, of the second one 4 and 3.
	if len(outcome.Keep) != 1 || outcome.Keep[0] != 0b0111_1000 || len(outcome.Errors) != 2 || outcome.Errors[1].Row != 7 {
		t.Errorf("%08b %v", outcome.Keep, outcome.Errors)
	}
	batches, err := arrow.Decode(outcome.Main, arrow.Schema{{Name: "twice", Type: arrow.BIGINT}})
	if err != nil || len(batches) != 2 || batches[1].Column(0).Value(0) != int64(8) {
		t.Error(batches, err)
	}
}

func TestAnotherRoleIsRefused(t *testing.T) {
	host.Reset()
	stateless.FilterRows(func(event) bool { return true }, streamhost.Name("mine"))
	_, err := host.Bind(host.Keyed, "", nil, nil)
	if err == nil || err.Error() != "`mine` transforms batches; it has no other role" {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("two plugins are registered")
		}
	}()
	stateless.FilterRows(func(event) bool { return true })
}

func TestWhatAPluginSaysOfItself(t *testing.T) {
	host.Reset()
	stateless.FilterRows(func(event) bool { return true }, streamhost.Version("2.1.0"), streamhost.Summary("Keeps."), streamhost.Asks("http"))
	said := host.Describe()
	if said.Version != "2.1.0" || said.Summary != "Keeps." || said.Deterministic || said.Asks[0] != "http" || said.ConfigSchema == "" {
		t.Errorf("%+v", said)
	}
}

func TestRowsOfABatch(t *testing.T) {
	batch := row.Batch([]event{{1, 2.5}, {3, 4.5}})
	events, err := row.Read[event](batch)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for event, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		sum += event.Value * float64(event.ID)
	}
	if sum != 16 {
		t.Error(sum)
	}
}
