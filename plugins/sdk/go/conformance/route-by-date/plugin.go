// Stores rows by their date, in one output or several.
package main

import (
	"streamhost"
	"streamhost/arrow"
	"streamhost/batchsink"
)

// Config is which rows go where.
type Config struct {
	Column  string                  `doc:"The column of dates, a DATE or a TIMESTAMP. A TIMESTAMP's date is that in UTC."`
	As      string                  `default:"day" doc:"The new column's name."`
	Text    string                  `default:"{year}-{month}-{day}" doc:"The new column's text, in which {year}, {month} and {day} stand for the date's."`
	Output  string                  `default:"days" doc:"The output of the rows that no route takes."`
	Routes  []Route                 `config:",optional" doc:"Outputs of stretches of time. A row goes to the first that takes its date."`
	Undated streamhost.Null[string] `doc:"The output of the rows without a date. Without one they are an error."`
}

// Route is a stretch of time, and its output.
type Route struct {
	Output string                  `doc:"The output."`
	From   streamhost.Null[string] `doc:"The first date, such as 2025-01-01."`
	Before streamhost.Null[string] `doc:"The first date that no longer is in it."`
}

func init() {
	batchsink.Store(outputs, route, streamhost.Summary("Stores rows by their date, in one output or several."))
}

func main() {}

// outputs all have the columns that come in, and the new one.
func outputs(config *Config, input arrow.Schema) ([]batchsink.Output, error) {
	at := input.Index(config.Column)
	if at < 0 {
		return nil, streamhost.Invalid("config: there is no column `" + config.Column + "`; the columns are " + input.DDL())
	}
	if t := input[at].Type; t.Kind != arrow.Date32 && t.Kind != arrow.TimestampKind {
		return nil, streamhost.Invalid("config: column `" + config.Column + "` has type " + t.DDL() + ", and dates are DATE or TIMESTAMP")
	}
	if input.Index(config.As) >= 0 {
		return nil, streamhost.Invalid("config: there is a column `" + config.As + "` already; name another one with `as`")
	}
	if _, err := parsePattern(config.Text); err != nil {
		return nil, err
	}
	router, err := newRouter(config)
	if err != nil {
		return nil, err
	}
	columns := append(append(arrow.Schema{}, input...), arrow.Field{Name: config.As, Type: arrow.STRING, Nullable: true})
	var list []batchsink.Output
	for _, name := range router.names {
		list = append(list, batchsink.Output{Name: name, Columns: columns})
	}
	return list, nil
}

// route adds the text of each row's date, and stores the row where its date goes.
func route(call *streamhost.Call[Config], rows *batchsink.Rows, outputs *batchsink.Outputs) error {
	config := call.Config
	router, err := newRouter(config)
	if err != nil {
		return err
	}
	pattern, err := parsePattern(config.Text)
	if err != nil {
		return err
	}
	for batch, err := range rows.All() {
		if err != nil {
			return err
		}
		days, valid, err := dates(batch, config.Column)
		if err != nil {
			return err
		}
		places, err := router.places(days, valid, config.Column)
		if err != nil {
			return err
		}
		dated := batch.With(config.As, arrow.Strings(pattern.texts(days, valid), valid))
		for place, name := range router.names {
			here := arrow.Compare(places, arrow.Equal, int32(place))
			if here.Count() == 0 {
				continue
			}
			if err := outputs.Write(name, dated.Filter(here)); err != nil {
				return err
			}
		}
	}
	return nil
}
