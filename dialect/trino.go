package dialect

import (
	"context"
	"sort"
	"strings"
)

// TrinoStatement is a statement for a Trino that reads the same tables: every name that may mean a store's column is resolved, every store is known, and
// the text is written anew from the tree. Types are Trino's to check, so that it may hold functions and clauses which Check refuses.
type TrinoStatement struct {
	Uses []Use // in the order of the statement; one for every place that names a table. Columns are those that the place shows
	// Refusal is why the statement has no form for the embedded engine, nil where it has one.
	Refusal *Error
	text    string
	pieces  []trinoPiece
	uses    []*trinoUse
}

// trinoPiece is a part of the written text: plain text or, with use, the query that stands in place of a table.
type trinoPiece struct {
	text string
	pos  int // where in the caller's statement it comes from
	use  *trinoUse
}

// TrinoTable is where a store's table is found in Trino.
type TrinoTable struct {
	Catalog, Schema, Name string
	// NotBefore hides rows whose eventtime lies before it (microseconds since the Unix epoch, UTC): what retention has ended.
	NotBefore int64
}

// TrinoText is a statement as Trino is sent it.
type TrinoText struct {
	SQL    string
	source string
	marks  []mark
}

// mark says that the text from an offset on stands for what the caller's statement has at another.
type mark struct{ off, pos int }

// ForTrino takes a statement, which parse gives anew each time, finds its stores and columns and writes it for Trino. What is wrong with it is an *Error; a
// Catalog's own errors come wrapped.
func ForTrino(ctx context.Context, parse func() (*Query, error), catalog Catalog, session Session) (s *TrinoStatement, err error) {
	q, err := parse()
	if err != nil {
		return nil, err
	}
	checked, err := Check(ctx, q, catalog, session)
	refusal, ok := err.(*Error)
	if err != nil && !ok {
		return nil, err
	}
	if q, err = parse(); err != nil { // a Query is checked once
		return nil, err
	}
	w := &trinoWriter{checker: &checker{ctx: ctx, catalog: catalog, session: session, text: q.text, parametric: q.parametric}, tables: map[*tableUse]*trinoUse{}, opaque: map[*field]bool{}}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *Error:
			s, err = nil, e
		case catalogError:
			s, err = nil, e.error
		default:
			panic(e)
		}
	}()
	text, _ := w.query(q.root, nil)
	s = &TrinoStatement{Refusal: refusal, text: q.text}
	size := 0
	text.flatten(0, func(p trinoPiece) {
		size += len(p.text)
		s.pieces = append(s.pieces, p)
	})
	if size > maxWritten {
		w.fail(0, "the statement is too large once it is written out")
	}
	predicates := map[int][]Predicate{}
	if checked != nil {
		for _, u := range checked.Uses {
			if _, twice := predicates[u.pos]; twice {
				u.Predicates = nil // what holds for one of them need not hold for the other
			}
			predicates[u.pos] = u.Predicates
		}
	}
	for _, u := range w.uses {
		use := w.tables[u]
		use.predicates = predicates[u.pos]
		s.uses = append(s.uses, use)
		s.Uses = append(s.Uses, Use{Table: u.table, Relation: u.relation, Columns: use.columns(), Predicates: use.predicates, pos: u.pos})
	}
	return s, nil
}

// Write gives the text, with each use's table where it lies.
func (s *TrinoStatement) Write(table func(Use) TrinoTable) *TrinoText {
	var b strings.Builder
	out := &TrinoText{source: s.text}
	queries := map[*trinoUse]string{}
	for i, u := range s.uses {
		queries[u] = u.query(table(s.Uses[i]))
	}
	for _, p := range s.pieces {
		out.marks = append(out.marks, mark{b.Len(), p.pos})
		b.WriteString(p.text)
		if p.use != nil {
			b.WriteString(queries[p.use])
		}
	}
	out.SQL = b.String()
	return out
}

// Place turns a place in the written text into that of the caller's statement which it was written for.
func (t *TrinoText) Place(line, column int) (int, int) {
	off := 0
	for ; line > 1; line-- {
		n := strings.IndexByte(t.SQL[off:], '\n')
		if n < 0 {
			break
		}
		off += n + 1
	}
	for i := range t.SQL[off:] {
		if column--; column <= 0 {
			off += i
			break
		}
	}
	n := sort.Search(len(t.marks), func(i int) bool { return t.marks[i].off > off })
	if n == 0 {
		return 1, 1
	}
	return place(t.source, t.marks[n-1].pos)
}

