package sqljson

import (
	"strings"
	"unicode/utf8"
)

// token is one part of a JSON text.
type token uint8

const (
	tokNone token = iota // before the first
	tokEnd               // the text is over
	tokObject
	tokObjectEnd
	tokArray
	tokArrayEnd
	tokName
	tokString
	tokInt
	tokFloat
	tokTrue
	tokFalse
	tokNull
)

func (t token) scalar() bool { return t >= tokString }

// scanner reads a JSON text token by token, as Jackson does for Trino: what stands before a fault is read, and what follows the root value is looked at
// only when it is asked for.
type scanner struct {
	s     string
	i     int
	tok   token
	from  int    // where the token's text begins
	to    int    // and ends
	stack []byte // '{' and '[' that are open
	first bool   // nothing stands yet in what is open last
	named bool   // a name was read, its value is due
	limit int    // how many may be open, 0 for any number
}

func newScanner(s string) *scanner { return &scanner{s: s, first: true} }

func (p *scanner) blanks() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// next reads a token. At the end of the text it gives tokEnd, an error inside an open array or object.
func (p *scanner) next() (token, error) {
	p.tok = tokNone
	t, err := p.read()
	if err != nil {
		return tokNone, err
	}
	p.tok = t
	return t, nil
}

func (p *scanner) read() (token, error) {
	p.blanks()
	if p.i >= len(p.s) {
		if len(p.stack) > 0 {
			return 0, errJSON
		}
		return tokEnd, nil
	}
	c := p.s[p.i]
	if n := len(p.stack); n > 0 && !p.named {
		open := p.stack[n-1]
		if c == '}' && open == '{' || c == ']' && open == '[' {
			p.i++
			p.stack = p.stack[:n-1]
			p.first = false
			if c == '}' {
				return tokObjectEnd, nil
			}
			return tokArrayEnd, nil
		}
		if !p.first {
			if c != ',' {
				return 0, errJSON
			}
			p.i++
			p.blanks()
			if p.i >= len(p.s) {
				return 0, errJSON
			}
			c = p.s[p.i]
		}
		if open == '{' {
			if c != '"' {
				return 0, errJSON
			}
			if err := p.quoted(); err != nil {
				return 0, err
			}
			p.blanks()
			if p.i >= len(p.s) || p.s[p.i] != ':' {
				return 0, errJSON
			}
			p.i++
			p.named, p.first = true, false
			return tokName, nil
		}
	}
	p.named, p.first = false, false
	return p.value(c)
}

func (p *scanner) value(c byte) (token, error) {
	switch {
	case c == '{', c == '[':
		if p.limit > 0 && len(p.stack) >= p.limit {
			return 0, errJSON
		}
		p.i++
		p.stack = append(p.stack, c)
		p.first = true
		if c == '{' {
			return tokObject, nil
		}
		return tokArray, nil
	case c == '"':
		return tokString, p.quoted()
	case c == 't':
		return tokTrue, p.word("true")
	case c == 'f':
		return tokFalse, p.word("false")
	case c == 'n':
		return tokNull, p.word("null")
	}
	return p.number()
}

// word reads a literal; no letter or digit may follow it.
func (p *scanner) word(w string) error {
	if !strings.HasPrefix(p.s[p.i:], w) {
		return errJSON
	}
	p.i += len(w)
	if p.i < len(p.s) {
		if c := p.s[p.i]; c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 {
			return errJSON
		}
	}
	return nil
}

// quoted reads a string, whose text from p.from to p.to is still as written.
func (p *scanner) quoted() error {
	p.i++
	p.from = p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.to = p.i
			p.i++
			return nil
		case c < ' ':
			return errJSON
		case c == '\\':
			n := escape(p.s[p.i:])
			if n == 0 {
				return errJSON
			}
			p.i += n
		default:
			p.i++
		}
	}
	return errJSON
}

// escape is the length of the escape that s begins with, 0 where it is none.
func escape(s string) int {
	if len(s) < 2 {
		return 0
	}
	if strings.IndexByte(`"\/bfnrt`, s[1]) >= 0 {
		return 2
	}
	if s[1] != 'u' || len(s) < 6 {
		return 0
	}
	if _, ok := hex4(s[2:6]); !ok {
		return 0
	}
	return 6
}

func hex4(s string) (r rune, ok bool) {
	for i := range 4 {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (p *scanner) digits() int {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i - start
}

func (p *scanner) number() (token, error) {
	p.from = p.i
	t := tokInt
	if p.s[p.i] == '-' {
		p.i++
	}
	start := p.i
	if n := p.digits(); n == 0 || n > 1 && p.s[start] == '0' {
		return 0, errJSON
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		t = tokFloat
		if p.digits() == 0 {
			return 0, errJSON
		}
	}
	if p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		p.i++
		t = tokFloat
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if p.digits() == 0 {
			return 0, errJSON
		}
	}
	p.to = p.i
	if len(p.stack) == 0 && p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) < 0 {
		return 0, errJSON
	}
	return t, nil
}

// text is a string's or a name's text, its escapes read; of a number it is as written.
func (p *scanner) text() string {
	raw := p.s[p.from:p.to]
	switch p.tok {
	case tokTrue:
		return "true"
	case tokFalse:
		return "false"
	case tokInt, tokFloat:
		return raw
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			b = append(b, raw[i])
			i++
			continue
		}
		if raw[i+1] != 'u' {
			c := raw[i+1]
			if k := strings.IndexByte("bfnrt", c); k >= 0 {
				c = "\b\f\n\r\t"[k]
			}
			b = append(b, c)
			i += 2
			continue
		}
		r, _ := hex4(raw[i+2 : i+6])
		i += 6
		if r >= 0xd800 && r < 0xdc00 && len(raw)-i >= 6 && raw[i] == '\\' && raw[i+1] == 'u' {
			if low, ok := hex4(raw[i+2 : i+6]); ok && low >= 0xdc00 && low < 0xe000 {
				r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
				i += 6
			}
		}
		b = appendRune(b, r)
	}
	return string(b)
}

// appendRune is utf8.AppendRune that keeps a lone surrogate, as three bytes.
func appendRune(b []byte, r rune) []byte {
	if r >= 0xd800 && r < 0xe000 {
		return append(b, byte(0xe0|r>>12), byte(0x80|r>>6&0x3f), byte(0x80|r&0x3f))
	}
	return utf8.AppendRune(b, r)
}

// skip goes past the rest of the array or object that the last token began, to its end.
func (p *scanner) skip() error {
	if p.tok != tokObject && p.tok != tokArray {
		return nil
	}
	for depth := len(p.stack); len(p.stack) >= depth; {
		if _, err := p.next(); err != nil {
			return err
		}
	}
	return nil
}
