package main

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/stateful"
)

// session is a key's session as it is after the rows of a call.
type session struct {
	// key is the key's row in the call's keys.
	key        uint32
	start, end int64
	n          int64
	// added is how many rows of the call are in it.
	added int
	// first and last are the rows of the call that are the earliest and the latest of the session; -1 if that came before.
	first, last int32
	// before is its end before these rows, if it was stored.
	before int64
	stored bool
}

// add adds a row. Of rows of the same time, the one that came first is the earliest, and the one that came last is the latest.
func (s *session) add(time int64, row int32) {
	s.n++
	s.added++
	if time < s.start {
		s.start, s.first = time, row
	}
	if time >= s.end {
		s.end, s.last = time, row
	}
}

// sessions are the session of each key, with its rows added, however far apart they are. A row without a time is in error.
func sessions(groups *stateful.Groups, column *arrow.Column, stored *stateful.Entries, errors *streamhost.RowErrors) []session {
	times, _ := arrow.Values[int64](column)
	list := make([]session, 0, groups.Len())
	for key := range groups.Len() {
		session, there := storedSession(stored, uint32(key))
		from, to := groups.Range(key)
		for row := from; row < to; row++ {
			switch {
			case column.IsNull(row):
				errors.Add(row, streamhost.Permanent("the time is null"))
			case there:
				session.add(times[row], int32(row))
			default:
				session.start, session.end, session.n, session.added = times[row], times[row], 1, 1
				session.first, session.last, there = int32(row), int32(row), true
			}
		}
		if there {
			list = append(list, session)
		}
	}
	return list
}

func storedSession(stored *stateful.Entries, key uint32) (session, bool) {
	session := session{key: key, first: -1, last: -1}
	at, there := stored.Find(key)
	if there {
		starts, _ := arrow.Values[int64](stored.Values().Column(0))
		ends, _ := arrow.Values[int64](stored.Values().Column(1))
		counts, _ := arrow.Values[int64](stored.Values().Column(2))
		session.start, session.end, session.n = starts[at], ends[at], counts[at]
		session.before, session.stored = ends[at], true
	}
	return session, there
}

// keep writes what has changed.
func keep(config *Config, rows *arrow.Batch, sessions []session, time arrow.Type, state *stateful.State) error {
	var keys, firstKeys, lastKeys []uint32
	var starts, ends, counts []int64
	var firsts, lasts []int32
	for _, session := range sessions {
		if session.added == 0 {
			continue
		}
		keys = append(keys, session.key)
		starts, ends, counts = append(starts, session.start), append(ends, session.end), append(counts, session.n)
		if session.first >= 0 {
			firstKeys, firsts = append(firstKeys, session.key), append(firsts, session.first)
		}
		if session.last >= 0 {
			lastKeys, lasts = append(lastKeys, session.key), append(lasts, session.last)
		}
	}
	open, err := state.Open("open")
	if err != nil {
		return err
	}
	columns := arrow.NewBatch(
		arrow.Named{Name: "start", Column: moments(starts, time)},
		arrow.Named{Name: "end", Column: moments(ends, time)},
		arrow.Named{Name: "n", Column: arrow.Of(counts)},
	)
	if err := open.Put(keys, columns); err != nil {
		return err
	}
	if err := keepRows("first", config.First, rows, firstKeys, firsts, state); err != nil {
		return err
	}
	return keepRows("last", config.Last, rows, lastKeys, lasts, state)
}

func moments(values []int64, t arrow.Type) *arrow.Column { return arrow.Of(values).As(t) }

// keepRows writes columns of a row of each of these keys.
func keepRows(name string, columns []string, rows *arrow.Batch, keys []uint32, picked []int32, state *stateful.State) error {
	if len(columns) == 0 {
		return nil
	}
	table, err := state.Open(name)
	if err != nil {
		return err
	}
	selected, err := rows.Select(columns...)
	if err != nil {
		return err
	}
	return table.Put(keys, selected.Take(picked))
}

// setTimers sets one timer for each running session, at its end; but one that ends already, and of which more rows follow in the next call,
// has none yet. One that is over has none any more.
func setTimers(call *streamhost.Call[Config], over, running []*session, state *stateful.State) error {
	config := call.Config
	var before, now []stateful.Timer
	note := func(session *session) {
		if session.stored {
			before = append(before, stateful.Timer{Key: session.key, At: config.ends(session.before)})
		}
	}
	for _, session := range over {
		note(session)
	}
	for _, session := range running {
		if session.stored && session.before == session.end {
			continue
		}
		note(session)
		if at := config.ends(session.end); !call.HasWatermark || at > int64(call.Watermark) {
			now = append(now, stateful.Timer{Key: session.key, At: at})
		}
	}
	if err := state.ClearTimers(stateful.EventTime, before); err != nil {
		return err
	}
	return state.SetTimers(stateful.EventTime, now)
}

// closed are the sessions of these keys, which are gone with that.
func closed(config *Config, keys *arrow.Batch, over []uint32, state *stateful.State) (stateful.Output, error) {
	if len(over) == 0 {
		return stateful.Output{}, nil
	}
	places := make([]int32, len(over))
	for i, key := range over {
		places[i] = int32(key)
	}
	rows := keys.Take(places)
	for _, name := range []string{"open", "first", "last"} {
		if name != "open" && len(columnsOf(config, name)) == 0 {
			continue
		}
		table, err := state.Open(name)
		if err != nil {
			return stateful.Output{}, err
		}
		entries, err := table.GetOf(over)
		if err != nil {
			return stateful.Output{}, err
		}
		for i, key := range over {
			at, there := entries.Find(key)
			if !there {
				return stateful.Output{}, streamhost.Permanent("a session that ends is not in the state")
			}
			places[i] = int32(at)
		}
		rows = rows.Beside(entries.Values().Take(places))
		if err := table.Remove(over); err != nil {
			return stateful.Output{}, err
		}
	}
	return stateful.Output{Main: rows}, nil
}
