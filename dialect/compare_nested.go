package dialect

import "strings"

// Comparing arrays, rows and maps. To DuckDB NULLs within them are equal to one another and larger than anything else, and maps are lists of entries; to
// Trino a NULL makes the answer NULL or the comparison fail, and a map has no order.

// maxNested bounds how deep the types of values that are compared lie in one another: the text that compares them grows faster than they do.
const maxNested = 20

// bounded refuses to compare values of a type that is nested too deep.
func (c *checker) bounded(t Type) {
	if depth(t, maxNested+1) > maxNested {
		c.fail(c.current, "values of types nested more than %d levels deep are not compared", maxNested)
	}
}

// depth is how deep a type is nested, counted as far as limit.
func depth(t Type, limit int) int {
	if limit == 0 {
		return 0
	}
	deepest := 0
	for _, part := range []*Type{t.Elem, t.Key} {
		if part != nil {
			deepest = max(deepest, depth(*part, limit-1))
		}
	}
	for _, f := range t.Fields {
		deepest = max(deepest, depth(f.Type, limit-1))
	}
	return deepest + 1
}

// canonicalMaps writes a value with the entries of its maps sorted by their keys, so that DuckDB takes for equal what Trino does.
func (c *checker) canonicalMaps(sql string, t Type) string {
	if !t.has(Map) {
		return sql
	}
	c.bounded(t)
	each := func(list string, write func(x string) string) string {
		c.lambdas++
		x := "l" + itoa(c.lambdas)
		defer func() { c.lambdas-- }()
		return "list_transform(" + list + ", lambda " + x + ": " + write(x) + ")"
	}
	switch t.Kind {
	case Array:
		return each(sql, func(x string) string { return c.canonicalMaps(x, *t.Elem) })
	case Row:
		var values []value
		for i, f := range t.Fields {
			values = append(values, value{sql: c.canonicalMaps("struct_extract($1, "+quote(memberName(t, i))+")", f.Type), typ: f.Type})
		}
		return c.template("CASE WHEN $1 IS NULL THEN NULL ELSE "+packRow(t, values)+" END", value{sql: sql, typ: t})
	}
	entries := "map_entries(" + sql + ")"
	if t.Key.has(Map) || t.Elem.has(Map) {
		entries = each(entries, func(x string) string {
			return "{'key': " + c.canonicalMaps("struct_extract("+x+", 'key')", *t.Key) + ", 'value': " + c.canonicalMaps("struct_extract("+x+", 'value')", *t.Elem) + "}"
		})
	}
	return "map_from_entries(list_sort(" + entries + "))"
}

// has tells whether values of type t are of a kind or hold such values.
func (t Type) has(k Kind) bool { return !t.every(func(other Kind) bool { return other != k }) }

// compareRows compares member by member: NULL members make the answer NULL unless another member decides it.
func (c *checker) compareRows(op string, left, right value, t Type) string {
	if op == "<>" {
		return "(NOT " + c.compareRows("=", left, right, t) + ")"
	}
	if op != "=" {
		return c.compareOrder(op, left, right, t)
	}
	var terms []string
	for i, f := range t.Fields {
		name := quote(memberName(t, i))
		l := value{sql: "struct_extract($1, " + name + ")", typ: f.Type, easy: true}
		r := value{sql: "struct_extract($2, " + name + ")", typ: f.Type, easy: true}
		terms = append(terms, c.compare("=", l, r))
	}
	return c.template("(CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE "+balanced(terms, " AND ")+" END)", left, right)
}

// compareArrays compares element by element: a difference decides, else a NULL makes the answer NULL.
func (c *checker) compareArrays(op string, left, right value, t Type) string {
	switch {
	case op == "<>":
		return "(NOT " + c.compareArrays("=", left, right, t) + ")"
	case op != "=":
		return c.compareOrder(op, left, right, t)
	case t.Elem.plain():
		return c.template("(CASE WHEN len($1) <> len($2) THEN false WHEN list_count($1) = len($1) AND list_count($2) = len($2) THEN $1 = $2 "+
			"WHEN $1 IS NULL OR $2 IS NULL THEN NULL WHEN len(list_filter(range(1, len($1) + 1), lambda i: $1[i] <> $2[i])) > 0 THEN false END)", left, right)
	}
	return c.template("(CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL WHEN len($1) <> len($2) THEN false ELSE "+c.allEqual("$1", "$2", *t.Elem)+" END)", left, right)
}

