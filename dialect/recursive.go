package dialect

import "strings"

// maxRecursion is how often the step of a recursive query may bring rows: Trino's default of max_recursion_depth.
const maxRecursion = 10

// recursion counts the places that name a query of WITH RECURSIVE within its own text.
type recursion struct {
	refs    int
	pos     int    // of the last of them
	refused string // why there may be none; "" where there may be
}

// recursiveWith checks one query of WITH RECURSIVE, as Trino's analyzer does: a UNION whose right side, the step, names the query once in its
// FROM is recursive; any other query may not name itself.
func (c *checker) recursiveWith(w *withNode, parent *scope) result {
	if w.columns == nil {
		c.fail(w.name.pos, "missing column aliases in recursive WITH query")
	}
	outer := c.with
	defer func() { c.with = outer }()
	own := func(res result, why string) *recursion {
		r := &recursion{refused: why}
		c.with = &withScope{outer: outer, name: strings.ToLower(w.name.text), res: res, own: r}
		return r
	}
	q := w.query
	union, ok := q.body.(*setNode)
	if !ok || union.op != "UNION" || q.with != nil || q.order != nil || q.offset != nil || q.limit != nil {
		own(result{}, "recursive reference not allowed in this context")
		res := c.query(q, parent)
		res.fields = c.renamed(res.fields, w.columns, w.name)
		return res
	}
	own(result{}, "WITH table name is referenced in the base relation of recursion")
	base := c.body(union.left, parent)
	base.fields = append([]outField(nil), c.renamed(base.fields, w.columns, w.name)...)
	for i := range base.fields {
		base.fields[i].use = nil
	}
	working := "w" + itoa(c.numbers+1)
	c.numbers++
	r := own(base, "")
	c.with.sql = working
	step := c.body(union.right, parent)
	switch {
	case r.refs == 0:
		res := c.combine(union, base, step)
		res.fields = c.renamed(res.fields, w.columns, w.name)
		return res
	case r.refs > 1:
		c.fail(r.pos, "multiple recursive references in the step relation of recursion")
	}
	c.stepForm(union.right, r.pos)
	return c.unrolled(union, base, step, working)
}

// stepForm refuses a step that names the recursive query where it may not.
func (c *checker) stepForm(step body, pos int) {
	for {
		q, ok := step.(*queryNode)
		if !ok || q.order != nil || q.offset != nil || q.limit != nil {
			break
		}
		step = q.body
	}
	s, ok := step.(*selectNode)
	if !ok || len(s.from) == 0 || !s.inFrom(pos) {
		c.fail(pos, "recursive reference outside of FROM clause of the step relation of recursion")
	}
	for _, r := range s.from {
		c.stepRelation(r, pos)
	}
}

// inFrom tells whether a place of a SELECT lies in its FROM.
func (s *selectNode) inFrom(pos int) bool {
	if pos < begin(s.from[0]) {
		return false
	}
	for _, x := range []expr{s.where, s.having} {
		if x != nil && pos >= x.at() {
			return false
		}
	}
	return s.group == nil || pos < s.group.pos
}

// stepRelation refuses a reference at pos whose rows an outer join or a set operation would need all at once.
func (c *checker) stepRelation(r relation, pos int) {
	switch r := r.(type) {
	case *aliasRef:
		c.stepRelation(r.rel, pos)
	case *sampleRef:
		c.stepRelation(r.rel, pos)
	case *queryRef:
		c.stepBody(r.query.body, pos)
	case *joinRef:
		side := "left"
		if pos >= begin(r.right) {
			side = "right"
		}
		if pos >= begin(r) && pos < r.end && (r.kind == "FULL" || r.kind == "LEFT" && side == "right" || r.kind == "RIGHT" && side == "left") {
			c.fail(pos, "recursive reference in %s source of %s join", side, r.kind)
		}
		c.stepRelation(r.left, pos)
		c.stepRelation(r.right, pos)
	case *matchRef, *tableFunctionRef:
		if pos >= r.at() && pos < end(r) {
			c.unsupported(r.at(), "a recursive query that is read by MATCH_RECOGNIZE or a table function")
		}
	}
}

// begin is where a relation begins: a join stands at its own word.
func begin(r relation) int {
	if j, ok := r.(*joinRef); ok {
		return begin(j.left)
	}
	return r.at()
}

