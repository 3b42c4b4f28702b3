package dialect

import (
	"regexp"
	"strings"
	"time"
)

// rope is text in parts, so that what lies deep in a statement is not copied at every level.
type rope []strand

type strand struct {
	text string
	pos  int // where in the caller's statement it stands, -1 where that is not its own
	sub  rope
	use  *trinoUse
	late func() string // written when the whole statement is known
}

// lay makes a rope of strings and ropes.
func lay(parts ...any) rope {
	var r rope
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			r = append(r, strand{text: p, pos: -1})
		case rope:
			r = append(r, strand{sub: p, pos: -1})
		case strand:
			r = append(r, p)
		}
	}
	return r
}

// at says where a rope comes from.
func (r rope) at(pos int) rope { return rope{{sub: r, pos: pos}} }

// list lays ropes with a separator between them.
func list(ropes []rope, sep string) rope {
	var r rope
	for i, x := range ropes {
		if i > 0 {
			r = append(r, strand{text: sep, pos: -1})
		}
		r = append(r, strand{sub: x, pos: -1})
	}
	return r
}

// flatten gives the parts in order. whole is where the rope comes from: its parts without a place of their own do too.
func (r rope) flatten(whole int, add func(trinoPiece)) {
	for _, s := range r {
		pos := whole
		if s.pos >= 0 {
			pos = s.pos
		}
		switch {
		case s.late != nil:
			add(trinoPiece{text: s.late(), pos: pos})
		case s.sub != nil:
			s.sub.flatten(pos, add)
		default:
			add(trinoPiece{s.text, pos, s.use})
		}
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ident writes a name as it was written: with quotes where it had them, since Trino shows some names in upper case unless they have.
func ident(n name) string {
	if !n.quoted && plainWord.MatchString(n.text) {
		return n.text
	}
	return quoteName(n.text)
}

func idents(names []name) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = ident(n)
	}
	return strings.Join(list, ", ")
}

// trinoTimestamp is a timestamp literal with so many fractional digits.
func trinoTimestamp(m micros, digits int) string {
	layout := "2006-01-02 15:04:05"
	if digits > 0 {
		layout += "." + strings.Repeat("0", digits)
	}
	return "TIMESTAMP '" + time.UnixMicro(int64(m)).UTC().Format(layout) + "'"
}

// trinoType writes a type of a table's column.
func trinoType(t Type) string {
	switch t.Kind {
	case Array:
		return "array(" + trinoType(*t.Elem) + ")"
	case Map:
		return "map(" + trinoType(*t.Key) + ", " + trinoType(*t.Elem) + ")"
	case Row:
		fields := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = quoteName(f.Name) + " " + trinoType(f.Type)
		}
		return "row(" + strings.Join(fields, ", ") + ")"
	}
	return t.String()
}

var typeWord = regexp.MustCompile(`^[a-z_][a-z0-9_]*( [a-z]+)*$`)

// typeText writes a type that the statement names.
func (w *trinoWriter) typeText(n *typeNode) string {
	if !typeWord.MatchString(n.base) {
		w.fail(n.pos, "Unknown type: %s", n.base)
	}
	var params []string
	for _, p := range n.params {
		params = append(params, itoa(p))
	}
	for i, a := range n.args {
		text := w.typeText(a)
		if n.fields != nil && n.fields[i].text != "" {
			text = ident(n.fields[i]) + " " + text
		}
		params = append(params, text)
	}
	if params == nil {
		return n.base
	}
	base, zone, zoned := strings.Cut(n.base, " with time zone")
	if zoned {
		zone = " with time zone" + zone
	}
	return base + "(" + strings.Join(params, ", ") + ")" + zone
}