// allEqual compares two lists of one length element by element.
func (c *checker) allEqual(left, right string, elem Type) string {
	c.lambdas++
	i := "l" + itoa(c.lambdas)
	same := c.compare("=", value{sql: left + "[" + i + "]", typ: elem, easy: true}, value{sql: right + "[" + i + "]", typ: elem, easy: true})
	c.lambdas--
	list := "list_transform(range(1, len(" + left + ") + 1), lambda " + i + ": " + same + ")"
	return c.template("CASE WHEN list_contains($1, false) THEN false WHEN list_count($1) < len($1) THEN NULL ELSE true END", value{sql: list, typ: ArrayOf(TypeBoolean)})
}

// compareMaps is = and <> of maps: the same keys, and equal values at each.
func (c *checker) compareMaps(op string, left, right value, t Type) string {
	if op == "<>" {
		return "(NOT " + c.compareMaps("=", left, right, t) + ")"
	}
	l, r := left, right
	l.sql, r.sql = c.canonicalMaps(left.sql, t), c.canonicalMaps(right.sql, t)
	l.easy, r.easy = false, false
	keys := c.compare("=", value{sql: "map_keys($1)", typ: ArrayOf(*t.Key), easy: true}, value{sql: "map_keys($2)", typ: ArrayOf(*t.Key), easy: true})
	values := c.compare("=", value{sql: "map_values($1)", typ: ArrayOf(*t.Elem), easy: true}, value{sql: "map_values($2)", typ: ArrayOf(*t.Elem), easy: true})
	return c.template("(CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL WHEN cardinality($1) <> cardinality($2) OR NOT "+keys+" THEN false ELSE "+values+" END)", l, r)
}

// compareOrder is < and its like over arrays and rows: the first place where they differ decides. A NULL at or before it makes Trino fail; so it does
// here, by an error that TRY does not catch.
func (c *checker) compareOrder(op string, left, right value, t Type) string {
	return c.template("(CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL WHEN "+c.undecided("$1", "$2", t)+" THEN "+
		raise("comparing values that hold NULL before they differ is "+notYet, TypeBoolean)+" ELSE $1 "+op+" $2 END)", left, right)
}

// undecided tells of two values that are not NULL whether comparing them comes upon a NULL.
func (c *checker) undecided(left, right string, t Type) string {
	switch t.Kind {
	case Array:
		c.lambdas++
		i := "l" + itoa(c.lambdas)
		l, r := left+"["+i+"]", right+"["+i+"]"
		null := l + " IS NULL OR " + r + " IS NULL"
		if t.Elem.Kind == Array || t.Elem.Kind == Row {
			null += " OR " + c.undecided(l, r, *t.Elem)
		}
		c.lambdas--
		return "coalesce(list_filter(list_transform(range(1, least(len(" + left + "), len(" + right + ")) + 1), lambda " + i + ": CASE WHEN " + null + " THEN 2 WHEN " + l +
			" IS DISTINCT FROM " + r + " THEN 1 ELSE 0 END), lambda " + i + ": " + i + " > 0)[1] = 2, false)"
	case Row:
		var b strings.Builder
		b.WriteString("CASE")
		for i, f := range t.Fields {
			name := quote(memberName(t, i))
			l, r := "struct_extract("+left+", "+name+")", "struct_extract("+right+", "+name+")"
			b.WriteString(" WHEN " + l + " IS NULL OR " + r + " IS NULL THEN true")
			if f.Type.Kind == Array || f.Type.Kind == Row {
				b.WriteString(" WHEN " + c.undecided(l, r, f.Type) + " THEN true")
			}
			b.WriteString(" WHEN " + l + " IS DISTINCT FROM " + r + " THEN false")
		}
		return b.String() + " ELSE false END"
	}
	return "false"
}