// trinoUse is one place that reads a table, and what of it the statement names.
type trinoUse struct {
	table      *Table
	named      map[string]bool // paths, dotted, lower case
	star       bool            // every visible column is asked for
	predicates []Predicate
}

// shows tells whether the place shows a column: hidden ones where they are named.
func (u *trinoUse) shows(c *TableColumn) bool {
	if !c.Hidden {
		return true
	}
	for p := range u.named {
		if top(p) == c.Name {
			return true
		}
	}
	return false
}

func (u *trinoUse) columns() []string {
	var names []string
	for i := range u.table.Columns {
		if c := &u.table.Columns[i]; u.shows(c) {
			names = append(names, c.Name)
		}
	}
	sort.Strings(names)
	return names
}

// namesHidden tells whether the statement names a hidden column, which SELECT * must leave out all the same.
func (u *trinoUse) namesHidden() bool {
	for i := range u.table.Columns {
		if c := &u.table.Columns[i]; c.Hidden && u.shows(c) {
			return true
		}
	}
	return false
}

// query is what stands in place of the table: its columns in the types that Loch gives them, without what retention has ended.
func (u *trinoUse) query(t TrinoTable) string {
	var cols []string
	for i := range u.table.Columns {
		c := &u.table.Columns[i]
		if !u.shows(c) {
			continue
		}
		name := quoteName(c.Name)
		switch {
		case c.Computed:
			cols = append(cols, `to_base64(sha256(to_utf8("eventjson"))) AS `+name)
		case c.Type.Kind == Timestamp && c.Hidden:
			// Loch's own times have microseconds, which print as milliseconds, cut off.
			cols = append(cols, "CAST(date_trunc('millisecond', "+name+") AS "+trinoType(c.Type)+") AS "+name)
		case u.exposesTime(c.Name, c.Type):
			cols = append(cols, "CAST("+name+" AS "+trinoType(c.Type)+") AS "+name)
		default:
			cols = append(cols, name)
		}
	}
	conds := []string{`"eventtime" >= ` + trinoTimestamp(micros(t.NotBefore), 6)}
	for _, p := range u.predicates {
		conds = append(conds, u.beneath(p)...)
	}
	return "(SELECT " + strings.Join(cols, ", ") + " FROM " + quoteName(t.Catalog) + "." + quoteName(t.Schema) + "." + quoteName(t.Name) + " WHERE " + strings.Join(conds, " AND ") + ")"
}

// exposesTime tells whether a value of the column that the statement sees has a timestamp in it, which Iceberg keeps to the microsecond and Loch shows to the
// millisecond. A member without one is read as it lies, so that Trino reads that member alone.
func (u *trinoUse) exposesTime(path string, t Type) bool {
	switch t.Kind {
	case Timestamp:
		return u.sees(path)
	case Row:
		for _, f := range t.Fields {
			if u.exposesTime(path+"."+strings.ToLower(f.Name), f.Type) {
				return true
			}
		}
	}
	return false
}

// sees tells whether the statement names the path or a value that holds it.
func (u *trinoUse) sees(path string) bool {
	if u.star {
		return true
	}
	for p := path; p != ""; {
		if u.named[p] {
			return true
		}
		n := strings.LastIndexByte(p, '.')
		if n < 0 {
			return false
		}
		p = p[:n]
	}
	return false
}

var trinoOps = map[Op]string{Less: " < ", LessEqual: " <= ", Greater: " > ", GreaterEqual: " >= "}

// beneath writes a condition on a time where Trino's planner sees it: it does not look through the cast above. All others it pushes down by itself.
func (u *trinoUse) beneath(p Predicate) []string {
	known := false
	for i := range u.table.Columns {
		c := &u.table.Columns[i]
		known = known || c.Name == p.Path && c.Type.Kind == Timestamp && !c.Hidden
	}
	if !known {
		return nil
	}
	values := make([]string, len(p.Values))
	for i, v := range p.Values {
		values[i] = trinoTimestamp(micros(v.Num), 6)
	}
	switch {
	case p.Op == Equal && len(values) > 0:
		return []string{quoteName(p.Path) + " IN (" + strings.Join(values, ", ") + ")"}
	case trinoOps[p.Op] != "" && len(values) == 1:
		return []string{quoteName(p.Path) + trinoOps[p.Op] + values[0]}
	}
	return nil
}
