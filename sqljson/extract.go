package sqljson

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Parse is json_parse: the text as Trino stores it, its members sorted by name and each once.
func Parse(s string) (string, error) {
	it, err := parse(s, parseDepth)
	if err != nil {
		return "", fmt.Errorf("Cannot convert value to JSON: '%s'", s)
	}
	return string(it.append(nil, style{sorted: true})), nil
}

// IsScalar is is_json_scalar.
func IsScalar(s string) (bool, error) {
	p := newScanner(s)
	t, err := p.next()
	if err == nil && t != tokEnd {
		if err = p.skip(); err == nil {
			var end token
			if end, err = p.next(); err == nil && end == tokEnd {
				return t != tokObject && t != tokArray, nil
			}
		}
	}
	return false, fmt.Errorf("Invalid JSON value: %s", s)
}

// Steps reads a path of json_extract and its like: "$.a.b[0]["c d"]".
func Steps(path string) ([]string, error) {
	bad := fmt.Errorf("Invalid JSON path: '%s'", path)
	if !strings.HasPrefix(path, "$") {
		return nil, bad
	}
	var steps []string
	word := func(s string, colon bool) int {
		for i, r := range s {
			// A letter or digit beyond the basic plane is two units of Java's, neither of which is one.
			if r != '_' && !(colon && r == ':') && (r >= 0x10000 || !unicode.IsLetter(r) && !unicode.IsDigit(r)) {
				return i
			}
		}
		return len(s)
	}
	for rest := path[1:]; rest != ""; {
		switch {
		case rest[0] == '.':
			n := word(rest[1:], true)
			if n == 0 {
				return nil, bad
			}
			steps, rest = append(steps, rest[1:1+n]), rest[1+n:]
		case strings.HasPrefix(rest, `["`):
			name, after, ok := quotedStep(rest[2:])
			if !ok || !strings.HasPrefix(after, "]") {
				return nil, bad
			}
			steps, rest = append(steps, name), after[1:]
		case rest[0] == '[':
			n := word(rest[1:], false)
			if n == 0 || !strings.HasPrefix(rest[1+n:], "]") {
				return nil, bad
			}
			steps, rest = append(steps, rest[1:1+n]), rest[n+2:]
		default:
			return nil, bad
		}
	}
	return steps, nil
}

