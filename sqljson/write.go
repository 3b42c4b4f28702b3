package sqljson

import (
	"math"
	"sort"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/lochlake/loch/javatext"
)

// style is how a text is written.
type style struct {
	sorted bool // members by their names
	wide   bool // characters beyond the basic plane as they are, not as two escapes
}

// append writes an item. Numbers that are not finite become strings.
func (it *item) append(dst []byte, st style) []byte {
	switch it.kind {
	case nullKind:
		return append(dst, "null"...)
	case boolKind:
		return strconv.AppendBool(dst, it.num != 0)
	case textKind:
		return appendString(dst, it.text, st)
	case tinyKind, smallKind, integerKind, bigintKind:
		return strconv.AppendInt(dst, it.num, 10)
	case realKind, doubleKind:
		bits := 64
		if it.kind == realKind {
			bits = 32
		}
		if math.IsInf(it.float, 0) || math.IsNaN(it.float) {
			dst = append(dst, '"')
			return append(javatext.AppendDouble(dst, it.float, bits), '"')
		}
		return javatext.AppendDouble(dst, it.float, bits)
	case decimalKind:
		return append(dst, it.dec.java()...)
	case hugeKind, otherKind:
		return append(dst, it.text...)
	case arrayKind:
		dst = append(dst, '[')
		for i, e := range it.elems {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.append(dst, st)
		}
		return append(dst, ']')
	}
	order := make([]int, len(it.names))
	for i := range order {
		order[i] = i
	}
	if st.sorted {
		sort.Slice(order, func(i, j int) bool { return less(it.names[order[i]], it.names[order[j]]) })
	}
	dst = append(dst, '{')
	for n, i := range order {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, it.names[i], st), ':')
		dst = it.elems[i].append(dst, st)
	}
	return append(dst, '}')
}

const upperHex = "0123456789ABCDEF"

func appendString(dst []byte, s string, st style) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c >= ' ':
				dst = append(dst, c)
			case c == '\b':
				dst = append(dst, `\b`...)
			case c == '\f':
				dst = append(dst, `\f`...)
			case c == '\n':
				dst = append(dst, `\n`...)
			case c == '\r':
				dst = append(dst, `\r`...)
			case c == '\t':
				dst = append(dst, `\t`...)
			default:
				dst = appendEscape(dst, rune(c))
			}
			continue
		}
		r, n := decodeRune(s[i:])
		switch {
		case r >= 0x10000 && !st.wide:
			high, low := utf16.EncodeRune(r)
			dst = appendEscape(appendEscape(dst, high), low)
		case r >= 0xd800 && r < 0xe000 && st.wide:
			dst = append(dst, '?')
		case r >= 0xd800 && r < 0xe000:
			dst = appendEscape(dst, r)
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return append(dst, '"')
}

func appendEscape(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', upperHex[r>>12&15], upperHex[r>>8&15], upperHex[r>>4&15], upperHex[r&15])
}

// decodeRune is utf8.DecodeRuneInString that knows the three bytes of a lone surrogate.
func decodeRune(s string) (rune, int) {
	if len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 {
		return rune(s[0]&15)<<12 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
	}
	return utf8.DecodeRuneInString(s)
}

// less orders names as Java orders strings: by their UTF-16 units.
func less(a, b string) bool {
	for a != "" && b != "" {
		r, n := decodeRune(a)
		q, m := decodeRune(b)
		if r != q {
			return firstUnit(r, q)
		}
		a, b = a[n:], b[m:]
	}
	return len(a) < len(b)
}

// firstUnit compares two different characters by their UTF-16 units.
func firstUnit(r, q rune) bool {
	if r >= 0x10000 && q < 0x10000 {
		high, _ := utf16.EncodeRune(r)
		return high < q
	}
	if q >= 0x10000 && r < 0x10000 {
		high, _ := utf16.EncodeRune(q)
		return r <= high // the same first unit: the lone one is shorter
	}
	return r < q
}
