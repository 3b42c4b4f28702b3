package dialect

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of a statement.
const (
	MaxLength = 10_000 // characters; the API's own bound
	MaxDepth  = 150    // how deep expressions, queries and relations may lie in one another
)

// Parse reads one SELECT statement (a query of Trino's grammar: also VALUES, TABLE, WITH, a query in parentheses); one semicolon may end
// it. Anything else is an *Error.
func Parse(sql string) (*Query, error) { return parse(sql, nil) }

// ParseTemplate reads a statement with parameters, as Parse does, and puts the values in their places, in order. A parameter is ? where an expression, a
// number of rows or a table's name may stand, or '?' where a string may: then the value is always text, as in TIMESTAMP '?'. Values become literals and
// names in the tree, never text of the statement, so none can change what the statement does. Their number must be the statement's.
func ParseTemplate(sql string, values []string) (*Query, error) {
	return parse(sql, append([]string{}, values...))
}

func parse(sql string, values []string) (q *Query, err error) {
	p := &parser{lex: lexer{sql}, values: values}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *Error:
			q, err = nil, e
		default:
			panic(e)
		}
	}()
	if !utf8.ValidString(sql) {
		n := 0
		for n < len(sql) {
			r, size := utf8.DecodeRuneInString(sql[n:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			n += size
		}
		p.fail(n, "the statement is not UTF-8")
	}
	if utf8.RuneCountInString(sql) > MaxLength {
		p.fail(0, "the statement is longer than %d characters", MaxLength)
	}
	if n := strings.IndexByte(sql, 0); n >= 0 {
		p.fail(n, "the statement has a NUL character")
	}
	for i, v := range values {
		if !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
			p.fail(0, "the value of parameter %d is not UTF-8, or has a NUL character", i+1)
		}
	}
	p.advance()
	if p.tok.kind == tokEnd {
		p.fail(p.tok.pos, "the statement is empty")
	}
	if p.tok.kind == tokWord && !p.tok.is("WITH") && !p.startsQuery(&p.tok) {
		p.fail(p.tok.pos, "only SELECT statements are supported, not %s", strings.ToUpper(p.tok.text))
	}
	root := p.query()
	if p.tok.isSym(";") {
		p.advance()
		if p.tok.kind != tokEnd {
			p.fail(p.tok.pos, "only one statement is allowed")
		}
	}
	if p.tok.kind != tokEnd {
		p.unexpected("<EOF>")
	}
	if p.taken < len(values) {
		p.fail(p.tok.pos, "Incorrect number of parameters: the statement has %d, %d were given", p.taken, len(values))
	}
	return &Query{sql, root, values != nil}, nil
}

// parser is a recursive descent over tokens that are lexed as they are asked for. It leaves by panicking with an *Error, which Parse catches.
type parser struct {
	lex     lexer
	tok     token
	ahead   []token // lexed already, after tok
	prevEnd int     // where the token before tok ended
	depth   int
	values  []string     // of parameters, nil where the statement may have none
	taken   int          // how many of them have found their place
	queries map[int]bool // by the offset of a "(": whether a query begins there
}

func (p *parser) fail(pos int, format string, args ...any) {
	line, column := place(p.lex.src, pos)
	panic(&Error{line, column, fmt.Sprintf(format, args...)})
}

func (p *parser) unexpected(expected string) {
	switch t := p.tok; t.kind {
	case tokBad:
		p.fail(t.pos, "%s", t.text)
	case tokEnd:
		p.fail(t.pos, "mismatched input '<EOF>'. Expecting: %s", expected)
	case tokBackquoted:
		p.fail(t.pos, "backquoted identifiers are not supported; use double quotes to quote identifiers")
	case tokDigitWord:
		p.fail(t.pos, "identifiers must not start with a digit; surround the identifier with double quotes")
	default:
		text := p.lex.src[t.pos:t.end]
		if len(text) > 60 {
			text = strings.ToValidUTF8(text[:60], "") + "…"
		}
		p.fail(t.pos, "mismatched input '%s'. Expecting: %s", text, expected)
	}
}

func (p *parser) advance() {
	p.prevEnd = p.tok.end
	if len(p.ahead) > 0 {
		p.tok = p.ahead[0]
		p.ahead = p.ahead[1:]
	} else {
		p.tok = p.lex.next(p.tok.end)
	}
	if p.values != nil && p.tok.kind == tokString && p.tok.text == "?" {
		p.tok.text = p.nextValue(p.tok.pos)
	}
}

// peek is the n-th token after the current one, which peek(0) is.
func (p *parser) peek(n int) *token {
	if n == 0 {
		return &p.tok
	}
	for len(p.ahead) < n {
		from := p.tok.end
		if len(p.ahead) > 0 {
			from = p.ahead[len(p.ahead)-1].end
		}
		p.ahead = append(p.ahead, p.lex.next(from))
	}
	return &p.ahead[n-1]
}

