package main

import (
	"math"
	"slices"
	"strconv"

	"streamhost"
	"streamhost/arrow"
)

// router is the outputs, and which dates each of them takes.
type router struct {
	// names has the place of the rows that no stretch takes first.
	names     []string
	stretches []stretch
	// undated is the place of rows without a date; -1 if there is none.
	undated int32
}

type stretch struct {
	from, before arrow.Date
	place        int32
}

func newRouter(config *Config) (*router, error) {
	r := &router{names: []string{config.Output}, undated: -1}
	for _, route := range config.Routes {
		from, err := bound(route.From, math.MinInt32)
		if err != nil {
			return nil, err
		}
		before, err := bound(route.Before, math.MaxInt32)
		if err != nil {
			return nil, err
		}
		r.stretches = append(r.stretches, stretch{from, before, r.place(route.Output)})
	}
	if config.Undated.Valid {
		r.undated = r.place(config.Undated.Value)
	}
	return r, nil
}

// place is that of an output; several stretches may share one.
func (r *router) place(name string) int32 {
	at := slices.Index(r.names, name)
	if at < 0 {
		at = len(r.names)
		r.names = append(r.names, name)
	}
	return int32(at)
}

func bound(date streamhost.Null[string], otherwise arrow.Date) (arrow.Date, error) {
	if !date.Valid {
		return otherwise, nil
	}
	day, ok := arrow.ParseDate(date.Value)
	if !ok {
		return 0, streamhost.Invalid("config: routes: " + strconv.Quote(date.Value) + " is no date; write it as 2025-01-31")
	}
	return day, nil
}

// places has for each row the place of its output.
func (r *router) places(days []arrow.Date, valid *arrow.Bitmap, column string) ([]int32, error) {
	places := make([]int32, len(days))
	for i, day := range days {
		if valid == nil || valid.Get(i) {
			places[i] = r.of(day)
			continue
		}
		if r.undated < 0 {
			return nil, streamhost.Permanent("a row has no `" + column +
				"`; name an output for such rows with `undated`, or leave them out before")
		}
		places[i] = r.undated
	}
	return places, nil
}

func (r *router) of(day arrow.Date) int32 {
	for _, stretch := range r.stretches {
		if stretch.from <= day && day < stretch.before {
			return stretch.place
		}
	}
	return 0
}
