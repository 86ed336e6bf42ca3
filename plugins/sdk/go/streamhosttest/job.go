package streamhosttest

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"streamhost/arrow"
	"streamhost/internal/bind"
	"streamhost/internal/host"
	"streamhost/internal/json"
)

// Job is a plugin with state, with its configuration, columns and keys, between two epochs. State is in memory.
type Job struct {
	// Context is what the plugin is told of the next epoch.
	Context Context

	plugin  host.Stateful
	input   arrow.Schema
	keys    []string
	binding host.Binding
	outputs outputs
	store   *store
	most    int
}

// BindKeyed binds the plugin to a configuration as JSON, or none, an input schema as DDL, and the columns of the key.
func BindKeyed(config, schema string, keys ...string) (*Job, error) {
	plugin, ok := host.Of(host.Keyed).(host.Stateful)
	if !ok {
		return nil, errors.New("no plugin with state is registered")
	}
	j := &Job{Context: noEpoch(), plugin: plugin, keys: keys, most: 8192}
	var err error
	if j.input, j.binding, err = bound(host.Keyed, config, schema, keys); err != nil {
		return nil, err
	}
	if j.outputs, err = outputsOf(j.binding); err != nil {
		return nil, err
	}
	columns := arrow.Empty(j.input)
	of, err := columns.Select(keys...)
	if err != nil {
		return nil, err
	}
	j.store, err = newStore(of.Schema(), plugin.Tables())
	return j, err
}

// Watermark is the watermark from the next epoch on: 2025-03-01T12:00:00Z. Rows are not dropped for it; leave late ones out.
func (j *Job) Watermark(at string) error {
	moment, err := momentOf(at)
	if err == nil && j.Context.HasWatermark && moment < j.Context.Watermark {
		err = errors.New("a watermark does not fall")
	}
	j.Context.Watermark, j.Context.HasWatermark = moment, true
	return err
}

// Now is the time of the next epoch, and of those after it.
func (j *Job) Now(at string) (err error) {
	j.Context.Now, err = momentOf(at)
	return err
}

func momentOf(text string) (int64, error) {
	at, ok := arrow.ParseTimestamp(text)
	if !ok {
		return 0, fmt.Errorf("`%s` is no time; write for example 2025-03-01T12:00:00Z", text)
	}
	return int64(at), nil
}

// BatchRows is how many rows a call has at most, 8,192 unless it is given. A key with more comes in several calls.
func (j *Job) BatchRows(rows int) { j.most = max(rows, 1) }

// Epoch runs an epoch of these rows, a JSON object a line, as the host does: keys in their order, then the timers of the event-time clock,
// then those of the other. After an error nothing has changed.
func (j *Job) Epoch(rows string) (*Answer, error) {
	given, err := lines(rows)
	if err != nil {
		return nil, err
	}
	batch, err := batchOf(given, j.input)
	if err != nil {
		return nil, err
	}
	before := j.store.clone()
	j.store.begin(j.Context)
	answer := &Answer{side: map[string][]json.Object{}}
	if err = j.processAll(batch, answer); err == nil {
		err = j.fireAll(answer)
	}
	if err != nil {
		j.store = before
		return nil, err
	}
	j.Context.Epoch++
	return answer, nil
}

// part is the rows of a call: by key, in the order in which they came.
type part struct {
	groups [][]int32
	more   bool
}

func (j *Job) processAll(batch *arrow.Batch, answer *Answer) error {
	keys, err := batch.Select(j.keys...)
	if err != nil {
		return err
	}
	columns, err := bind.Project(batch.Schema(), j.binding.Reads, j.binding.All)
	if err != nil {
		return err
	}
	reads, err := batch.Select(columns.Names()...)
	if err != nil {
		return err
	}
	type numbered struct {
		row int
		err host.RowError
	}
	var errs []numbered
	for _, part := range parts(grouped(keys), j.most) {
		sent, rows := j.call(part, keys, reads)
		emitted, err := guarded(func() (host.Emitted, error) { return j.plugin.Process(j.Context, sent, j.store) })
		if err == nil {
			err = j.take(emitted, answer)
		}
		if err != nil {
			return err
		}
		for _, err := range emitted.Errors {
			errs = append(errs, numbered{int(rows[err.Row]), err})
		}
	}
	// Rows are in error in the order of their keys.
	sort.SliceStable(errs, func(a, b int) bool { return errs[a].row < errs[b].row })
	for _, err := range errs {
		answer.Errors = append(answer.Errors, printError("row", err.row, err.err))
	}
	return nil
}