// enter counts one level of nesting; the level ends with leave.
func (p *parser) enter() {
	if p.depth++; p.depth > MaxDepth {
		p.fail(p.tok.pos, "the statement is nested more than %d levels deep", MaxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

// chain bounds what nests to the left, such as a + b + c: the n-th link of it.
func (p *parser) chain(n int) {
	if p.depth+n > MaxDepth {
		p.fail(p.tok.pos, "the statement is nested more than %d levels deep", MaxDepth)
	}
}

func (p *parser) accept(word string) bool {
	if p.tok.is(word) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) acceptSym(sym string) bool {
	if p.tok.isSym(sym) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) expect(word string) {
	if !p.accept(word) {
		p.unexpected("'" + word + "'")
	}
}

func (p *parser) expectSym(sym string) {
	if !p.acceptSym(sym) {
		p.unexpected("'" + sym + "'")
	}
}

// acceptAll takes the words where all of them follow one another.
func (p *parser) acceptAll(list ...string) bool {
	if !p.follows(list...) {
		return false
	}
	for range list {
		p.advance()
	}
	return true
}

func (p *parser) follows(list ...string) bool {
	for i, w := range list {
		if !p.peek(i).is(w) {
			return false
		}
	}
	return true
}

// oneOf takes one of the words, or fails.
func (p *parser) oneOf(list ...string) string {
	for _, w := range list {
		if p.accept(w) {
			return w
		}
	}
	p.unexpected("'" + strings.Join(list, "', '") + "'")
	return ""
}

func isName(t *token) bool {
	return t.kind == tokQuoted || t.kind == tokWord && !reserved(t.word)
}

func (p *parser) identifier() name {
	if !isName(&p.tok) {
		p.unexpected("<identifier>")
	}
	n := name{node{p.tok.pos, p.tok.end}, p.tok.text, p.tok.kind == tokQuoted}
	p.advance()
	return n
}

func (p *parser) identifiers() []name {
	p.expectSym("(")
	list := []name{p.identifier()}
	for p.acceptSym(",") {
		list = append(list, p.identifier())
	}
	p.expectSym(")")
	return list
}

func (p *parser) qualifiedName() []name {
	list := []name{p.identifier()}
	for p.tok.isSym(".") {
		p.advance()
		list = append(list, p.identifier())
	}
	return list
}

// tableName reads a name where a table's is expected: a store's ID and ARN may stand there without quotes.
func (p *parser) tableName() []name {
	if at := (node{p.tok.pos, p.tok.end}); p.tok.isSym("?") {
		v := p.parameter()
		if v == "" {
			p.fail(at.pos, "Zero-length delimited identifier not allowed")
		}
		return []name{{at, v, true}}
	}
	if t, ok := p.lex.tableToken(p.tok.pos); ok {
		n := name{node{t.pos, t.end}, t.text, false}
		p.tok, p.ahead = t, nil
		p.advance()
		return []name{n}
	}
	return p.qualifiedName()
}

func (p *parser) stringValue() string {
	t := p.tok
	switch t.kind {
	case tokString:
		p.advance()
		return t.text
	case tokUnicode:
		p.advance()
		escape := '\\'
		if p.accept("UESCAPE") {
			e := []rune(p.tok.text)
			if p.tok.kind != tokString || len(e) != 1 || strings.ContainsRune("+'\" \t\n0123456789abcdefABCDEF", e[0]) {
				p.fail(p.tok.pos, "Invalid Unicode escape character")
			}
			escape = e[0]
			p.advance()
		}
		return p.unicode(t, escape)
	}
	p.unexpected("<string>")
	return ""
}

// unicode decodes the escapes of a U&'…' string: \XXXX, \+XXXXXX and the escape character twice.
func (p *parser) unicode(t token, escape rune) string {
	var b strings.Builder
	runes := []rune(t.text)
	for i := 0; i < len(runes); i++ {
		if runes[i] != escape {
			b.WriteRune(runes[i])
			continue
		}
		i++
		if i < len(runes) && runes[i] == escape {
			b.WriteRune(escape)
			continue
		}
		n := 4
		if i < len(runes) && runes[i] == '+' {
			n, i = 6, i+1
		}
		if i+n > len(runes) {
			p.fail(t.pos, "Incomplete escape sequence")
		}
		var c rune
		for _, r := range runes[i : i+n] {
			d := strings.IndexRune("0123456789abcdef", r|0x20)
			if r > 'f' || d < 0 {
				p.fail(t.pos, "Invalid hexadecimal digit: %c", r)
			}
			c = c<<4 | rune(d)
		}
		if c == 0 || !utf8.ValidRune(c) {
			p.fail(t.pos, "Invalid escaped character: %x", c)
		}
		b.WriteRune(c)
		i += n - 1
	}
	return b.String()
}
