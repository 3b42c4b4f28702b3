package dialect

import "strings"

// maxUses bounds the places of a statement that name a table.
const maxUses = 150

// source is a checked relation: what stands in FROM, and the columns that it shows.
type source struct {
	sql    string
	fields []*field
}

// relation checks one relation. lateral is what a LATERAL query or UNNEST sees: the relations to the left of it, and around these the outer
// queries' scope.
func (c *checker) relation(r relation, lateral *scope, outer *scope) source {
	switch r := r.(type) {
	case *tableRef:
		return c.tableRef(r)
	case *aliasRef:
		return c.alias(r, lateral, outer)
	case *queryRef:
		at := outer
		keyword := ""
		if r.lateral {
			at, keyword = lateral, "LATERAL "
		}
		return c.derived(keyword, c.query(r.query, at))
	case *unnestRef:
		return c.unnest(r, lateral)
	case *joinRef:
		return c.join(r, lateral, outer)
	case *sampleRef:
		return c.sample(r, lateral, outer)
	case *tableFunctionRef:
		return c.tableFunction(r)
	case *matchRef:
		c.trinoOnly(r.pos, "MATCH_RECOGNIZE")
	case *jsonTableRef:
		c.unsupported(r.pos, "JSON_TABLE")
	}
	panic("dialect: a relation without a case")
}

// derived is a query as a relation.
func (c *checker) derived(keyword string, res result) source {
	rel := c.relationName()
	s := source{sql: keyword + "(" + res.sql + ") AS " + rel}
	s.fields = c.columnsOf(rel, res)
	return s
}

func (c *checker) columnsOf(rel string, res result) []*field {
	var list []*field
	for i, f := range res.fields {
		list = append(list, c.newField(field{name: f.name, label: f.label, typ: f.typ, sql: rel + ".c" + itoa(i), use: f.use, column: f.path}))
	}
	return list
}

func (c *checker) tableRef(r *tableRef) source {
	if r.period != nil {
		c.unsupported(r.pos, "FOR … AS OF")
	}
	last := r.name[len(r.name)-1]
	rel := strings.ToLower(last.text)
	if len(r.name) == 1 {
		for w := c.with; w != nil; w = w.outer {
			if w.name == rel {
				if w.own != nil {
					if w.own.refused != "" {
						c.fail(r.pos, "%s", w.own.refused)
					}
					w.own.refs++
					w.own.pos = r.pos
				}
				alias := c.relationName()
				s := source{sql: w.sql + " AS " + alias, fields: c.columnsOf(alias, w.res)}
				for _, f := range s.fields {
					f.rel = rel
				}
				return s
			}
		}
	}
	if len(c.uses) == maxUses {
		c.fail(r.pos, "the statement names more than %d tables", maxUses)
	}
	table := c.resolveTable(r.name)
	use := &tableUse{table: table, relation: "store_" + itoa(len(c.uses)), columns: map[string]bool{}, pos: r.pos}
	c.uses = append(c.uses, use)
	alias := c.relationName()
	s := source{sql: quoteName(use.relation) + " AS " + alias}
	full := ""
	if len(r.name) > 1 {
		full = strings.ToLower(r.name[len(r.name)-2].text) + "." + rel
	}
	for _, col := range table.Columns {
		s.fields = append(s.fields, c.newField(field{rel: rel, relFull: full, name: col.Name, label: col.Name, typ: col.Type, sql: alias + "." + quoteName(col.Name),
			hidden: col.Hidden, use: use, column: col.Name}))
	}
	if len(table.Aliases) > 0 {
		s.fields = append(s.fields, c.newField(field{rel: rel, hidden: true, use: use, aliases: table}))
	}
	return s
}

// alias renames a relation and, where it lists them, its columns.
func (c *checker) alias(r *aliasRef, lateral, outer *scope) source {
	s := c.relation(r.rel, lateral, outer)
	rel := strings.ToLower(r.alias.text)
	visible := 0
	for _, f := range s.fields {
		if !f.hidden {
			visible++
		}
	}
	if r.columns != nil && len(r.columns) != visible {
		c.fail(r.alias.pos, "Column alias list has %d entries but '%s' has %d columns available", len(r.columns), r.alias.text, visible)
	}
	var fields []*field
	n := 0
	for _, f := range s.fields {
		if r.columns != nil {
			if f.hidden {
				continue // nothing but the columns listed has a name now
			}
			f.name, f.label = strings.ToLower(r.columns[n].text), r.columns[n].text
			n++
		}
		f.rel, f.relFull = rel, ""
		fields = append(fields, f)
	}
	s.fields = fields
	return s
}

