package dialect

import "strings"

// result is a checked query: its SQL, whose columns are c0, c1, …, and what these are.
type result struct {
	sql    string
	fields []outField
}

type outField struct {
	name  string // lower case; "" where it has none
	label string
	typ   Type
	// use and path are set where the column hands a table's own through, and nothing of the query keeps rows back by more than conditions.
	use  *tableUse
	path string
}

// withScope is the chain of WITH queries that a place sees.
type withScope struct {
	outer *withScope
	name  string
	sql   string // its name in the written SQL
	res   result
	own   *recursion // set within the text of a query of WITH RECURSIVE
}

func (c *checker) query(q *queryNode, parent *scope) result {
	saved := c.with
	defer func() { c.with = saved }()
	var ctes []string
	for i, w := range q.with {
		for _, other := range q.with[:i] {
			if strings.EqualFold(other.name.text, w.name.text) {
				c.fail(w.name.pos, "WITH query name '%s' specified more than once", w.name.text)
			}
		}
		var res result
		if q.recursive {
			res = c.recursiveWith(w, parent)
		} else {
			res = c.query(w.query, parent)
			res.fields = c.renamed(res.fields, w.columns, w.name)
		}
		for i := range res.fields {
			res.fields[i].use = nil // it may be read in several places
		}
		n := "w" + itoa(c.numbers+1)
		c.numbers++
		ctes = append(ctes, n+" AS ("+res.sql+")")
		c.with = &withScope{outer: c.with, name: strings.ToLower(w.name.text), sql: n, res: res}
	}
	res := c.queryBody(q, parent)
	if len(ctes) > 0 {
		res.sql = "WITH " + strings.Join(ctes, ", ") + " " + res.sql
	}
	if c.written += len(res.sql); c.written > 8*maxWritten {
		c.fail(q.pos, "the statement is too large once it is written out")
	}
	return res
}

// renamed gives a query's columns the names that its alias lists.
func (c *checker) renamed(fields []outField, names []name, alias name) []outField {
	if names == nil {
		return fields
	}
	if len(names) != len(fields) {
		c.fail(alias.pos, "Column alias list has %d entries but '%s' has %d columns available", len(names), alias.text, len(fields))
	}
	list := append([]outField(nil), fields...)
	for i, n := range names {
		list[i].name, list[i].label = strings.ToLower(n.text), n.text
	}
	return list
}

// queryBody is a query without its WITH.
func (c *checker) queryBody(q *queryNode, parent *scope) result {
	if s, ok := q.body.(*selectNode); ok {
		return c.selectQuery(s, q, parent)
	}
	res := c.body(q.body, parent)
	if len(q.order) == 0 && q.limit == nil && q.offset == nil {
		return res
	}
	// What orders a set operation or VALUES knows only its columns.
	rel := c.relationName()
	s := &scope{parent: parent}
	p := &projection{from: "(" + res.sql + ") AS " + rel}
	for i, f := range res.fields {
		sql := rel + ".c" + itoa(i)
		s.fields = append(s.fields, c.newField(field{name: f.name, label: f.label, typ: f.typ, sql: sql}))
		p.add(value{sql: sql, typ: f.typ, easy: true}, f.name, f.label)
	}
	e := &env{checker: c, scope: s, clause: "ORDER BY"}
	c.orderBy(e, p, q)
	return c.finish(p, q)
}

func (c *checker) body(b body, parent *scope) result {
	switch b := b.(type) {
	case *queryNode:
		return c.query(b, parent)
	case *selectNode:
		return c.selectQuery(b, &queryNode{node: b.node}, parent)
	case *setNode:
		return c.setOperation(b, parent)
	case *valuesNode:
		return c.values(b, parent)
	case *tableNode:
		star := &selectItem{node: b.node, star: true}
		s := &selectNode{node: b.node, items: []*selectItem{star}, from: []relation{&tableRef{node: b.node, name: b.name}}}
		return c.selectQuery(s, &queryNode{node: b.node}, parent)
	}
	panic("dialect: a query body without a case")
}

