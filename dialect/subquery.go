package dialect

import "strings"

// subquery checks a query that stands in an expression; correlated tells whether it names columns of the queries around it.
func (e *env) subquery(x expr, q *queryNode) (res result, correlated bool) {
	e.noSubquery(x)
	outer := &scope{parent: e.scope, crossed: &correlated}
	res = e.query(q, outer)
	return res, correlated
}

// scalarQuery is a query as a value: of several columns a row of them, whose members are NULL where there is no row.
func (e *env) scalarQuery(x *subqueryExpr) value {
	res, _ := e.subquery(x, x.query)
	if len(res.fields) == 1 {
		return value{sql: "(" + res.sql + ")", typ: res.fields[0].typ}
	}
	t, packed := e.packed(res)
	none := make([]value, len(t.Fields))
	for i, f := range t.Fields {
		none[i] = value{sql: "CAST(NULL AS " + duckType(f.Type) + ")", typ: f.Type}
	}
	return value{sql: "coalesce((" + packed + "), " + packRow(t, none) + ")", typ: t}
}

// packed is a query whose columns are one row, c0.
func (c *checker) packed(res result) (Type, string) {
	t := Type{Kind: Row}
	values := make([]value, len(res.fields))
	for i, f := range res.fields {
		n := ""
		if f.name != "" {
			n = f.label
		}
		t.Fields = append(t.Fields, Field{n, f.typ})
		values[i] = value{sql: "c" + itoa(i), typ: f.typ}
	}
	return t, "SELECT " + packRow(t, values) + " AS c0 FROM (" + res.sql + ") AS " + c.relationName()
}

// columnQuery checks a query whose rows v is compared with, and brings it and v to one type. A row stands for as many columns as it has members.
func (e *env) columnQuery(x expr, q *queryNode, v value) (left value, right string, correlated bool) {
	res, correlated := e.subquery(x, q)
	columns := Type{Kind: Row}
	for _, f := range res.fields {
		columns.Fields = append(columns.Fields, Field{Type: f.typ})
	}
	mismatch := func(t Type) {
		e.fail(x.at(), "Value expression and result of subquery must be of the same type: %s vs %s", t, columns)
	}
	if v.typ.Kind == Row {
		typ, sql := e.packed(res)
		res = result{sql, []outField{{typ: typ}}}
	} else if len(res.fields) != 1 {
		mismatch(RowOf(Field{Type: v.typ}))
	}
	t, ok := common(v.typ, res.fields[0].typ)
	switch {
	case !ok || !t.comparable():
		mismatch(v.typ)
	case t.has(JSON):
		e.unsupported(x.at(), "comparing values of type "+t.String()+" with a subquery's")
	}
	left = e.coerce(v, t)
	left.sql = e.canonicalMaps(castNull(left, t), t)
	return left, e.arm(res, []outField{{typ: t}}, true), correlated
}

// inQuery is IN over a subquery. Trino looks the value up among the subquery's, where NaN and NULLs within arrays and rows are equal to themselves, as
// DuckDB does; but where the subquery is correlated it compares by =.
func (e *env) inQuery(x expr, q *queryNode, v value, not bool) value {
	left, right, correlated := e.columnQuery(x, q, v)
	if correlated && !left.typ.plain() {
		e.unsupported(x.at(), "IN over a correlated subquery of values of type "+left.typ.String())
	}
	word := " IN "
	if not {
		word = " NOT IN "
	}
	return boolean("(" + left.sql + word + right + ")")
}