// quotedStep reads a name to its closing quote.
func quotedStep(s string) (name, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			i++
			if i >= len(s) || s[i] != '"' && s[i] != '\\' {
				return "", "", false
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

// walk leads a scanner along a path. It is false where the text has nothing there, or is no JSON as far as it was read.
func walk(p *scanner, steps []string) (bool, error) {
	if t, err := p.next(); err != nil || t == tokEnd {
		return false, err
	}
	for _, step := range steps {
		switch p.tok {
		case tokObject:
			for {
				t, err := p.next()
				if err != nil || t == tokObjectEnd {
					return false, err
				}
				found := p.text() == step
				if _, err := p.next(); err != nil {
					return false, err
				}
				if found {
					break
				}
				if err := p.skip(); err != nil {
					return false, err
				}
			}
		case tokArray:
			index, err := strconv.ParseInt(step, 10, 32)
			if err != nil {
				index = -1
			}
			for i := int64(0); ; i++ {
				t, err := p.next()
				if err != nil || t == tokArrayEnd {
					return false, err
				}
				if i == index {
					break
				}
				if err := p.skip(); err != nil {
					return false, err
				}
			}
		default:
			return false, nil
		}
	}
	return true, nil
}

// notJSON makes nothing of a text that is no JSON, as these functions do.
func notJSON(err error) error {
	if errors.Is(err, errJSON) {
		return nil
	}
	return err
}

// Extract is json_extract: what stands at the path, rewritten with the text's own order and double members. ok is false for NULL.
func Extract(s string, steps []string) (out []byte, ok bool, err error) {
	p := newScanner(s)
	if ok, err = walk(p, steps); !ok || err != nil {
		return nil, false, notJSON(err)
	}
	if out, err = p.copy(nil, len(p.stack)-1); err != nil {
		return nil, false, notJSON(err)
	}
	return out, true, nil
}

// copy writes the value that the last token begins; depth is how many were open before it.
func (p *scanner) copy(dst []byte, depth int) ([]byte, error) {
	switch p.tok {
	case tokArray, tokObject:
		if len(p.stack)-depth > maxDepth {
			return nil, errDepth
		}
		end, open, shut := tokArrayEnd, byte('['), byte(']')
		if p.tok == tokObject {
			end, open, shut = tokObjectEnd, '{', '}'
		}
		dst = append(dst, open)
		for n := 0; ; n++ {
			t, err := p.next()
			if err != nil {
				return nil, err
			}
			if t == end {
				return append(dst, shut), nil
			}
			if n > 0 {
				dst = append(dst, ',')
			}
			if t == tokName {
				dst = append(appendString(dst, p.text(), style{}), ':')
				if _, err := p.next(); err != nil {
					return nil, err
				}
			}
			if dst, err = p.copy(dst, depth); err != nil {
				return nil, err
			}
		}
	}
	it, err := p.item()
	if err != nil {
		return nil, err
	}
	return it.append(dst, style{}), nil
}

// ExtractScalar is json_extract_scalar: numbers as they are written in the text.
func ExtractScalar(s string, steps []string) (string, bool, error) {
	p := newScanner(s)
	if ok, err := walk(p, steps); !ok || err != nil {
		return "", false, notJSON(err)
	}
	if !p.tok.scalar() || p.tok == tokNull {
		return "", false, nil
	}
	return plain(p.text()), true, nil
}

// Size is json_size: how many elements or members stand at the path, 0 for what has none.
func Size(s string, steps []string) (int64, bool, error) {
	p := newScanner(s)
	if ok, err := walk(p, steps); !ok || err != nil {
		return 0, false, notJSON(err)
	}
	if p.tok != tokArray && p.tok != tokObject {
		return 0, true, nil
	}
	return p.count()
}

// count counts the elements or members of what the last token opened.
func (p *scanner) count() (n int64, ok bool, err error) {
	for {
		t, err := p.next()
		switch {
		case err != nil:
			return 0, false, notJSON(err)
		case t == tokArrayEnd || t == tokObjectEnd:
			return n, true, nil
		case t != tokName:
			n++
			if err := p.skip(); err != nil {
				return 0, false, notJSON(err)
			}
		}
	}
}

// array begins to read a text that is an array.
func array(s string) (*scanner, bool, error) {
	p := newScanner(s)
	t, err := p.next()
	return p, err == nil && t == tokArray, notJSON(err)
}

// ArrayLength is json_array_length.
func ArrayLength(s string) (int64, bool, error) {
	p, ok, err := array(s)
	if !ok || err != nil {
		return 0, false, err
	}
	return p.count()
}

// ArrayGet is json_array_get: a string without its quotes, a number as it is written; index -1 is the last element.
func ArrayGet(s string, index int64) (string, bool, error) {
	p, ok, err := array(s)
	if !ok || err != nil || index == math.MinInt64 {
		return "", false, err
	}
	var kept []string // texts of the elements, where the index counts from the end
	var null []bool
	for i := int64(0); ; i++ {
		t, err := p.next()
		if err != nil {
			return "", false, notJSON(err)
		}
		if t == tokArrayEnd {
			n := int64(len(kept)) + index
			if index >= 0 || n < 0 {
				return "", false, nil
			}
			if null[n] { // as Trino does
				return "", false, errors.New("json_array_get found null from the end of an array")
			}
			return kept[n], true, nil
		}
		if index >= 0 && i < index {
			if err := p.skip(); err != nil {
				return "", false, notJSON(err)
			}
			continue
		}
		text, isNull, err := p.element()
		if err != nil {
			return "", false, notJSON(err)
		}
		if index >= 0 {
			return text, !isNull, nil
		}
		kept, null = append(kept, text), append(null, isNull)
	}
}

func (p *scanner) element() (text string, null bool, err error) {
	if p.tok.scalar() {
		return plain(p.text()), p.tok == tokNull, nil
	}
	p.limit = len(p.stack) + maxDepth
	defer func() { p.limit = 0 }()
	it, err := p.item()
	if err != nil {
		return "", false, err
	}
	return string(it.append(nil, style{wide: true})), false, nil
}

// ArrayContains is json_array_contains: whether an element of a text's array is one that is looks for.
func ArrayContains(s string, is func(*Element) bool) (found, ok bool, err error) {
	p, ok, err := array(s)
	if !ok || err != nil {
		return false, false, err
	}
	for {
		t, err := p.next()
		if err != nil {
			return false, false, notJSON(err)
		}
		if t == tokArrayEnd {
			return false, true, nil
		}
		if err := p.skip(); err != nil {
			return false, false, notJSON(err)
		}
		if is(&Element{p}) {
			return true, true, nil
		}
	}
}

// Element is an element of an array that ArrayContains looks at.
type Element struct{ p *scanner }

// Text tells whether the element is this string.
func (e *Element) Text(s string) bool { return e.p.tok == tokString && plain(e.p.text()) == s }

// Bool tells whether the element is this truth value.
func (e *Element) Bool(b bool) bool { return e.p.tok == tokTrue && b || e.p.tok == tokFalse && !b }

// Bigint tells whether the element is written as this integer.
func (e *Element) Bigint(n int64) bool {
	if e.p.tok != tokInt {
		return false
	}
	m, err := strconv.ParseInt(e.p.text(), 10, 64)
	return err == nil && m == n
}

// Double tells whether the element is written with a fraction or an exponent and is this number, which is finite.
func (e *Element) Double(f float64) bool {
	if e.p.tok != tokFloat {
		return false
	}
	g, err := strconv.ParseFloat(e.p.text(), 64)
	return err == nil && g == f
}