func (c *checker) setOperation(b *setNode, parent *scope) result {
	return c.combine(b, c.body(b.left, parent), c.body(b.right, parent))
}

func (c *checker) combine(b *setNode, left, right result) result {
	if b.named {
		left, right = c.corresponding(b, left, right)
	}
	if len(left.fields) != len(right.fields) {
		c.fail(b.pos, "%s query has different number of fields: %d, %d", b.op, len(left.fields), len(right.fields))
	}
	fields := append([]outField(nil), left.fields...)
	for i := range fields {
		l, r := left.fields[i].typ, right.fields[i].typ
		t, ok := common(l, r)
		if !ok {
			c.fail(b.pos, "column %d in %s query has incompatible types: %s, %s", i+1, b.op, l, r)
		}
		if !(b.op == "UNION" && b.all) && (!t.comparable() || b.all && t.has(Map)) {
			c.unsupported(b.pos, "comparing values of type "+t.String()+" in "+b.op)
		}
		fields[i].typ, fields[i].use = t, nil
	}
	op := b.op
	if b.all {
		op += " ALL"
	}
	compared := !(b.op == "UNION" && b.all)
	return result{c.arm(left, fields, compared) + " " + op + " " + c.arm(right, fields, compared), fields}
}

// corresponding gives both sides of a set operation the columns whose names both have, in the order of the left.
func (c *checker) corresponding(b *setNode, left, right result) (l, r result) {
	index := func(side result) map[string]int {
		m := map[string]int{}
		for i, f := range side.fields {
			if f.name == "" {
				c.fail(b.pos, "Anonymous columns are not allowed in set operations with CORRESPONDING")
			}
			if _, twice := m[f.name]; twice {
				c.fail(b.pos, "Duplicate columns found when using CORRESPONDING in set operations: %s", f.name)
			}
			m[f.name] = i
		}
		return m
	}
	index(left)
	at := index(right)
	var from, to []int
	for i, f := range left.fields {
		if j, ok := at[f.name]; ok {
			from, to = append(from, i), append(to, j)
		}
	}
	if from == nil {
		c.fail(b.pos, "No corresponding columns")
	}
	pick := func(side result, columns []int) result {
		var exprs []string
		var fields []outField
		for i, n := range columns {
			exprs = append(exprs, "c"+itoa(n)+" AS c"+itoa(i))
			fields = append(fields, side.fields[n])
		}
		return result{"SELECT " + strings.Join(exprs, ", ") + " FROM (" + side.sql + ") AS " + c.relationName(), fields}
	}
	return pick(left, from), pick(right, to)
}

// arm is one side of a set operation, its columns in the types of the whole; its maps have one form each where they are compared.
func (c *checker) arm(r result, fields []outField, compared bool) string {
	exprs := make([]string, len(fields))
	changed := false
	for i, f := range fields {
		col := "c" + itoa(i)
		v := c.coerce(value{sql: col, typ: r.fields[i].typ, easy: true}, f.typ)
		if compared {
			v.sql = c.canonicalMaps(v.sql, f.typ)
		}
		exprs[i] = v.sql + " AS " + col
		changed = changed || v.sql != col
	}
	if changed {
		return "(SELECT " + strings.Join(exprs, ", ") + " FROM (" + r.sql + ") AS " + c.relationName() + ")"
	}
	return "(" + r.sql + ")"
}