// grouped is the rows of each key, in the order of the keys.
func grouped(keys *arrow.Batch) [][]int32 {
	rows := make([]int32, keys.Rows())
	for i := range rows {
		rows[i] = int32(i)
	}
	compare := func(a, b int32) int { return compareRows(valuesOf(keys, int(a)), valuesOf(keys, int(b))) }
	slices.SortStableFunc(rows, compare)
	var groups [][]int32
	for i, row := range rows {
		if i == 0 || compare(rows[i-1], row) != 0 {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], row)
	}
	return groups
}

// parts divides keys into calls of so many rows at most. A key with more is alone in its calls.
func parts(groups [][]int32, most int) []part {
	var parts []part
	var open part
	rows := 0
	flush := func() {
		if len(open.groups) > 0 {
			parts, open, rows = append(parts, open), part{}, 0
		}
	}
	for _, group := range groups {
		if rows+len(group) > most {
			flush()
		}
		alone := len(group) > most
		for len(group) > most {
			parts = append(parts, part{[][]int32{group[:most]}, true})
			group = group[most:]
		}
		open.groups, rows = append(open.groups, group), rows+len(group)
		if alone {
			flush()
		}
	}
	flush()
	return parts
}

func (j *Job) call(part part, keys, reads *arrow.Batch) (host.Groups, []int32) {
	sent := host.Groups{More: part.more}
	var rows, heads []int32
	for _, group := range part.groups {
		sent.Starts = append(sent.Starts, uint32(len(rows)))
		heads, rows = append(heads, group[0]), append(rows, group...)
	}
	of := keys.Take(heads)
	j.store.enter(of)
	sent.Keys, sent.Rows = of.Encode(nil), reads.Take(rows).Encode(nil)
	return sent, rows
}

func (j *Job) fireAll(answer *Answer) error {
	fired := 0
	for _, clock := range []host.Clock{host.EventTime, host.ProcessingTime} {
		due := j.store.due(clock)
		for len(due) > 0 {
			count := min(len(due), j.most)
			keys, timers := j.store.enterDue(due[:count])
			due = due[count:]
			emitted, err := guarded(func() (host.Emitted, error) {
				return j.plugin.TimersFired(j.Context, clock, keys.Encode(nil), timers, j.store)
			})
			if err == nil {
				err = j.take(emitted, answer)
			}
			if err != nil {
				return err
			}
			for _, err := range emitted.Errors {
				answer.Errors = append(answer.Errors, printError("timer", fired+int(err.Row), err))
			}
			fired += count
		}
	}
	return nil
}

func (j *Job) take(emitted host.Emitted, answer *Answer) error {
	rows, err := decode(emitted.Main, j.outputs.main)
	if err != nil {
		return err
	}
	answer.rows = append(answer.rows, rows...)
	return sides(answer.side, emitted.Side, j.outputs.side)
}

// State is what a table has, a JSON object a line: the columns of the key, of the second key if it is a mapping, and of the value.
func (j *Job) State(table string) (string, error) {
	rows, err := j.store.entries(table)
	return printRows(rows), err
}

// Timers are the timers that are set, by their time, a JSON object a line: the columns of the key, and `at` in microseconds.
func (j *Job) Timers(clock host.Clock) string { return printRows(j.store.timersOf(clock)) }

// Migrate brings entries of an older version into the columns of now: `before` has their columns as DDL, without the step's key.
func (j *Job) Migrate(table string, version uint32, before, entries string) (string, error) {
	schema, err := arrow.ParseSchema(before)
	if err != nil {
		return "", err
	}
	given, err := lines(entries)
	if err != nil {
		return "", err
	}
	batch, err := batchOf(given, schema)
	if err != nil {
		return "", err
	}
	of, err := j.store.find(table)
	if err != nil {
		return "", err
	}
	renewed, err := guarded(func() ([]byte, error) {
		return j.plugin.Migrate(table, version, schema.Encode(), batch.Encode(nil))
	})
	if err != nil {
		return "", err
	}
	rows, err := decode(renewed, of.columns()[1:])
	return printRows(rows), err
}
