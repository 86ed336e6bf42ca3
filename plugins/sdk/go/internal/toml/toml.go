// Package toml reads the part of TOML that fixtures are written in: tables, arrays of tables, inline tables, arrays, strings of all four
// kinds, numbers and booleans.
package toml

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"streamhost/internal/json"
)

// Table is a table; its values are strings, json.Number, bool, []any and Table.
type Table = map[string]any

// Parse reads a file.
func Parse(text string) (root Table, err error) {
	p := &parser{text: text}
	defer func() {
		if wrong, ok := recover().(wrong); ok {
			err = errors.New("line " + strconv.Itoa(1+strings.Count(text[:min(p.at, len(text))], "\n")) + ": expected " + string(wrong))
		}
	}()
	root = Table{}
	table := root
	for p.lines(); p.at < len(text); p.lines() {
		switch {
		case p.take("[["):
			table = p.entered(root, true)
			p.expect("]]")
		case p.take("["):
			table = p.entered(root, false)
			p.expect("]")
		default:
			p.pair(table)
		}
		p.spaces()
		if p.at < len(text) && text[p.at] != '\n' && text[p.at] != '#' && text[p.at] != '\r' {
			p.fail("the end of the line")
		}
	}
	return root, nil
}

// wrong is what was expected where the text is something else.
type wrong string

type parser struct {
	text string
	at   int
}

func (p *parser) fail(wanted string) { panic(wrong(wanted)) }

func (p *parser) peek() byte {
	if p.at >= len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) take(text string) bool {
	if !strings.HasPrefix(p.text[p.at:], text) {
		return false
	}
	p.at += len(text)
	return true
}

func (p *parser) expect(text string) {
	p.spaces()
	if !p.take(text) {
		p.fail("`" + text + "`")
	}
}

func (p *parser) spaces() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.at++
	}
}

// lines skips empty lines and comments.
func (p *parser) lines() {
	for {
		p.spaces()
		switch {
		case p.take("\n"), p.take("\r\n"):
		case p.peek() == '#':
			p.at += strings.IndexByte(p.text[p.at:]+"\n", '\n')
		default:
			return
		}
	}
}

// entered is the table of a header.
func (p *parser) entered(root Table, array bool) Table {
	keys := p.keys()
	table := root
	for i, key := range keys {
		last := i == len(keys)-1
		if last && array {
			list, _ := table[key].([]any)
			made := Table{}
			table[key] = append(list, made)
			return made
		}
		table = p.within(table, key)
	}
	return table
}

// within is a table's table; of an array of tables it is the last one.
func (p *parser) within(table Table, key string) Table {
	switch found := table[key].(type) {
	case nil:
		made := Table{}
		table[key] = made
		return made
	case Table:
		return found
	case []any:
		if last, ok := found[len(found)-1].(Table); ok {
			return last
		}
	}
	p.fail("`" + key + "` to be a table")
	return nil
}

func (p *parser) keys() []string {
	keys := []string{p.key()}
	for p.spaces(); p.take("."); p.spaces() {
		keys = append(keys, p.key())
	}
	return keys
}

func (p *parser) key() string {
	p.spaces()
	if c := p.peek(); c == '"' || c == '\'' {
		return p.string()
	}
	start := p.at
	for c := p.peek(); c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'; c = p.peek() {
		p.at++
	}
	if start == p.at {
		p.fail("a key")
	}
	return p.text[start:p.at]
}

func (p *parser) pair(table Table) {
	keys := p.keys()
	for _, key := range keys[:len(keys)-1] {
		table = p.within(table, key)
	}
	p.expect("=")
	key := keys[len(keys)-1]
	if _, again := table[key]; again {
		p.fail("`" + key + "` once")
	}
	table[key] = p.value()
}

func (p *parser) value() any {
	p.spaces()
	switch c := p.peek(); {
	case c == '"' || c == '\'':
		return p.string()
	case p.take("["):
		return p.array()
	case p.take("{"):
		return p.inline()
	case p.take("true"):
		return true
	case p.take("false"):
		return false
	}
	start := p.at
	for strings.IndexByte("+-.0123456789_eEinfa", p.peek()) >= 0 && p.peek() != 0 {
		p.at++
	}
	number := strings.ReplaceAll(strings.TrimPrefix(p.text[start:p.at], "+"), "_", "")
	if _, err := strconv.ParseFloat(number, 64); err != nil {
		p.fail("a value")
	}
	return json.Number(number)
}

func (p *parser) array() []any {
	list := []any{}
	for {
		p.lines()
		if p.take("]") {
			return list
		}
		list = append(list, p.value())
		p.lines()
		if !p.take(",") && p.peek() != ']' {
			p.fail("`,` or `]`")
		}
	}
}

func (p *parser) inline() Table {
	table := Table{}
	for {
		p.spaces()
		if p.take("}") {
			return table
		}
		p.pair(table)
		p.spaces()
		if !p.take(",") && p.peek() != '}' {
			p.fail("`,` or `}`")
		}
	}
}

func (p *parser) string() string {
	for _, quote := range []string{`"""`, `'''`, `"`, `'`} {
		if !p.take(quote) {
			continue
		}
		if len(quote) == 3 {
			_ = p.take("\r\n") || p.take("\n")
		}
		return p.until(quote)
	}
	p.fail("a string")
	return ""
}

func (p *parser) until(quote string) string {
	var text strings.Builder
	for !p.take(quote) {
		c := p.peek()
		switch {
		case p.at >= len(p.text), c == '\n' && len(quote) == 1:
			p.fail("a closing " + quote)
		case c == '\\' && quote[0] == '"':
			p.escape(&text)
		default:
			text.WriteByte(c)
			p.at++
		}
	}
	return text.String()
}

func (p *parser) escape(text *strings.Builder) {
	p.at++
	c := p.peek()
	p.at++
	switch at := strings.IndexByte(`bfnrt"\`, c); {
	case at >= 0:
		text.WriteByte("\b\f\n\r\t\"\\"[at])
	case c == 'u' || c == 'U':
		digits := map[byte]int{'u': 4, 'U': 8}[c]
		n, err := strconv.ParseUint(p.text[p.at:min(p.at+digits, len(p.text))], 16, 32)
		if err != nil || !utf8.ValidRune(rune(n)) {
			p.fail("a character's number")
		}
		text.WriteRune(rune(n))
		p.at += digits
	case c == '\n':
		for p.peek() == ' ' || p.peek() == '\t' || p.peek() == '\n' {
			p.at++
		}
	default:
		p.fail("an escape")
	}
}

// JSON writes a value as JSON.
func JSON(value any) string {
	switch v := value.(type) {
	case string:
		return json.Quote(v)
	case json.Number:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = JSON(item)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case Table:
		var parts []string
		for key, item := range v {
			parts = append(parts, json.Quote(key)+":"+JSON(item))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "null"
}
