package stateful_test

import (
	"errors"
	"strings"
	"testing"

	"streamhost"
	"streamhost/arrow"
	"streamhost/internal/host"
	"streamhost/stateful"
	"streamhost/streamhosttest"
)

type none = streamhost.NoConfig

type shop struct{ Shop int32 }

type sale struct {
	Item   string
	Pieces int64
}

type item struct{ Item string }

type sold struct{ Pieces int64 }

type note struct{ Text string }

type kept struct {
	Total *sold
	Notes []note
	Sold  map[item]sold `table:"by-item,version=2"`
}

func job(t *testing.T, config, schema string, keys ...string) *streamhosttest.Job {
	t.Helper()
	job, err := streamhosttest.BindKeyed(config, schema, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func epoch(t *testing.T, job *streamhosttest.Job, rows, expect string, errors ...string) {
	t.Helper()
	answer, err := job.Epoch(rows)
	if err != nil {
		t.Fatal(err)
	}
	answer.Expect(t, expect)
	if strings.Join(answer.Errors, "|") != strings.Join(errors, "|") {
		t.Errorf("the errors are %q, and should be %q", answer.Errors, errors)
	}
}

func state(t *testing.T, job *streamhosttest.Job, table, wanted string) {
	t.Helper()
	given, err := job.State(table)
	if lines := strings.Fields(given); err != nil || strings.Join(lines, " ") != wanted {
		t.Errorf("table `%s` is %s, and should be %s (%v)", table, strings.Join(lines, " "), wanted, err)
	}
}

func TestTablesOfEveryKind(t *testing.T) {
	host.Reset()
	type best struct {
		Item   string
		Pieces int64
	}
	stateful.Rows(func(key *stateful.Key[shop, kept, none], sales *stateful.Group[sale], emit func(best)) error {
		if key.State.Total == nil {
			key.State.Total = &sold{}
		}
		sales.Each(func(sale sale) error {
			if sale.Pieces < 0 {
				return errors.New("less than nothing")
			}
			key.State.Total.Pieces += sale.Pieces
			of := item{sale.Item}
			key.State.Sold[of] = sold{key.State.Sold[of].Pieces + sale.Pieces}
			switch sale.Item {
			case "forget":
				*key.State = kept{}
			case "drop":
				delete(key.State.Sold, item{"nails"})
			case "fail":
				return nil
			}
			if key.State.Total != nil {
				key.State.Notes = append(key.State.Notes, note{sale.Item})
			}
			return nil
		})
		if key.State.Sold[item{"fail"}].Pieces > 0 {
			return errors.New("told to fail")
		}
		if key.State.Total != nil {
			emit(best{"total", key.State.Total.Pieces})
		}
		return nil
	}, nil)
	job := job(t, "", "shop INT, item STRING, pieces INT", "shop")
	epoch(t, job, `
		{"shop": 2, "item": "nails", "pieces": 20}
		{"shop": 1, "item": "pliers", "pieces": 1}
		{"shop": 2, "item": "bad", "pieces": -1}
		{"shop": 2, "item": "null"}`, `
		{"item": "total", "pieces": 1}
		{"item": "total", "pieces": 20}`, "row 2: less than nothing", "row 3: `pieces` is null")
	state(t, job, "by-item", `{"item":"pliers","pieces":1,"shop":1} {"item":"nails","pieces":20,"shop":2}`)
	epoch(t, job, `
		{"shop": 1, "item": "fail", "pieces": 5}
		{"shop": 2, "item": "drop", "pieces": 2}`, `{"item": "total", "pieces": 22}`, "row 0: told to fail")
	state(t, job, "by-item", `{"item":"pliers","pieces":1,"shop":1} {"item":"drop","pieces":2,"shop":2}`)
	state(t, job, "total", `{"pieces":1,"shop":1} {"pieces":22,"shop":2}`)
	state(t, job, "notes", `{"shop":1,"text":"pliers"} {"shop":2,"text":"nails"} {"shop":2,"text":"drop"}`)
	epoch(t, job, `{"shop": 2, "item": "forget", "pieces": 1}`, "")
	state(t, job, "notes", `{"shop":1,"text":"pliers"}`)
	state(t, job, "total", `{"pieces":1,"shop":1}`)
	state(t, job, "by-item", `{"item":"pliers","pieces":1,"shop":1}`)
}

type counted struct {
	Count *sold `table:"n,ttl=1h"`
}

func TestAnyKeyInManyCallsAndExpiry(t *testing.T) {
	host.Reset()
	type total struct{ Rows int64 }
	type config struct {
		Column string `default:"amount"`
	}
	type amount struct{ Amount int64 }
	stateful.Rows(func(key *stateful.Key[stateful.AnyKey, counted, config], rows *stateful.Group[amount], emit func(total)) error {
		if key.State.Count == nil {
			key.State.Count = &sold{}
		}
		for row := range rows.All() {
			key.State.Count.Pieces += row.Amount
		}
		if !rows.More() {
			emit(total{key.State.Count.Pieces})
		}
		return nil
	}, nil, streamhost.ReadsOf(func(config *config) []string { return []string{config.Column} }))
	job := job(t, `{"column": "pieces"}`, "country STRING, pieces INT, user INT", "user", "country")
	job.BatchRows(2)
	rows := strings.Repeat(`{"user": 1, "country": "de", "pieces": 1}`+"\n", 5) + `{"user": 1, "pieces": 7}`
	epoch(t, job, rows, `
		{"user": 1, "country": null, "rows": 7}
		{"user": 1, "country": "de", "rows": 5}`)
	if err := job.Now("1970-01-01T01:00:00Z"); err != nil {
		t.Fatal(err)
	}
	epoch(t, job, `{"user": 1, "country": "de", "pieces": 2}`, `{"user": 1, "country": "de", "rows": 2}`)
	_, err := streamhosttest.BindKeyed(`{"column": "country"}`, "country STRING, pieces INT, user INT", "user")
	if err == nil || err.Error() != "config: `country` are read as `amount`: column `country` has type STRING, and the plugin reads BIGINT" {
		t.Error(err)
	}
	if _, err := streamhosttest.BindKeyed(`{"column": "pieces"}`, "rows INT, pieces INT", "rows"); err == nil ||
		!strings.HasPrefix(err.Error(), "`rows` is a column of the key, and the plugin adds one of that name") {
		t.Error(err)
	}
	if _, err := streamhosttest.BindKeyed("", "a INT"); err == nil || !strings.Contains(err.Error(), "name the key's columns") {
		t.Error(err)
	}
}

func TestTimersOfBothClocks(t *testing.T) {
	host.Reset()
	type user struct{ User int32 }
	type at struct{ At streamhost.Timestamp }
	type rang struct {
		User int32
		At   streamhost.Timestamp
		N    int64
	}
	stateful.Rows(func(key *stateful.Key[user, counted, none], rows *stateful.Group[at], _ func(rang)) error {
		key.State.Count = &sold{}
		for row := range rows.All() {
			if err := key.Timers.Set(stateful.EventTime, row.At); err != nil {
				return err
			}
			if key.Key.User == 2 {
				key.Timers.Clear(stateful.EventTime, row.At)
				return key.Timers.Set(stateful.ProcessingTime, key.Timers.Earliest(stateful.ProcessingTime))
			}
		}
		return nil
	}, func(key *stateful.Key[user, counted, none], timer stateful.Timer, emit func(rang)) error {
		key.State.Count.Pieces++
		emit(rang{key.Key.User, streamhost.Timestamp(timer.At), key.State.Count.Pieces})
		switch {
		case key.State.Count.Pieces == 2:
			panic("it rings too often")
		case key.State.Count.Pieces == 1 && timer.At == 0:
			key.State.Count = nil
		}
		return nil
	})
	job := job(t, "", "user INT, at TIMESTAMP", "user")
	epoch(t, job, `
		{"user": 1, "at": "1970-01-01T00:00:05Z"}
		{"user": 1, "at": "1970-01-01T00:00:09Z"}
		{"user": 2, "at": "1970-01-01T00:00:05Z"}`, "")
	if timers := strings.Fields(job.Timers(stateful.EventTime)); len(timers) != 2 {
		t.Error(timers)
	}
	if err := job.Watermark("1970-01-01T00:00:10Z"); err != nil {
		t.Fatal(err)
	}
	if err := job.Now("1970-01-01T00:00:01Z"); err != nil {
		t.Fatal(err)
	}
	answer, err := job.Epoch(`{"user": 3, "at": "1970-01-01T00:00:08Z"}`)
	if err != nil {
		t.Fatal(err)
	}
	answer.Expect(t, `
		{"user": 1, "at": "1970-01-01T00:00:05Z", "n": 1}
		{"user": 2, "at": "1970-01-01T00:00:00.000001Z", "n": 1}`)
	if len(answer.Errors) != 2 || !strings.HasPrefix(answer.Errors[1], "timer 1: panic: it rings too often") ||
		answer.Errors[0] != "row 0: a timer at 1970-01-01T00:00:08Z is not after the watermark, 1970-01-01T00:00:10Z" {
		t.Error(answer.Errors)
	}
	state(t, job, "n", `{"pieces":1,"user":1} {"pieces":1,"user":2}`)
}

func TestEntriesOfAnOlderVersionAreMigrated(t *testing.T) {
	host.Reset()
	stateful.Rows(func(*stateful.Key[shop, kept, none], *stateful.Group[sale], func(sold)) error { return nil }, nil,
		stateful.Migrate(func(before *stateful.Before) (*arrow.Batch, error) {
			if before.Table != "by-item" || before.Version != 1 {
				return nil, before.Unknown()
			}
			type old struct {
				Item   string
				Dozens int32
			}
			return stateful.Each(before, func(old old) (sale, error) { return sale{old.Item, int64(old.Dozens) * 12}, nil })
		}))
	job := job(t, "", "shop INT, item STRING, pieces INT", "shop")
	now, err := job.Migrate("by-item", 1, "item STRING, dozens INT", `{"item": "nails", "dozens": 2}`)
	if err != nil || now != "{\"item\":\"nails\",\"pieces\":24}\n" {
		t.Error(now, err)
	}
	_, err = job.Migrate("by-item", 7, "item STRING", `{"item": "nails"}`)
	if err == nil || err.Error() != "table `by-item` is stored in version 7, which the plugin does not know how to migrate" {
		t.Error(err)
	}
}

func TestTablesOverColumns(t *testing.T) {
	host.Reset()
	second := arrow.Schema{{Name: "item", Type: arrow.STRING}}
	value := arrow.Schema{{Name: "pieces", Type: arrow.BIGINT}}
	names := func(names ...string) *arrow.Batch {
		return arrow.NewBatch(arrow.Named{Name: "item", Column: arrow.Strings(names, nil)})
	}
	stateful.Columns(stateful.Functions[none]{
		Plan: func(_ *none, input stateful.Input) (stateful.Plan, error) {
			tables := []stateful.Table{stateful.Mapping("m", second, value), stateful.Sequence("s", value)}
			return stateful.Plan{Output: second, Side: []stateful.Side{{Name: "late", Columns: value}}, Tables: tables}, nil
		},
		Process: func(call *streamhost.Call[none], groups *stateful.Groups, state *stateful.State) (output stateful.Output, err error) {
			m, _ := state.Open("m")
			s, _ := state.Open("s")
			pieces := arrow.NewBatch(arrow.Named{Name: "pieces", Column: arrow.Of([]int64{7, 8})})
			wrong := []error{
				m.Append([]uint32{0, 0}, pieces), m.Put([]uint32{0, 0}, pieces), s.Put([]uint32{0}, pieces), m.Remove([]uint32{9}),
			}
			for i, wanted := range []string{
				"table `m` is no sequence, so nothing is appended to it", "table `m` takes item STRING, pieces BIGINT, and is given pieces BIGINT",
				"table `s` is given 1 keys for 2 rows", "table `m`: it names key 9, and the call has 1 keys",
			} {
				if wrong[i] == nil || wrong[i].Error() != wanted {
					t.Errorf("the error is %v, and should be %s", wrong[i], wanted)
				}
			}
			for _, err := range []error{
				m.Put([]uint32{0, 0}, names("b", "a").Beside(pieces)), s.Append([]uint32{0, 0}, pieces), s.Append([]uint32{0, 0}, pieces),
				s.Put([]uint32{0, 0}, pieces), m.RemoveFound([]uint32{0}, names("b")),
			} {
				if err != nil {
					return output, err
				}
			}
			found, err := m.Find([]uint32{0, 0}, names("a", "c"))
			if err != nil {
				return output, err
			}
			list, err := s.GetOf([]uint32{0})
			return stateful.Output{Main: found.Second(), Side: []stateful.Side{{Name: "late", Rows: list.Values()}}}, err
		},
	}, streamhost.Reads())
	answer, err := job(t, "", "shop INT", "shop").Epoch(`{"shop": 1}`)
	if err != nil {
		t.Fatal(err)
	}
	answer.Expect(t, `{"item": "a"}`)
	if answer.Side("late") != "{\"pieces\":7}\n{\"pieces\":8}\n" {
		t.Error(answer.Side("late"))
	}
}
