package worker

import (
	"fmt"
	"strconv"
	"strings"
)

// trinoType is a parsed type as Trino writes it in a column's signature.
type trinoType struct {
	name   string // lower case, without parameters: "varchar", "timestamp with time zone", "row", …
	params []int  // length, or precision and scale
	fields []string
	elems  []*trinoType // of an array, a map (key, value) or a row
}

// param gives the i-th parameter, or def.
func (t *trinoType) param(i, def int) int {
	if i < len(t.params) {
		return t.params[i]
	}
	return def
}

// maxTypeDepth bounds how deep types nest.
const maxTypeDepth = 64

// parseTrinoType reads a type such as "map(varchar, array(row(a bigint, \"b c\" timestamp(3))))".
func parseTrinoType(s string) (*trinoType, error) {
	p := typeParser{s: s}
	t, err := p.typ(0)
	if err == nil && p.skip() < len(p.s) {
		err = fmt.Errorf("unexpected %q", p.s[p.i:])
	}
	if err != nil {
		return nil, fmt.Errorf("type %q: %w", s, err)
	}
	return t, nil
}

type typeParser struct {
	s string
	i int
}

// skip goes past spaces.
func (p *typeParser) skip() int {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
	return p.i
}

func (p *typeParser) eat(c byte) bool {
	if p.skip() < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// raw reads a bare word as it stands, "" where there is none.
func (p *typeParser) raw() string {
	start := p.skip()
	for p.i < len(p.s) && strings.IndexByte(" (),\"", p.s[p.i]) < 0 {
		p.i++
	}
	return p.s[start:p.i]
}

// word reads a bare word in lower case, "" where there is none.
func (p *typeParser) word() string {
	return strings.ToLower(p.raw())
}

// keywords eats the words if all of them come next.
func (p *typeParser) keywords(words ...string) bool {
	start := p.i
	for _, w := range words {
		if p.word() != w {
			p.i = start
			return false
		}
	}
	return true
}

func (p *typeParser) typ(depth int) (*trinoType, error) {
	if depth > maxTypeDepth {
		return nil, fmt.Errorf("nests deeper than %d", maxTypeDepth)
	}
	t := &trinoType{name: p.word()}
	switch t.name {
	case "":
		return nil, fmt.Errorf("no type at offset %d", p.i)
	case "array", "map", "row":
		return t, p.nested(t, depth)
	case "double":
		p.keywords("precision")
	case "interval":
		switch {
		case p.keywords("day", "to", "second"):
			t.name = "interval day to second"
		case p.keywords("year", "to", "month"):
			t.name = "interval year to month"
		default:
			return nil, fmt.Errorf("unknown interval at offset %d", p.i)
		}
	}
	if p.eat('(') {
		for {
			n, err := strconv.Atoi(p.word())
			if err != nil || n < 0 {
				return nil, fmt.Errorf("a parameter is no number at offset %d", p.i)
			}
			t.params = append(t.params, n)
			if p.eat(')') {
				break
			}
			if !p.eat(',') {
				return nil, fmt.Errorf("missing ) at offset %d", p.i)
			}
		}
	}
	if (t.name == "timestamp" || t.name == "time") && p.keywords("with", "time", "zone") {
		t.name += " with time zone"
	}
	return t, nil
}

// nested reads what stands in the parentheses of array, map and row.
func (p *typeParser) nested(t *trinoType, depth int) error {
	if !p.eat('(') {
		return fmt.Errorf("missing ( at offset %d", p.i)
	}
	for {
		name := ""
		if t.name == "row" {
			name = p.fieldName()
		}
		e, err := p.typ(depth + 1)
		if err != nil {
			return err
		}
		t.elems, t.fields = append(t.elems, e), append(t.fields, name)
		if p.eat(')') {
			break
		}
		if !p.eat(',') {
			return fmt.Errorf("missing ) at offset %d", p.i)
		}
	}
	if want := map[string]int{"array": 1, "map": 2}[t.name]; want != 0 && len(t.elems) != want {
		return fmt.Errorf("%s has %d parts, not %d", t.name, len(t.elems), want)
	}
	return nil
}

// fieldName reads a row field's name; it goes back and gives "" where a type stands alone.
func (p *typeParser) fieldName() string {
	start := p.skip()
	if p.eat('"') {
		var b strings.Builder
		for p.i < len(p.s) {
			c := p.s[p.i]
			p.i++
			if c != '"' {
				b.WriteByte(c)
			} else if p.i < len(p.s) && p.s[p.i] == '"' {
				b.WriteByte('"')
				p.i++
			} else {
				return b.String()
			}
		}
		p.i = start
		return ""
	}
	name := p.raw()
	w := strings.ToLower(name)
	end := p.skip()
	// A type follows a name; after a bare type come ) , or ( or the rest of its own name.
	if p.i >= len(p.s) || strings.IndexByte("(),", p.s[p.i]) >= 0 {
		p.i = start
		return ""
	}
	switch next := p.word(); {
	case w == "double" && next == "precision" && !p.typeFollows(),
		w == "interval" && (next == "day" || next == "year") && p.keywords("to"),
		(w == "time" || w == "timestamp") && next == "with" && p.keywords("time", "zone"):
		p.i = start
		return ""
	}
	p.i = end
	return name
}

// typeFollows tells whether another word stands next.
func (p *typeParser) typeFollows() bool {
	i := p.i
	defer func() { p.i = i }()
	return p.word() != ""
}
