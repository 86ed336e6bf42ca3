package arrow

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// deepest is the levels of ARRAY, MAP and STRUCT within each other that cross the boundary.
const deepest = 8

// ParseSchema reads Spark's way to write a schema: `user_id INT, tags ARRAY<STRING>`. A column may be null unless it says NOT NULL.
// The error has the place and what was expected there.
func ParseSchema(ddl string) (Schema, error) {
	p := parser{text: ddl}
	fields := p.fields()
	p.end()
	return fields, p.err
}

// ParseType reads a type as a schema has it: `DECIMAL(10, 2)`.
func ParseType(ddl string) (Type, error) {
	p := parser{text: ddl}
	t := p.dataType()
	p.end()
	return t, p.err
}

// parser keeps its first error; behind it everything is empty.
type parser struct {
	text  string
	at    int
	depth int
	err   error
}

var names = map[string]Type{
	"BOOLEAN": BOOLEAN, "TINYINT": TINYINT, "BYTE": TINYINT, "SMALLINT": SMALLINT, "SHORT": SMALLINT, "INT": INT, "INTEGER": INT,
	"BIGINT": BIGINT, "LONG": BIGINT, "FLOAT": FLOAT, "REAL": FLOAT, "DOUBLE": DOUBLE, "STRING": STRING, "BINARY": BINARY,
	"DATE": DATE, "TIMESTAMP": TIMESTAMP, "TIMESTAMP_LTZ": TIMESTAMP, "TIMESTAMP_NTZ": TIMESTAMP_NTZ,
}

func (p *parser) fields() []Field {
	var fields []Field
	for p.err == nil {
		name := p.name()
		// Spark has a colon in a STRUCT and none outside; both are clear.
		p.take(':')
		fields = append(fields, Field{Name: name, Type: p.dataType(), Nullable: !p.notNull()})
		if !p.take(',') {
			break
		}
	}
	return fields
}

func (p *parser) dataType() Type {
	start := p.at
	word := strings.ToUpper(p.word())
	if plain, ok := names[word]; ok {
		return plain
	}
	switch word {
	case "DECIMAL", "NUMERIC", "DEC":
		return p.decimal()
	case "ARRAY", "MAP", "STRUCT":
		return p.nested(word)
	}
	p.at = start
	p.fail("a type, such as INT, BIGINT, DOUBLE, STRING or TIMESTAMP")
	return Type{}
}

func (p *parser) nested(word string) (t Type) {
	if p.depth == deepest {
		p.fail("at most 8 levels of ARRAY, MAP and STRUCT")
		return t
	}
	p.depth++
	p.expect('<')
	switch word {
	case "ARRAY":
		t = ARRAY(p.dataType())
	case "STRUCT":
		t = STRUCT(p.fields()...)
	default:
		key := p.dataType()
		p.expect(',')
		t = MAP(key, p.dataType())
	}
	p.depth--
	p.expect('>')
	return t
}

func (p *parser) decimal() Type {
	if !p.take('(') {
		return DECIMAL(10, 0)
	}
	precision, scale := p.number(38), int32(0)
	if p.take(',') {
		scale = p.number(precision)
	}
	p.expect(')')
	return DECIMAL(precision, scale)
}

func (p *parser) number(most int32) int32 {
	start := p.at
	n, err := strconv.ParseUint(p.word(), 10, 8)
	if err != nil || int32(n) > most {
		p.at = start
		p.fail("a number up to " + number(most))
		return 0
	}
	return int32(n)
}

func (p *parser) notNull() bool {
	start := p.at
	if !strings.EqualFold(p.word(), "NOT") {
		p.at = start
		return false
	}
	if !strings.EqualFold(p.word(), "NULL") {
		p.fail("NULL after NOT")
	}
	return true
}

func (p *parser) name() string {
	if p.take('`') {
		return p.quotedName()
	}
	word := p.word()
	if word == "" {
		p.fail("a column's name")
	}
	return word
}

// quotedName is a name in backquotes, where two of them mean one.
func (p *parser) quotedName() string {
	var name strings.Builder
	for {
		end := strings.IndexByte(p.text[p.at:], '`')
		if end < 0 {
			p.fail("a closing `")
			return ""
		}
		name.WriteString(p.text[p.at : p.at+end])
		p.at += end + 1
		if !strings.HasPrefix(p.text[p.at:], "`") {
			return name.String()
		}
		name.WriteByte('`')
		p.at++
	}
}

func (p *parser) word() string {
	p.space()
	start := p.at
	for p.at < len(p.text) {
		c, size := utf8.DecodeRuneInString(p.text[p.at:])
		if !wordRune(c) {
			break
		}
		p.at += size
	}
	return p.text[start:p.at]
}

func wordRune(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }

func (p *parser) take(wanted byte) bool {
	p.space()
	if p.at >= len(p.text) || p.text[p.at] != wanted {
		return false
	}
	p.at++
	return true
}

func (p *parser) expect(wanted byte) {
	if !p.take(wanted) {
		p.fail("`" + string(rune(wanted)) + "`")
	}
}

func (p *parser) end() {
	p.space()
	if p.at < len(p.text) {
		p.fail("`,` or the end")
	}
}

func (p *parser) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t' || p.text[p.at] == '\n' || p.text[p.at] == '\r') {
		p.at++
	}
}

func (p *parser) fail(wanted string) {
	if p.err == nil {
		column := strconv.Itoa(utf8.RuneCountInString(p.text[:p.at]) + 1)
		found := strings.TrimLeft(p.text[p.at:], " \t\r\n")
		p.err = errors.New("schema, column " + column + ": expected " + wanted + ", found `" + found + "`")
	}
	p.at = len(p.text)
}