func (c *checker) values(b *valuesNode, parent *scope) result {
	e := &env{checker: c, scope: parent, clause: "VALUES"}
	if e.scope == nil {
		e.scope = &scope{}
	}
	var rows [][]value
	var types []Type
	for _, x := range b.rows {
		list := []expr{x}
		if r, ok := x.(*rowExpr); ok {
			list = r.fields
		}
		if rows != nil && len(list) != len(types) {
			c.fail(x.at(), "Values rows have mismatched sizes: %d vs %d", len(types), len(list))
		}
		var row []value
		for i, x := range list {
			v := e.expr(x)
			row = append(row, v)
			if rows == nil {
				types = append(types, v.typ)
				continue
			}
			t, ok := common(types[i], v.typ)
			if !ok {
				c.fail(x.at(), "Values rows have mismatched types: %s vs %s", types[i], v.typ)
			}
			types[i] = t
		}
		rows = append(rows, row)
	}
	var sql strings.Builder
	sql.WriteString("SELECT ")
	fields := make([]outField, len(types))
	rel := c.relationName()
	for i, t := range types {
		if i > 0 {
			sql.WriteString(", ")
		}
		col := "c" + itoa(i)
		sql.WriteString(rel + "." + col + " AS " + col)
		fields[i] = outField{label: "_col" + itoa(i), typ: t}
	}
	sql.WriteString(" FROM (VALUES ")
	for i, row := range rows {
		if i > 0 {
			sql.WriteString(", ")
		}
		for j, v := range row {
			sep := ", "
			if j == 0 {
				sep = "("
			}
			sql.WriteString(sep + c.typed(c.coerce(v, types[j])))
		}
		sql.WriteByte(')')
	}
	sql.WriteString(") AS " + rel + "(")
	for i := range types {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("c" + itoa(i))
	}
	sql.WriteByte(')')
	return result{sql.String(), fields}
}

// typed is a value's SQL with its type where DuckDB would not see it: of NULL.
func (c *checker) typed(v value) string {
	if v.isNull() {
		return "CAST(NULL AS INTEGER)"
	}
	return v.sql
}

// projection is what a SELECT answers, before ORDER BY and LIMIT are put around it.
type projection struct {
	from     string // with WHERE and what else lies under the columns
	distinct bool
	values   []value
	fields   []outField
	order    []string
	// sorted is, for each of order, the column that it is, and how it is sorted; the column is -1 where it is none of the answer's.
	sorted []sortedBy
}

type sortedBy struct {
	column    int
	direction string
}

func (p *projection) add(v value, name, label string) {
	p.values = append(p.values, v)
	p.fields = append(p.fields, outField{name: name, label: label, typ: v.typ, use: v.use, path: v.path})
}

// finish writes a projection with its order and limits.
func (c *checker) finish(p *projection, q *queryNode) result {
	var b strings.Builder
	b.WriteString("SELECT ")
	if p.distinct {
		b.WriteString("DISTINCT ")
	}
	for i, v := range p.values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.typed(v) + " AS c" + itoa(i))
	}
	ranked := q.ties && len(p.order) > 0
	if ranked && p.distinct {
		return c.distinctTies(p, q)
	}
	order := strings.Join(p.order, ", ")
	if ranked {
		b.WriteString(", rank() OVER (ORDER BY " + order + ") AS ranked, row_number() OVER (ORDER BY " + order + ") AS numbered")
	}
	if p.from != "" {
		b.WriteString(" FROM " + p.from)
	}
	limited := q.limit != nil && !q.limit.all
	for i := range p.fields {
		if q.limit != nil || q.offset != nil {
			p.fields[i].use = nil
		}
	}
	if q.ties {
		if len(p.order) == 0 {
			c.fail(q.limit.pos, "FETCH FIRST WITH TIES clause requires ORDER BY")
		}
		skip := int64(0)
		if q.offset != nil {
			skip = q.offset.n
		}
		rel := c.relationName()
		var cols []string
		for i := range p.values {
			cols = append(cols, rel+".c"+itoa(i)+" AS c"+itoa(i))
		}
		end := int64(1<<63 - 1)
		if q.limit.n < end-skip {
			end = skip + q.limit.n
		}
		return result{"SELECT " + strings.Join(cols, ", ") + " FROM (" + b.String() + ") AS " + rel + " WHERE " + rel + ".ranked <= " + itoa64(end) +
			" AND " + rel + ".numbered > " + itoa64(skip) + " ORDER BY " + rel + ".numbered", p.fields}
	}
	if len(p.order) > 0 {
		b.WriteString(" ORDER BY " + order)
	}
	if limited {
		b.WriteString(" LIMIT " + itoa64(q.limit.n))
	}
	if q.offset != nil {
		b.WriteString(" OFFSET " + itoa64(q.offset.n))
	}
	return result{b.String(), p.fields}
}

