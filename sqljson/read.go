package sqljson

import (
	"math"
	"strconv"
	"strings"
)

// parse reads a text that is one JSON value, no deeper than limit. Of members of one name the last counts, in the place of the first.
func parse(s string, limit int) (*item, error) {
	p := newScanner(s)
	p.limit = limit
	if _, err := p.next(); err != nil {
		return nil, err
	}
	it, err := p.item()
	if err != nil {
		return nil, err
	}
	if t, err := p.next(); err != nil || t != tokEnd {
		return nil, errJSON
	}
	return it, nil
}

// item reads the value that the last token begins.
func (p *scanner) item() (*item, error) {
	switch p.tok {
	case tokString:
		return &item{kind: textKind, text: p.text()}, nil
	case tokInt, tokFloat:
		return p.numberItem()
	case tokTrue:
		return &item{kind: boolKind, num: 1}, nil
	case tokFalse:
		return &item{kind: boolKind}, nil
	case tokNull:
		return &item{kind: nullKind}, nil
	case tokArray:
		a := &item{kind: arrayKind}
		for {
			t, err := p.next()
			if err != nil {
				return nil, err
			}
			if t == tokArrayEnd {
				return a, nil
			}
			e, err := p.item()
			if err != nil {
				return nil, err
			}
			a.elems = append(a.elems, e)
		}
	case tokObject:
		return p.object()
	}
	return nil, errJSON
}

func (p *scanner) object() (*item, error) {
	o := &item{kind: objectKind}
	var at map[string]int // once it is worth it
	for {
		t, err := p.next()
		if err != nil {
			return nil, err
		}
		if t == tokObjectEnd {
			return o, nil
		}
		name := p.text()
		if _, err := p.next(); err != nil {
			return nil, err
		}
		v, err := p.item()
		if err != nil {
			return nil, err
		}
		if at == nil && len(o.names) >= 16 {
			at = map[string]int{}
			for i, n := range o.names {
				at[n] = i
			}
		}
		k, known := at[name]
		if at == nil {
			for i, n := range o.names {
				if n == name {
					k, known = i, true
				}
			}
		}
		if known {
			o.elems[k] = v
			continue
		}
		if at != nil {
			at[name] = len(o.names)
		}
		o.names, o.elems = append(o.names, name), append(o.elems, v)
	}
}

// numberItem is a number of a JSON text: an integer, or the nearest double.
func (p *scanner) numberItem() (*item, error) {
	raw := p.s[p.from:p.to]
	if p.tok == tokFloat {
		// ParseFloat gives the infinity beyond the largest double with its error, as Java does without one.
		f, _ := strconv.ParseFloat(raw, 64)
		return &item{kind: doubleKind, float: f}, nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	switch {
	case err != nil:
		return &item{kind: hugeKind, text: raw}, nil
	case n >= math.MinInt32 && n <= math.MaxInt32:
		return &item{kind: integerKind, num: n}, nil
	}
	return &item{kind: bigintKind, num: n}, nil
}

// plain replaces lone surrogates by question marks, as Java does where it encodes a string.
func plain(s string) string {
	if !surrogate(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == 0xed && i+2 < len(s) && s[i+1] >= 0xa0 {
			b.WriteByte('?')
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func surrogate(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == 0xed && s[i+1] >= 0xa0 {
			return true
		}
	}
	return false
}
