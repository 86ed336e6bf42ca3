// Package json reads JSON, small and strict. A configuration needs little of it, and encoding/json would be the largest part of a plugin.
package json

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Value is nil, a bool, a Number, a string, an []Value or an Object.
type Value = any

// Number is a number as it was written.
type Number string

// Object has its members in the order in which they came.
type Object []Member

// Member is a name and a value.
type Member struct {
	Name  string
	Value Value
}

// Get is the value of a member; false if there is none.
func (o Object) Get(name string) (Value, bool) {
	for _, member := range o {
		if member.Name == name {
			return member.Value, true
		}
	}
	return nil, false
}

// deepest nesting of arrays and objects.
const deepest = 64

// Parse reads one value, and nothing behind it.
func Parse(text string) (Value, error) {
	p := parser{text: text}
	value := p.value(0)
	p.space()
	if p.err == nil && p.at < len(text) {
		p.fail("the end")
	}
	return value, p.err
}

type parser struct {
	text string
	at   int
	err  error
}

func (p *parser) fail(wanted string) {
	if p.err == nil {
		p.err = errors.New("JSON, position " + strconv.Itoa(p.at+1) + ": expected " + wanted)
	}
	p.at = len(p.text)
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// peek is the next character that is no space; 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.at >= len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

func (p *parser) value(depth int) Value {
	if depth == deepest {
		p.fail("fewer levels of nesting")
		return nil
	}
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.string()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	switch {
	case p.word("true"):
		return true
	case p.word("false"):
		return false
	case !p.word("null"):
		p.fail("a value")
	}
	return nil
}

func (p *parser) word(word string) bool {
	if !strings.HasPrefix(p.text[p.at:], word) {
		return false
	}
	p.at += len(word)
	return true
}

func (p *parser) object(depth int) Value {
	p.at++
	object := Object{}
	if p.take('}') {
		return object
	}
	for p.err == nil {
		if p.peek() != '"' {
			p.fail("a name in quotes")
			break
		}
		name := p.string()
		if !p.take(':') {
			p.fail("`:`")
			break
		}
		object = append(object, Member{name, p.value(depth + 1)})
		if p.take('}') {
			return object
		}
		if !p.take(',') {
			p.fail("`,` or `}`")
		}
	}
	return nil
}

func (p *parser) array(depth int) Value {
	p.at++
	array := []Value{}
	if p.take(']') {
		return array
	}
	for p.err == nil {
		array = append(array, p.value(depth+1))
		if p.take(']') {
			return array
		}
		if !p.take(',') {
			p.fail("`,` or `]`")
		}
	}
	return nil
}

func (p *parser) number() Value {
	start := p.at
	p.word("-")
	whole := p.digits()
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		p.fail("a number")
		return nil
	}
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		if p.digits() == "" {
			p.fail("a digit")
		}
	}
	if p.at < len(p.text) && (p.text[p.at] == 'e' || p.text[p.at] == 'E') {
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '+' || p.text[p.at] == '-') {
			p.at++
		}
		if p.digits() == "" {
			p.fail("a digit")
		}
	}
	if p.err != nil {
		return nil
	}
	return Number(p.text[start:p.at])
}

func (p *parser) digits() string {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	return p.text[start:p.at]
}

func (p *parser) string() string {
	p.at++
	var text strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			p.at++
			return text.String()
		case c == '\\':
			p.escape(&text)
		case c < ' ':
			p.fail("no control character in a string")
		default:
			r, size := utf8.DecodeRuneInString(p.text[p.at:])
			text.WriteRune(r)
			p.at += size
		}
	}
	p.fail("a closing quote")
	return ""
}

func (p *parser) escape(text *strings.Builder) {
	if p.at+1 >= len(p.text) {
		p.fail("an escape")
		return
	}
	c := p.text[p.at+1]
	if c == 'u' {
		p.unicode(text)
		return
	}
	at := strings.IndexByte(`"\/bfnrt`, c)
	if at < 0 {
		p.fail("an escape")
		return
	}
	text.WriteByte("\"\\/\b\f\n\r\t"[at])
	p.at += 2
}

func (p *parser) unicode(text *strings.Builder) {
	r, ok := p.unit()
	if ok && utf16.IsSurrogate(r) && strings.HasPrefix(p.text[p.at:], `\u`) {
		var low rune
		low, ok = p.unit()
		r = utf16.DecodeRune(r, low)
	}
	if !ok {
		p.fail("four hexadecimal digits")
		return
	}
	text.WriteRune(r)
}

// unit takes `\u1234`.
func (p *parser) unit() (rune, bool) {
	if p.at+6 > len(p.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.text[p.at+2:p.at+6], 16, 16)
	p.at += 6
	return rune(n), err == nil
}

// Quote writes a string.
func Quote(text string) string {
	quoted := []byte{'"'}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			quoted = append(quoted, '\\', c)
		case c == '\n':
			quoted = append(quoted, '\\', 'n')
		case c == '\t':
			quoted = append(quoted, '\\', 't')
		case c < ' ':
			const digits = "0123456789abcdef"
			quoted = append(quoted, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			quoted = append(quoted, c)
		}
	}
	return string(append(quoted, '"'))
}