// unnest writes UNNEST as a lateral query. DuckDB too fills the shorter columns with NULL.
func (c *checker) unnest(r *unnestRef, lateral *scope) source {
	e := &env{checker: c, scope: lateral, clause: "UNNEST"}
	if e.scope == nil {
		e.scope = &scope{}
	}
	rel := c.relationName()
	var cols, lengths []string
	var fields []*field
	add := func(sql string, t Type, name string) {
		fields = append(fields, c.newField(field{name: name, label: name, typ: t, sql: sql}))
	}
	for i, x := range r.args {
		v := e.expr(x)
		col := "c" + itoa(i)
		at := rel + "." + col
		switch v.typ.Kind {
		case Array:
			cols = append(cols, "unnest("+v.sql+") AS "+col)
			lengths = append(lengths, "coalesce(len("+v.sql+"), 0)")
			if elem := *v.typ.Elem; elem.Kind == Row {
				for j, f := range elem.Fields {
					add("struct_extract("+at+", "+quote(memberName(elem, j))+")", f.Type, strings.ToLower(f.Name))
				}
			} else {
				add(at, elem, "")
			}
		case Map:
			cols = append(cols, "unnest(map_entries("+v.sql+")) AS "+col)
			lengths = append(lengths, "coalesce(cardinality("+v.sql+")::BIGINT, 0)")
			add("struct_extract("+at+", 'key')", *v.typ.Key, "")
			add("struct_extract("+at+", 'value')", *v.typ.Elem, "")
		default:
			c.fail(x.at(), "Cannot unnest type: %s", v.typ)
		}
	}
	if r.ordinality {
		longest := lengths[0]
		if len(lengths) > 1 {
			longest = "greatest(" + strings.Join(lengths, ", ") + ")"
		}
		cols = append(cols, "unnest(range(1, "+longest+" + 1)) AS n")
		add(rel+".n", TypeBigint, "")
	}
	return source{"LATERAL (SELECT " + strings.Join(cols, ", ") + ") AS " + rel, fields}
}

func (c *checker) join(r *joinRef, lateral, outer *scope) source {
	if r.natural {
		c.fail(r.pos, "Natural join not supported")
	}
	left := c.relation(r.left, lateral, outer)
	if lateral == nil || len(lateral.fields) == 0 {
		left.sql = strings.TrimPrefix(left.sql, "LATERAL ")
	}
	seen := &scope{parent: outer, fields: left.fields}
	if lateral != nil && lateral != outer {
		seen.parent = lateral
	}
	right := c.relation(r.right, seen, outer)
	if strings.HasPrefix(right.sql, "LATERAL ") {
		on, isTrue := r.on.(*boolLit)
		switch {
		case r.kind == "RIGHT" || r.kind == "FULL":
			c.fail(r.pos, "%s JOIN involving UNNEST or LATERAL is not supported", r.kind)
		case r.kind == "LEFT" && !(isTrue && on.value):
			c.fail(r.pos, "LEFT JOIN involving UNNEST or LATERAL is only supported with condition ON TRUE")
		}
	}
	all := source{fields: append(append([]*field(nil), left.fields...), right.fields...)}
	if r.kind == "CROSS" {
		all.sql = "(" + left.sql + " CROSS JOIN " + right.sql + ")"
		return all
	}
	on := ""
	if r.using != nil {
		all.fields, on = c.using(r, left, right)
	} else {
		e := &env{checker: c, scope: &scope{parent: seen.parent, fields: all.fields}, clause: "JOIN"}
		e.conditions = func(v predicate) {
			// A condition of an inner join holds for what both sides bring; that of an outer join only for the side that it may turn into NULLs.
			if r.kind == "INNER" || r.kind == "LEFT" && owns(right, v.use) || r.kind == "RIGHT" && owns(left, v.use) {
				v.use.predicates = append(v.use.predicates, v.Predicate)
			}
		}
		on = e.condition(r.on, "JOIN ON")
	}
	all.sql = "(" + left.sql + " " + r.kind + " JOIN " + right.sql + " ON " + on + ")"
	return all
}

func owns(s source, u *tableUse) bool {
	for _, f := range s.fields {
		if f.use == u {
			return true
		}
	}
	return false
}

// using makes the columns of a join with USING: those it names come first and belong to neither side.
func (c *checker) using(r *joinRef, left, right source) ([]*field, string) {
	var fields []*field
	var terms []string
	gone := map[*field]bool{}
	for i, n := range r.using {
		for _, other := range r.using[:i] {
			if strings.EqualFold(other.text, n.text) {
				c.fail(n.pos, "Column '%s' appears multiple times in USING clause", n.text)
			}
		}
		side := func(s source, what string) *field {
			f := c.find(&scope{fields: s.fields}, n, func(f *field) bool { return f.name == strings.ToLower(n.text) })
			if f == nil {
				c.fail(n.pos, "Column '%s' is missing from %s side of join", n.text, what)
			}
			if f.use != nil {
				f.use.columns[top(f.column)] = true
			}
			gone[f] = true
			return f
		}
		l, r2 := side(left, "left"), side(right, "right")
		t, ok := common(l.typ, r2.typ)
		if !ok || !t.comparable() {
			c.fail(n.pos, "Column types of left and right side are not comparable: %s, %s", l.typ, r2.typ)
		}
		lv := c.coerce(value{sql: l.sql, typ: l.typ, easy: true}, t)
		rv := c.coerce(value{sql: r2.sql, typ: r2.typ, easy: true}, t)
		terms = append(terms, c.compare("=", lv, rv))
		sql := lv.sql
		switch r.kind {
		case "RIGHT":
			sql = rv.sql
		case "FULL":
			sql = "coalesce(" + lv.sql + ", " + rv.sql + ")"
		}
		fields = append(fields, c.newField(field{name: l.name, label: n.text, typ: t, sql: sql}))
	}
	for _, f := range append(append([]*field(nil), left.fields...), right.fields...) {
		if !gone[f] {
			fields = append(fields, f)
		}
	}
	return fields, balanced(terms, " AND ")
}
