// Ends a session of a key when it has been still for a while, and tells when it began and what was in it.
package main

import (
	"math"

	"streamhost"
	"streamhost/arrow"
	"streamhost/stateful"
)

// Config is what a session is made of.
type Config struct {
	Time  string              `doc:"The column of event time, a TIMESTAMP."`
	Gap   streamhost.Interval `doc:"For how long a key is still before its session has ended."`
	First []string            `config:",optional" doc:"Columns of which a session has the earliest row's value, as first_ and the name."`
	Last  []string            `config:",optional" doc:"Columns of which a session has the latest row's value, as last_ and the name."`
}

// ends is when the watermark ends a session: in whole milliseconds, as Spark's time-outs are.
func (c *Config) ends(last int64) int64 {
	millis := last / 1000
	if last%1000 < 0 {
		millis--
	}
	if end := millis*1000 + c.Gap.Micros(); end >= millis*1000 {
		return end
	}
	return math.MaxInt64
}

func init() {
	stateful.Columns(stateful.Functions[Config]{Plan: plan, Process: process, Fired: fired},
		streamhost.Summary("Ends a session of a key when it has been still for a while, and tells when it began and what was in it."),
		streamhost.ReadsOf(func(config *Config) []string {
			return append(append([]string{config.Time}, config.First...), config.Last...)
		}))
}

func main() {}

func plan(config *Config, input stateful.Input) (stateful.Plan, error) {
	tables, err := tables(config, input.Rows)
	if err != nil {
		return stateful.Plan{}, err
	}
	plan := stateful.Plan{Output: append(arrow.Schema{}, input.Keys...)}
	for _, table := range tables {
		plan.Output = append(plan.Output, table.columns...)
		plan.Tables = append(plan.Tables, stateful.Value(table.name, table.columns))
	}
	for i, field := range plan.Output {
		if plan.Output[:i].Index(field.Name) >= 0 {
			return plan, streamhost.Invalid("a session would have two columns `" + field.Name + "`: rename the key's, or leave one out")
		}
	}
	return plan, nil
}

// table is what is kept of a session: the columns of its end, of its earliest row or of its latest one. The latter two change less often
// than it does.
type table struct {
	name    string
	columns arrow.Schema
}

func tables(config *Config, rows arrow.Schema) ([]table, error) {
	at := rows.Index(config.Time)
	if at < 0 {
		return nil, streamhost.Invalid("config: there is no column `" + config.Time + "`")
	}
	time := rows[at].Type
	if time.Kind != arrow.TimestampKind || time.Unit != arrow.Microsecond {
		return nil, streamhost.Invalid("config: column `" + config.Time + "` has type " + time.DDL() + ", and times are TIMESTAMP")
	}
	tables := []table{{"open", arrow.Schema{
		{Name: "start", Type: time, Nullable: true}, {Name: "end", Type: time, Nullable: true}, {Name: "n", Type: arrow.BIGINT, Nullable: true},
	}}}
	for _, of := range []table{{name: "first"}, {name: "last"}} {
		for _, name := range columnsOf(config, of.name) {
			at := rows.Index(name)
			if at < 0 {
				return nil, streamhost.Invalid("config: there is no column `" + name + "`")
			}
			of.columns = append(of.columns, arrow.Field{Name: of.name + "_" + name, Type: rows[at].Type, Nullable: true})
		}
		if len(of.columns) > 0 {
			tables = append(tables, of)
		}
	}
	return tables, nil
}

func columnsOf(config *Config, table string) []string {
	if table == "first" {
		return config.First
	}
	return config.Last
}

func process(call *streamhost.Call[Config], groups *stateful.Groups, state *stateful.State) (stateful.Output, error) {
	config := call.Config
	times := groups.Rows().Named(config.Time)
	open, err := state.Open("open")
	if err != nil {
		return stateful.Output{}, err
	}
	stored, err := open.Get()
	if err != nil {
		return stateful.Output{}, err
	}
	sessions := sessions(groups, times, stored, call.Errors)
	if err := keep(config, groups.Rows(), sessions, times.Type(), state); err != nil {
		return stateful.Output{}, err
	}
	var over, running []*session
	for i := range sessions {
		session := &sessions[i]
		ended := call.HasWatermark && config.ends(session.end) <= int64(call.Watermark)
		// What follows of its rows belongs to it.
		if ended && !groups.More(int(session.key)) {
			over = append(over, session)
		} else {
			running = append(running, session)
		}
	}
	if err := setTimers(call, over, running, state); err != nil {
		return stateful.Output{}, err
	}
	return closed(config, groups.Keys(), keysOf(over), state)
}

func fired(call *streamhost.Call[Config], fired *stateful.Fired, state *stateful.State) (stateful.Output, error) {
	var over []uint32
	for _, timer := range fired.Timers() {
		over = append(over, timer.Key)
	}
	return closed(call.Config, fired.Keys(), over, state)
}

func keysOf(sessions []*session) []uint32 {
	keys := make([]uint32, len(sessions))
	for i, session := range sessions {
		keys[i] = session.key
	}
	return keys
}