// distinctTies is WITH TIES after DISTINCT: the ranks are those of the distinct rows. ORDER BY knows nothing but their columns.
func (c *checker) distinctTies(p *projection, q *queryNode) result {
	sorts := p.sorted
	p.order, p.sorted = nil, nil
	inner := c.finish(p, &queryNode{node: q.node})
	rel := c.relationName()
	outer := &projection{from: "(" + inner.sql + ") AS " + rel}
	for i, f := range p.fields {
		outer.add(value{sql: rel + ".c" + itoa(i), typ: f.typ, easy: true}, f.name, f.label)
	}
	for _, s := range sorts {
		outer.order = append(outer.order, rel+".c"+itoa(s.column)+s.direction)
	}
	return c.finish(outer, q)
}

// orderBy checks ORDER BY. Its names mean columns of the answer first, then what the expressions of e mean.
func (c *checker) orderBy(e *env, p *projection, q *queryNode) {
	if len(q.order) == 0 {
		return
	}
	answer := &scope{parent: e.scope}
	for i, f := range p.fields {
		answer.fields = append(answer.fields, c.newField(field{name: f.name, label: f.label, typ: f.typ, sql: p.values[i].sql}))
	}
	byName := func(n name) int {
		found := -1
		for i, f := range p.fields {
			if f.name != "" && f.name == strings.ToLower(n.text) {
				if found >= 0 && p.values[found].sql != p.values[i].sql {
					c.fail(n.pos, "Column '%s' is ambiguous", n.text)
				}
				found = i
			}
		}
		return found
	}
	for _, s := range q.order {
		index := -1
		var v value
		switch x := s.x.(type) {
		case *numberLit:
			n, ok := integer(x.text)
			if x.kind == tokInteger && (!ok || n < 1 || n > int64(len(p.values))) {
				c.fail(x.pos, "ORDER BY position %s is not in select list", x.text)
			}
			if x.kind == tokInteger {
				index = int(n - 1)
			}
		case *columnRef:
			index = byName(x.name)
		}
		if index < 0 {
			inner := *e
			inner.scope = answer
			v = inner.expr(s.x)
			if p.distinct {
				for i := range p.values {
					if p.values[i].sql == v.sql {
						index = i
					}
				}
				if index < 0 {
					c.fail(s.pos, "For SELECT DISTINCT, ORDER BY expressions must appear in select list")
				}
			}
		}
		sql := ""
		if index >= 0 {
			v = p.values[index]
			sql = itoa(index + 1)
			if q.ties {
				sql = v.sql // a window knows no positions
			}
		} else if sql = c.typed(v); v.lit != nil || v.isNull() {
			continue // a constant orders nothing
		}
		if !v.typ.orderable() {
			c.fail(s.pos, "Type %s is not orderable, and therefore cannot be used in ORDER BY: %s", v.typ, c.source(s.x))
		}
		p.order = append(p.order, sql+direction(s))
		p.sorted = append(p.sorted, sortedBy{index, direction(s)})
	}
}

// direction writes what Trino does where nothing is said: ascending, NULLs last either way.
func direction(s *sortItem) string {
	dir := " ASC"
	if s.desc {
		dir = " DESC"
	}
	if s.nullsFirst {
		return dir + " NULLS FIRST"
	}
	return dir + " NULLS LAST"
}
