package dialect

import "strings"

// selectQuery checks a SELECT with the order and limits of the query that it is the body of.
func (c *checker) selectQuery(s *selectNode, q *queryNode, parent *scope) result {
	scp, from := c.from(s, parent)
	plain := &env{checker: c, scope: scp}
	if s.where != nil {
		e := *plain
		e.clause = "WHERE"
		e.conditions = func(p predicate) { p.use.predicates = append(p.use.predicates, p.Predicate) }
		from += " WHERE " + e.condition(s.where, "WHERE clause")
	}
	windows := map[string]*windowSpec{}
	for _, w := range s.windows {
		n := strings.ToLower(w.name.text)
		if windows[n] != nil {
			c.fail(w.name.pos, "WINDOW name '%s' specified more than once", w.name.text)
		}
		windows[n] = w.spec
	}
	saw := false
	e := &env{checker: c, scope: scp, windows: windows, clause: "SELECT", windowed: true, sawWindow: &saw}
	p := &projection{distinct: s.distinct}
	grouped := s.group != nil || s.having != nil || aggregates(s, q)
	if !grouped {
		c.items(e, p, s)
		p.from = strings.TrimPrefix(from, " FROM ")
		if from != "" && !strings.HasPrefix(from, " FROM ") {
			p.from = "(SELECT 1) AS " + c.relationName() + from // WHERE without FROM
		}
		e.clause = "ORDER BY"
		c.orderBy(e, p, q)
		if saw || p.distinct {
			for i := range p.fields {
				p.fields[i].use = nil
			}
		}
		return c.finish(p, q)
	}
	g := c.group(s, scp)
	e.scope = &scope{parent: scp.parent, fields: scp.fields, group: g}
	e.group = g
	c.items(e, p, s)
	having := ""
	if s.having != nil {
		h := *e
		h.clause, h.windowed = "HAVING", false
		having = h.condition(s.having, "HAVING clause")
	}
	e.clause = "ORDER BY"
	c.orderBy(e, p, q)
	for i := range p.fields {
		p.fields[i].use = nil
	}
	p.from = "(" + g.sql(from) + ") AS " + g.rel
	if having != "" {
		p.from += " WHERE " + having
	}
	return c.finish(p, q)
}

// from checks FROM: its relations are a cross join, and each sees those before it where it is lateral.
func (c *checker) from(s *selectNode, parent *scope) (*scope, string) {
	scp := &scope{parent: parent}
	var parts []string
	for _, r := range s.from {
		seen := &scope{parent: parent, fields: scp.fields}
		rel := c.relation(r, seen, parent)
		scp.fields = append(scp.fields, rel.fields...)
		if parts == nil {
			rel.sql = strings.TrimPrefix(rel.sql, "LATERAL ") // there is nothing to the left of it
		}
		parts = append(parts, rel.sql)
	}
	if len(parts) == 0 {
		return scp, ""
	}
	return scp, " FROM " + strings.Join(parts, " CROSS JOIN ")
}

// items checks what stands between SELECT and FROM.
func (c *checker) items(e *env, p *projection, s *selectNode) {
	for _, item := range s.items {
		from := len(p.fields)
		switch {
		case item.star && item.x == nil:
			if len(s.from) == 0 {
				c.fail(item.pos, "SELECT * not allowed in queries without FROM clause")
			}
			c.star(e, p, item, "")
		case item.star:
			c.qualifiedStar(e, p, item)
		default:
			v := e.expr(item.x)
			if v.typ.Kind == Function {
				c.fail(item.pos, "a lambda is not allowed here")
			}
			name, label := "", "_col"+itoa(len(p.values))
			switch x := item.x.(type) {
			case *columnRef:
				label = x.name.text
				name = strings.ToLower(label)
			case *derefExpr:
				if _, ok := chain(x); ok {
					label = x.name.text
					name = strings.ToLower(label)
				}
			}
			if item.alias != nil {
				label = item.alias.text
				name = strings.ToLower(label)
			}
			p.add(v, name, label)
		}
		if p.distinct {
			for i, f := range p.fields[from:] {
				if !f.typ.comparable() {
					c.unsupported(item.pos, "DISTINCT over values of type "+f.typ.String())
				}
				p.values[from+i].sql = c.canonicalMaps(p.values[from+i].sql, f.typ)
			}
		}
	}
}

// star adds every column that is not hidden, of one relation where rel names it.
func (c *checker) star(e *env, p *projection, item *selectItem, rel string) {
	n := 0
	for _, f := range e.scope.fields {
		if f.hidden || rel != "" && f.rel != rel {
			continue
		}
		known, label := f.name, f.label
		if item.columns != nil {
			if n >= len(item.columns) {
				c.fail(item.columns[0].pos, "Column alias list has %d entries but the relation has more columns", len(item.columns))
			}
			label = canonical(item.columns[n])
			known = strings.ToLower(label)
		}
		v := c.referenceValue(reference{scope: e.scope, field: f, label: name{node: item.node, text: f.label}})
		if known == "" {
			label = "_col" + itoa(len(p.values))
		}
		p.add(v, known, label)
		n++
	}
	if item.columns != nil && n != len(item.columns) {
		c.fail(item.columns[0].pos, "Column alias list has %d entries but the relation has %d columns", len(item.columns), n)
	}
}

// qualifiedStar is relation.* or, for a value that is a row, all of its members.
func (c *checker) qualifiedStar(e *env, p *projection, item *selectItem) {
	if names, ok := chain(item.x); ok {
		rel := strings.ToLower(names[len(names)-1].text)
		for _, f := range e.scope.fields {
			if f.rel == rel && (len(names) == 1 || f.relFull == strings.ToLower(names[len(names)-2].text)+"."+rel) {
				c.star(e, p, item, rel)
				return
			}
		}
		if _, known := c.lookup(e.scope, names); !known {
			c.fail(item.pos, "Table '%s' not found", c.source(item.x))
		}
	}
	v := e.expr(item.x)
	if v.typ.Kind != Row {
		c.fail(item.pos, "Cannot take the members of a value of type %s", v.typ)
	}
	if item.columns != nil && len(item.columns) != len(v.typ.Fields) {
		c.fail(item.columns[0].pos, "Column alias list has %d entries but the row has %d fields", len(item.columns), len(v.typ.Fields))
	}
	for i, f := range v.typ.Fields {
		label := f.Name
		if item.columns != nil {
			label = canonical(item.columns[i])
		}
		m := value{sql: "struct_extract(" + v.sql + ", " + quote(memberName(v.typ, i)) + ")", typ: f.Type, easy: v.easy}
		name := strings.ToLower(label)
		if label == "" {
			label = "_col" + itoa(len(p.values))
		}
		p.add(m, name, label)
	}
}

// canonical is a name as Trino shows those that are listed after a star: in upper case unless it was quoted.
func canonical(n name) string {
	if n.quoted {
		return n.text
	}
	return strings.ToUpper(n.text)
}

// chain is the names of a.b.c; ok is false for any other expression.
func chain(x expr) (names []name, ok bool) {
	switch x := x.(type) {
	case *columnRef:
		return []name{x.name}, true
	case *derefExpr:
		if names, ok := chain(x.base); ok {
			return append(names, x.name), true
		}
	}
	return nil, false
}
