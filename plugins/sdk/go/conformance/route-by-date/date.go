package main

import (
	"strconv"
	"strings"

	"streamhost"
	"streamhost/arrow"
)

// dates are the date of each row, and which rows have one; nil if all have.
func dates(batch *arrow.Batch, name string) ([]arrow.Date, *arrow.Bitmap, error) {
	column := batch.Named(name)
	if column == nil {
		return nil, nil, streamhost.Invalid("there is no column `" + name + "`")
	}
	if days, ok := arrow.Values[arrow.Date](column); ok {
		return days, column.Valid(), nil
	}
	times, ok := arrow.Values[arrow.Timestamp](column)
	if !ok {
		return nil, nil, streamhost.Invalid("column `" + name + "` has type " + column.Type().String() + ", which has no date")
	}
	days := make([]arrow.Date, len(times))
	for i, time := range times {
		days[i] = time.Date()
	}
	return days, column.Valid(), nil
}

// pattern is a text with places for the parts of a date: texts, and between them year, month or day.
type pattern struct{ between, parts []string }

func parsePattern(text string) (*pattern, error) {
	p := &pattern{}
	rest := text
	for {
		before, behind, found := strings.Cut(rest, "{")
		p.between = append(p.between, before)
		if !found {
			return p, nil
		}
		name, behind, found := strings.Cut(behind, "}")
		if !found {
			return nil, streamhost.Invalid("config: text: `" + text + "` has a `{` and no `}` to it")
		}
		if name != "year" && name != "month" && name != "day" {
			return nil, streamhost.Invalid("config: text: {" + name + "} is none of {year}, {month} and {day}")
		}
		p.parts, rest = append(p.parts, name), behind
	}
}

// texts are the text of each day. Rows of a day mostly come together, so a text is made where the day changes.
func (p *pattern) texts(days []arrow.Date, valid *arrow.Bitmap) []string {
	texts := make([]string, len(days))
	last, made := arrow.Date(0), ""
	for i, day := range days {
		if valid != nil && !valid.Get(i) {
			continue
		}
		if made == "" || day != last {
			last, made = day, p.text(day)
		}
		texts[i] = made
	}
	return texts
}

func (p *pattern) text(day arrow.Date) string {
	year, month, date := day.Civil()
	var text strings.Builder
	for i, part := range p.parts {
		text.WriteString(p.between[i])
		switch part {
		case "year":
			text.WriteString(digits(year, 4))
		case "month":
			text.WriteString(digits(month, 2))
		default:
			text.WriteString(digits(date, 2))
		}
	}
	text.WriteString(p.between[len(p.parts)])
	return text.String()
}

func digits(n, width int) string {
	text := strconv.Itoa(n)
	return strings.Repeat("0", max(0, width-len(text))) + text
}