// quantified is a comparison with ANY, SOME or ALL of a subquery's rows. = ANY and <> ALL are IN and NOT IN; the others Trino answers from the least and
// the greatest of the rows, which shows where a NULL is compared with rows that differ.
func (e *env) quantified(x *quantifiedExpr) value {
	v := e.expr(x.x)
	if x.op == "=" && !x.all || x.op == "<>" && x.all {
		return e.inQuery(x, x.query, v, x.all)
	}
	left, right, _ := e.columnQuery(x, x.query, v)
	t := left.typ
	if !t.orderable() {
		e.fail(x.pos, "Type [%s] must be orderable in order to be used in quantified comparison", t)
	}
	call := func(fn, arg string) string { return fn + "(" + arg + ")" }
	low, high := e.extreme("min", "c0", t, call), e.extreme("max", "c0", t, call)
	bounds := value{sql: "(SELECT {'n': count(*), 'k': count(c0), 'lo': " + low + ", 'hi': " + high + "} FROM " + right + " AS " + e.relationName() + ")", typ: RowOf(Field{})}
	at := func(name string) value { return value{sql: "struct_extract($2, '" + name + "')", typ: t, easy: true} }
	one := value{sql: "$1", typ: t, easy: true}
	var test string
	switch {
	case x.op == "=" || x.op == "<>":
		test = e.compare("=", at("lo"), at("hi")) + " AND " + e.compare("=", one, at("hi"))
	case strings.HasPrefix(x.op, "<") == x.all:
		test = e.compare(x.op, one, at("lo"))
	default:
		test = e.compare(x.op, one, at("hi"))
	}
	empty, word := "true", " AND "
	if !x.all && x.op != "<>" {
		empty, word = "false", " OR "
	}
	sql := e.template("(CASE WHEN struct_extract($2, 'n') = 0 THEN "+empty+" ELSE ("+test+")"+word+"CASE WHEN struct_extract($2, 'n') <> struct_extract($2, 'k') THEN NULL ELSE "+
		empty+" END END)", left, bounds)
	if x.op == "<>" {
		sql = "(NOT " + sql + ")"
	}
	return boolean(sql)
}

// extreme writes the aggregate of the least or the greatest value. NaN counts only where there is nothing else; to DuckDB it is the largest number. Of
// arrays and rows with NULL within Trino compares some and fails at others, by the order in which they come; none of them is compared here.
func (c *checker) extreme(fn, sql string, t Type, call func(fn, arg string) string) string {
	switch {
	case t.floating() && fn == "max":
		return "(-" + call("min", "(-"+sql+")") + ")"
	case t.Kind == Array || t.Kind == Row:
		if t.has(Real) || t.has(Double) {
			c.unsupported(c.current, fn+" of values of type "+t.String())
		}
		return c.unlessNull(fn, sql, t, t, call, call(fn, sql))
	}
	return call(fn, sql)
}

// unlessNull is an aggregate that compares the values of sql, refused where NULLs lie within some of them.
func (c *checker) unlessNull(name, sql string, t, result Type, call func(fn, arg string) string, aggregate string) string {
	if t.Kind != Array && t.Kind != Row {
		return aggregate
	}
	return "CASE WHEN " + call("count", sql) + " > 1 AND " + call("bool_or", c.holdsNull(sql, t)) + " THEN " + raise(name+" of values that hold NULL is "+notYet, result) +
		" ELSE " + aggregate + " END"
}

// holdsNull tells whether a NULL lies within a value that is not NULL.
func (c *checker) holdsNull(sql string, t Type) string {
	switch t.Kind {
	case Array:
		if t.Elem.Kind != Array && t.Elem.Kind != Row {
			return "list_count(" + sql + ") < len(" + sql + ")"
		}
		c.lambdas++
		x := "l" + itoa(c.lambdas)
		defer func() { c.lambdas-- }()
		return "list_contains(list_transform(" + sql + ", lambda " + x + ": " + x + " IS NULL OR " + c.holdsNull(x, *t.Elem) + "), true)"
	case Row:
		terms := []string{sql + " IS NOT NULL"}
		var members []string
		for i, f := range t.Fields {
			m := "struct_extract(" + sql + ", " + quote(memberName(t, i)) + ")"
			members = append(members, m+" IS NULL")
			if f.Type.Kind == Array || f.Type.Kind == Row {
				members = append(members, c.holdsNull(m, f.Type))
			}
		}
		return "(" + balanced(append(terms, balanced(members, " OR ")), " AND ") + ")"
	}
	return "false"
}
