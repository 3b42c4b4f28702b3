package event

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// The methods below read JSON (RFC 8259) at a position of d.buf and return the position after it, or -1 when d.err was set. They accept what
// the RFC's grammar allows and nothing else, with two rules of our own: a string must be valid UTF-8, and nesting ends at MaxDepth. A lone
// surrogate in a \u escape is allowed by the grammar and kept; unescaped it reads as U+FFFD, as encoding/json has it.

const (
	ones   = 0x0101010101010101
	highs  = 0x8080808080808080
	quotes = '"' * ones
	slants = '\\' * ones
	spaces = 0x20 * ones
)

func (d *Decoder) fail(f Fault, at int, format string, args ...any) int {
	if f == Cut && d.limited {
		f, format, args = TooLarge, "the event is larger than %d bytes", []any{MaxEventSize}
	}
	d.err = &Error{Fault: f, Offset: at, Message: fmt.Sprintf(format, args...)}
	return -1
}

func (d *Decoder) cut() int { return d.fail(Cut, len(d.buf), "the text ends within the event") }

func (d *Decoder) unexpected(i int, want string) int {
	if i >= len(d.buf) {
		return d.cut()
	}
	return d.fail(Malformed, i, "expected %s, found %s", want, printable(d.buf[i]))
}

func printable(c byte) string {
	if c > ' ' && c < 0x7f {
		return fmt.Sprintf("%q", c)
	}
	return fmt.Sprintf("byte 0x%02x", c)
}

// space skips white space; at the end of the text it gives its length.
func (d *Decoder) space(i int) int {
	if i < len(d.buf) && d.buf[i] > ' ' {
		return i
	}
	return d.moreSpace(i)
}

func (d *Decoder) moreSpace(i int) int {
	for i < len(d.buf) && (d.buf[i] == ' ' || d.buf[i] == '\n' || d.buf[i] == '\r' || d.buf[i] == '\t') {
		i++
	}
	return i
}

// str reads a string whose opening quote stands before i and gives where its closing quote is, and whether it holds escapes. Eight bytes are
// looked at together: the lowest set bit of m belongs to the first byte that is a quote, a backslash, a control character or not ASCII.
func (d *Decoder) str(i int) (end int, escaped bool) {
	b := d.buf
	for {
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			q, s := w^quotes, w^slants
			m := ((q-ones)&^q | (s-ones)&^s | (w-spaces)&^w | w) & highs
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return d.cut(), false
		}
		switch c := b[i]; {
		case c == '"':
			return i, escaped
		case c == '\\':
			escaped = true
			if i = d.escape(i); i < 0 {
				return -1, false
			}
		case c < 0x20:
			return d.fail(Malformed, i, "a control character (0x%02x) stands unescaped in a string", c), false
		case c < 0x80:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				if !utf8.FullRune(b[i:]) {
					return d.cut(), false
				}
				return d.fail(NotUTF8, i, "a string is not UTF-8 (byte 0x%02x)", c), false
			}
			i += n
		}
	}
}

