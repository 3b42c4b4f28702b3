package model

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/lochlake/loch/awserr"
)

// malformed is the error for text that is no JSON, or not the JSON that the model wants, with the byte where that shows.
func (d *decoder) malformed(format string, args ...any) error {
	where := ""
	if len(d.path) > 0 {
		where = ", in " + strings.Join(d.path, ".")
	}
	return awserr.New("SerializationException", "%s (at byte %d of the body%s)", fmt.Sprintf(format, args...), d.i, where)
}

func (d *decoder) wrongType(want string) error {
	names := map[byte]string{'"': "STRING_VALUE", '{': "START_OBJECT", '[': "START_ARRAY", 't': "TRUE_VALUE", 'f': "FALSE_VALUE", '-': "NUMBER_VALUE"}
	c := d.peek()
	if c >= '0' && c <= '9' {
		c = '-'
	}
	if name, ok := names[c]; ok {
		return d.malformed("%s can not be converted to %s", name, want)
	}
	return d.malformed("a value must come here, not %s", d.next())
}

// next describes the byte that comes next.
func (d *decoder) next() string {
	if d.i >= len(d.b) {
		return "the end"
	}
	return strconv.QuoteRune(rune(d.b[d.i]))
}

func (d *decoder) enter() error {
	if d.depth++; d.depth > maxDepth {
		return d.malformed("deeper than %d levels", maxDepth)
	}
	return nil
}

func (d *decoder) leave() { d.depth-- }

func (d *decoder) space() {
	for d.i < len(d.b) {
		switch d.b[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

// peek gives the first byte after white space, 0 at the end.
func (d *decoder) peek() byte {
	d.space()
	if d.i == len(d.b) {
		return 0
	}
	return d.b[d.i]
}

func (d *decoder) literal(word string) bool {
	d.space()
	if !strings.HasPrefix(string(d.b[d.i:min(len(d.b), d.i+len(word))]), word) {
		return false
	}
	d.i += len(word)
	return true
}

func (d *decoder) null() bool { return d.literal("null") }

// more reads the comma or the end of an array or object.
func (d *decoder) more(end byte) (bool, error) {
	switch d.peek() {
	case ',':
		d.i++
		return true, nil
	case end:
		d.i++
		return false, nil
	}
	return false, d.malformed("a comma or %q must come here, not %s", end, d.next())
}

func (d *decoder) text(want string) (string, error) {
	if d.peek() != '"' {
		return "", d.wrongType(want)
	}
	return d.str()
}

// str reads a string whose quote is next. The body is known to be UTF-8. An escaped surrogate without its other half is refused: it could only be
// kept as another character than the one that was sent.
func (d *decoder) str() (string, error) {
	d.i++
	var out []byte
	for {
		run := d.i
		for d.i < len(d.b) && d.b[d.i] != '"' && d.b[d.i] != '\\' && d.b[d.i] >= ' ' {
			d.i++
		}
		if d.i == len(d.b) {
			break
		}
		switch d.b[d.i] {
		case '"':
			d.i++
			if out == nil {
				return string(d.b[run : d.i-1]), nil
			}
			return string(append(out, d.b[run:d.i-1]...)), nil
		case '\\':
			var err error
			if out, err = d.escape(append(out, d.b[run:d.i]...)); err != nil {
				return "", err
			}
		default:
			return "", d.malformed("a control character in a string must be escaped")
		}
	}
	return "", d.malformed("a string does not end")
}

func (d *decoder) escape(out []byte) ([]byte, error) {
	if d.i+1 == len(d.b) {
		return nil, d.malformed("a string does not end")
	}
	c := d.b[d.i+1]
	if c != 'u' {
		const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
		k := strings.IndexByte(from, c)
		if k < 0 {
			return nil, d.malformed("no such escape: \\%s", strconv.QuoteRune(rune(c)))
		}
		d.i += 2
		return append(out, to[k]), nil
	}
	r, ok := d.hex(d.i)
	if ok && utf16.IsSurrogate(r) {
		low, paired := d.hex(d.i + 6)
		if r = utf16.DecodeRune(r, low); !paired || r == '\uFFFD' {
			return nil, d.malformed("half a surrogate pair")
		}
		d.i += 6
	}
	if !ok {
		return nil, d.malformed("\\u needs four hexadecimal digits")
	}
	d.i += 6
	return append(out, string(r)...), nil
}

// hex reads \uXXXX at i.
func (d *decoder) hex(i int) (rune, bool) {
	if i+6 > len(d.b) || d.b[i] != '\\' || d.b[i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(d.b[i+2:i+6]), 16, 16)
	return rune(n), err == nil
}

// numeral reads a number by RFC 8259's grammar.
func (d *decoder) numeral() (string, error) {
	start := d.i
	digits := func() bool {
		from := d.i
		for d.i < len(d.b) && d.b[d.i] >= '0' && d.b[d.i] <= '9' {
			d.i++
		}
		return d.i > from
	}
	at := func(set string) bool { return d.i < len(d.b) && strings.IndexByte(set, d.b[d.i]) >= 0 }
	if at("-") {
		d.i++
	}
	ok := true
	if at("0") {
		d.i++
	} else {
		ok = digits()
	}
	if ok && at(".") {
		d.i++
		ok = digits()
	}
	if ok && at("eE") {
		d.i++
		if at("+-") {
			d.i++
		}
		ok = digits()
	}
	if !ok {
		return "", d.malformed("a number is cut short")
	}
	return string(d.b[start:d.i]), nil
}

// skip reads over a value that the model doesn't know.
func (d *decoder) skip() error {
	switch c := d.peek(); {
	case c == '"':
		_, err := d.str()
		return err
	case c == '{':
		if err := d.enter(); err != nil {
			return err
		}
		defer d.leave()
		return d.object(func(string) error { return d.skip() })
	case c == '[':
		if err := d.enter(); err != nil {
			return err
		}
		defer d.leave()
		d.i++
		if d.peek() == ']' {
			d.i++
			return nil
		}
		for {
			if err := d.skip(); err != nil {
				return err
			}
			if more, err := d.more(']'); err != nil || !more {
				return err
			}
		}
	case c == '-' || c >= '0' && c <= '9':
		_, err := d.numeral()
		return err
	case d.literal("true"), d.literal("false"), d.null():
		return nil
	}
	return d.malformed("a value must come here, not %s", d.next())
}