func end(r relation) int {
	switch r := r.(type) {
	case *matchRef:
		return r.end
	case *tableFunctionRef:
		return r.end
	}
	return r.at()
}

func (c *checker) stepBody(b body, pos int) {
	switch b := b.(type) {
	case *queryNode:
		c.stepBody(b.body, pos)
	case *selectNode:
		for _, r := range b.from {
			c.stepRelation(r, pos)
		}
	case *setNode:
		inRight := pos >= b.right.at() && pos < b.end
		inLeft := pos >= b.left.at() && pos < b.right.at()
		switch {
		case b.op == "EXCEPT" && inRight, b.op != "UNION" && b.all && (inLeft || inRight):
			c.fail(pos, "recursive reference in a relation of %s", b.op)
		}
		c.stepBody(b.left, pos)
		c.stepBody(b.right, pos)
	}
}

// unrolled writes a recursive query as Trino plans it: the base, and the step over what the step before it brought, as often as it may bring rows.
// Rows of the step after the last are an error. DuckDB's own recursion knows no bound, and removes rows that it has seen where Trino's UNION does so
// only at the end.
func (c *checker) unrolled(u *setNode, base, step result, working string) result {
	fields := append([]outField(nil), base.fields...)
	if len(step.fields) != len(fields) {
		c.fail(u.pos, "base and step relations of recursion have different number of fields: %d, %d", len(fields), len(step.fields))
	}
	for i, f := range step.fields {
		t := fields[i].typ
		if _, ok := coercible(f.typ, t); !ok {
			c.fail(u.right.at(), "recursion step relation output type (%s) is not coercible to recursion base relation output type (%s) at column %d", f.typ, t, i+1)
		}
		if !u.all && !t.comparable() {
			c.fail(u.pos, "UNION over values of type %s, which do not compare", t)
		}
		if merged, _ := common(t, f.typ); !sameReading(merged, t) {
			c.unsupported(u.right.at(), "a recursive query whose column "+itoa(i+1)+" has another time zone in its step")
		}
	}
	arm := c.arm(step, fields, false)
	var b, all strings.Builder
	b.WriteString("WITH " + working + "_0 AS MATERIALIZED (" + base.sql + ")")
	all.WriteString("SELECT * FROM " + working + "_0")
	for i := 1; i <= maxRecursion+1; i++ {
		name := working + "_" + itoa(i)
		b.WriteString(", " + name + " AS MATERIALIZED (WITH " + working + " AS (SELECT * FROM " + working + "_" + itoa(i-1) + ") SELECT * FROM " + arm + " AS " + c.relationName() + ")")
		if i <= maxRecursion {
			all.WriteString(" UNION ALL SELECT * FROM " + name)
		}
		if b.Len() > maxWritten {
			c.fail(u.pos, "the statement is too large once it is written out")
		}
	}
	exprs := make([]string, len(fields))
	for i, f := range fields {
		col := "c" + itoa(i)
		exprs[i] = col
		if !u.all {
			exprs[i] = c.canonicalMaps(col, f.typ) + " AS " + col
		}
	}
	distinct := "DISTINCT "
	if u.all {
		distinct = ""
	}
	b.WriteString(" SELECT " + distinct + strings.Join(exprs, ", ") + " FROM (" + all.String() + ") AS " + c.relationName() + " WHERE CASE WHEN (SELECT count(*) FROM " + working + "_" +
		itoa(maxRecursion+1) + ") > 0 THEN " + raise("Recursion depth limit exceeded ("+itoa(maxRecursion)+")", TypeBoolean) + " ELSE true END")
	return result{b.String(), fields}
}

// sameReading tells whether values of two types of one kind are read alike: the zones of timestamps are known by the type alone.
func sameReading(a, b Type) bool {
	if a.Zone != b.Zone || len(a.Fields) != len(b.Fields) {
		return false
	}
	if a.Elem != nil && b.Elem != nil && !sameReading(*a.Elem, *b.Elem) || a.Key != nil && b.Key != nil && !sameReading(*a.Key, *b.Key) {
		return false
	}
	for i := range a.Fields {
		if !sameReading(a.Fields[i].Type, b.Fields[i].Type) {
			return false
		}
	}
	return true
}