// escape reads the escape that begins with the backslash at i.
func (d *Decoder) escape(i int) int {
	b := d.buf
	if i+1 >= len(b) {
		return d.cut()
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for j := i + 2; j < i+6; j++ {
			if j >= len(b) {
				return d.cut()
			}
			if hexDigit(b[j]) < 0 {
				return d.fail(Malformed, j, "\\u must be followed by four hexadecimal digits, found %s", printable(b[j]))
			}
		}
		return i + 6
	}
	return d.fail(Malformed, i+1, "no escape sequence begins with \\ and %s", printable(b[i+1]))
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// number reads the number at i.
func (d *Decoder) number(i int) int {
	b := d.buf
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = d.digits(i); i < 0 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = d.digits(i + 1); i < 0 {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if i = d.digits(i); i < 0 {
			return -1
		}
	}
	return i
}

func (d *Decoder) digits(i int) int {
	b, first := d.buf, i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == first {
		return d.unexpected(i, "a digit")
	}
	return i
}

// literal reads word (true, false or null) at i.
func (d *Decoder) literal(i int, word string) int {
	b := d.buf
	for j := range len(word) {
		if i+j >= len(b) {
			return d.cut()
		}
		if b[i+j] != word[j] {
			return d.fail(Malformed, i+j, "expected %s, found %s", word, printable(b[i+j]))
		}
	}
	return i + len(word)
}

// skip reads the value at i, whatever it is. depth is the level that it lies in.
func (d *Decoder) skip(i, depth int) int {
	if i >= len(d.buf) {
		return d.cut()
	}
	switch c := d.buf[i]; c {
	case '"':
		end, _ := d.str(i + 1)
		if end < 0 {
			return -1
		}
		return end + 1
	case '{':
		return d.skipObject(i, depth+1)
	case '[':
		return d.skipList(i, depth+1)
	case 't':
		return d.literal(i, "true")
	case 'f':
		return d.literal(i, "false")
	case 'n':
		return d.literal(i, "null")
	default:
		if c == '-' || c-'0' <= 9 {
			return d.number(i)
		}
	}
	return d.unexpected(i, "a value")
}

func (d *Decoder) tooDeep(i int) int {
	return d.fail(TooDeep, i, "the event is nested deeper than %d levels", MaxDepth)
}

func (d *Decoder) skipObject(i, depth int) int {
	if depth > MaxDepth {
		return d.tooDeep(i)
	}
	i = d.space(i + 1)
	if i < len(d.buf) && d.buf[i] == '}' {
		return i + 1
	}
	for {
		_, _, _, next := d.memberName(i)
		if next < 0 {
			return -1
		}
		if i = d.skip(next, depth); i < 0 {
			return -1
		}
		var last bool
		if i, last = d.separator(i, '}', "',' or '}'"); i < 0 || last {
			return i
		}
	}
}

func (d *Decoder) skipList(i, depth int) int {
	if depth > MaxDepth {
		return d.tooDeep(i)
	}
	i = d.space(i + 1)
	if i < len(d.buf) && d.buf[i] == ']' {
		return i + 1
	}
	for {
		if i = d.skip(i, depth); i < 0 {
			return -1
		}
		var last bool
		if i, last = d.separator(i, ']', "',' or ']'"); i < 0 || last {
			return i
		}
	}
}

// memberName reads a name and its colon at i. The name is buf[from:to] as it stands; next is where the value begins.
func (d *Decoder) memberName(i int) (from, to int, escaped bool, next int) {
	if i >= len(d.buf) || d.buf[i] != '"' {
		return 0, 0, false, d.unexpected(i, "a member's name in quotes")
	}
	from = i + 1
	if to, escaped = d.str(from); to < 0 {
		return 0, 0, false, -1
	}
	if i = d.space(to + 1); i >= len(d.buf) || d.buf[i] != ':' {
		return 0, 0, false, d.unexpected(i, "':'")
	}
	return from, to, escaped, d.space(i + 1)
}

// separator reads what follows a value: a comma, after which next stands at the following member or element, or the end mark, after which the
// object or list is over.
func (d *Decoder) separator(i int, end byte, want string) (next int, last bool) {
	i = d.space(i)
	if i < len(d.buf) {
		switch d.buf[i] {
		case ',':
			return d.space(i + 1), false
		case end:
			return i + 1, true
		}
	}
	return d.unexpected(i, want), false
}

// unescape appends the string s, which holds escapes, to dst in plain text. s has been read by str.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		switch s[i+1] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := codeUnit(s[i+2:])
			i += 4
			if r >= 0xd800 && r < 0xe000 {
				pair := rune(utf8.RuneError)
				if r < 0xdc00 && i+8 <= len(s) && s[i+2] == '\\' && s[i+3] == 'u' {
					if low := codeUnit(s[i+4:]); low >= 0xdc00 && low < 0xe000 {
						pair = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
						i += 6
					}
				}
				r = pair
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, s[i+1])
		}
		i += 2
	}
	return dst
}

func codeUnit(s []byte) rune {
	return rune(hexDigit(s[0])<<12 | hexDigit(s[1])<<8 | hexDigit(s[2])<<4 | hexDigit(s[3]))
}
