package dialect

import "strings"

// comparison types left op right. A timestamp compares with a string literal, as it does in CloudTrail Lake and does not in Trino.
func (e *env) comparison(pos int, op string, left, right value) value {
	left, right = e.lenient(pos, left, right), e.lenient(pos, right, left)
	t, ok := common(left.typ, right.typ)
	if !ok || t.Kind == Function || t.Kind == Map || op != "=" && op != "<>" && !t.orderable() {
		e.fail(pos, "Cannot apply operator: %s %s %s", left.typ, op, right.typ)
	}
	return boolean(e.compare(op, e.coerce(left, t), e.coerce(right, t)))
}

// lenient turns v into a timestamp where it is a string literal and other is one.
func (e *env) lenient(pos int, v, other value) value {
	s, ok := v.text()
	if !ok || other.typ.Kind != Timestamp {
		return v
	}
	t, precision, ok := parseLenient(s)
	if !ok {
		e.fail(pos, "'%s' is not a timestamp; write '2026-01-31', '2026-01-31 10:00:00' or '2026-01-31T10:00:00Z'", s)
	}
	return timestampValue(t, precision)
}

// compare writes a comparison of two values of one type.
func (c *checker) compare(op string, left, right value) string {
	t := left.typ
	if left.isNull() {
		t = right.typ
	}
	if left.isNull() && right.isNull() {
		return "CAST(NULL AS BOOLEAN)"
	}
	left.sql, right.sql = castNull(left, t), castNull(right, t)
	switch {
	case t.floating():
		return c.compareFloats(op, left, right)
	case t.Kind == Row:
		return c.compareRows(op, left, right, t)
	case t.Kind == Array:
		return c.compareArrays(op, left, right, t)
	case t.Kind == JSON:
		c.unsupported(c.current, "comparing values of type json")
	}
	return "(" + left.sql + " " + op + " " + right.sql + ")"
}

// compareFloats: to Trino a NaN is equal to nothing and neither less nor greater; DuckDB has it equal to itself and greatest.
func (c *checker) compareFloats(op string, left, right value) string {
	if op == "<>" {
		return "(NOT " + c.compareFloats("=", left, right) + ")"
	}
	plain := "($1 " + op + " $2)"
	switch {
	case left.lit != nil && right.lit != nil:
	case right.lit != nil && (op == "=" || op == "<" || op == "<="):
	case left.lit != nil && (op == "=" || op == ">" || op == ">="):
	case right.lit != nil:
		plain = "($1 " + op + " $2 AND NOT isnan($1))"
	case left.lit != nil:
		plain = "($1 " + op + " $2 AND NOT isnan($2))"
	default:
		plain = "(CASE WHEN isnan($1) OR isnan($2) THEN ($1 IS NULL OR $2 IS NULL) AND NULL ELSE $1 " + op + " $2 END)"
	}
	return c.template(plain, left, right)
}

// compareRows compares member by member: NULL members make the answer NULL unless another member decides it.
func (c *checker) compareRows(op string, left, right value, t Type) string {
	switch op {
	case "<>":
		return "(NOT " + c.compareRows("=", left, right, t) + ")"
	case "=":
	default:
		c.unsupported(c.current, "comparing rows by "+op)
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

// compareArrays compares element by element: a difference decides, else a NULL makes the answer NULL. To DuckDB NULLs are equal.
func (c *checker) compareArrays(op string, left, right value, t Type) string {
	if op == "<>" {
		return "(NOT " + c.compareArrays("=", left, right, t) + ")"
	}
	if !t.Elem.plain() {
		c.unsupported(c.current, "comparing values of type "+t.String())
	}
	if op == "=" {
		return c.template("(CASE WHEN len($1) <> len($2) THEN false WHEN list_count($1) = len($1) AND list_count($2) = len($2) THEN $1 = $2 "+
			"WHEN $1 IS NULL OR $2 IS NULL THEN NULL WHEN len(list_filter(range(1, len($1) + 1), lambda i: $1[i] <> $2[i])) > 0 THEN false END)", left, right)
	}
	return c.template("(CASE WHEN list_count($1) < len($1) OR list_count($2) < len($2) THEN "+
		raise("comparing arrays that hold NULL is not supported yet", TypeBoolean)+" ELSE $1 "+op+" $2 END)", left, right)
}

func (e *env) between(x *betweenExpr) value {
	v, low, high := e.expr(x.x), e.expr(x.low), e.expr(x.high)
	v1 := e.lenient(x.pos, v, low)
	low, high = e.lenient(x.low.at(), low, v), e.lenient(x.high.at(), high, v)
	v = v1
	t, ok := common(v.typ, low.typ)
	if ok {
		t, ok = common(t, high.typ)
	}
	if !ok || !t.orderable() {
		e.fail(x.pos, "Cannot check if %s is BETWEEN %s and %s", v.typ, low.typ, high.typ)
	}
	v, low, high = e.coerce(v, t), e.coerce(low, t), e.coerce(high, t)
	sql := ""
	if t.plain() {
		sql = "(" + castNull(v, t) + " BETWEEN " + castNull(low, t) + " AND " + castNull(high, t) + ")"
	} else {
		name := value{sql: "$1", typ: v.typ, easy: true}
		l, h := value{sql: "$2", typ: low.typ, easy: true, lit: low.lit}, value{sql: "$3", typ: high.typ, easy: true, lit: high.lit}
		sql = e.template("("+e.compare(">=", name, l)+" AND "+e.compare("<=", name, h)+")", v, low, high)
	}
	if x.not {
		sql = "(NOT " + sql + ")"
	}
	return boolean(sql)
}

func (e *env) inList(x *inListExpr) value {
	values, at := []value{e.expr(x.x)}, []expr{x.x}
	first := values[0]
	for _, l := range x.list {
		v := e.lenient(l.at(), e.expr(l), first)
		values, at = append(values, v), append(at, l)
	}
	for _, v := range values[1:] {
		values[0] = e.lenient(x.pos, values[0], v)
	}
	t := values[0].typ
	for i, v := range values[1:] {
		u, ok := common(t, v.typ)
		if !ok || u.Kind == Function || u.Kind == Map {
			e.fail(at[i+1].at(), "IN value and list items must be the same type: %s vs %s", t, v.typ)
		}
		t = u
	}
	for i := range values {
		values[i] = e.coerce(values[i], t)
	}
	var sql string
	if t.plain() {
		var b strings.Builder
		b.WriteString("(" + castNull(values[0], t) + " IN (")
		for i, v := range values[1:] {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(castNull(v, t))
		}
		b.WriteString("))")
		sql = b.String()
	} else {
		sql = e.bind(values[0], func(first value) string {
			terms := make([]string, len(values)-1)
			for i, v := range values[1:] {
				terms[i] = e.compare("=", first, v)
			}
			return balanced(terms, " OR ")
		})
	}
	if x.not {
		sql = "(NOT " + sql + ")"
	}
	return boolean(sql)
}

// columnQuery checks a query that answers one column, and brings it and v to one type.
func (e *env) columnQuery(x expr, q *queryNode, v value, what string) (left, right string, t Type) {
	e.noSubquery(x)
	res := e.query(q, e.scope)
	if len(res.fields) != 1 {
		e.fail(q.pos, "Multiple columns returned by subquery are not yet supported. Found %d", len(res.fields))
	}
	t, ok := common(v.typ, res.fields[0].typ)
	if !ok || !t.plain() {
		if ok {
			e.unsupported(x.at(), what+" over values of type "+t.String())
		}
		e.fail(x.at(), "value and result of subquery must be of the same type for %s: %s vs %s", what, v.typ, res.fields[0].typ)
	}
	fields := []outField{{typ: t}}
	return castNull(e.coerce(v, t), t), e.arm(res, fields), t
}

func (e *env) inQuery(x *inQueryExpr) value {
	left, right, _ := e.columnQuery(x, x.query, e.expr(x.x), "IN expression")
	word := " IN "
	if x.not {
		word = " NOT IN "
	}
	return boolean("(" + left + word + right + ")")
}

func (e *env) quantified(x *quantifiedExpr) value {
	if x.op == "<>" && !x.all {
		// Trino answers true for NULL <> ANY over different values; neither that nor SQL's NULL is worth having.
		e.unsupported(x.pos, "<> ANY")
	}
	left, right, t := e.columnQuery(x, x.query, e.expr(x.x), "quantified comparison")
	if x.op != "=" && x.op != "<>" && !t.orderable() {
		e.fail(x.pos, "Type [%s] must be orderable in order to be used in quantified comparison", t)
	}
	word := " ANY "
	if x.all {
		word = " ALL "
	}
	return boolean("(" + left + " " + x.op + word + right + ")")
}

func (e *env) isDistinct(x *distinctExpr) value {
	left, right := e.expr(x.left), e.expr(x.right)
	left, right = e.lenient(x.pos, left, right), e.lenient(x.pos, right, left)
	t, ok := common(left.typ, right.typ)
	if !ok || t.Kind == Function {
		e.fail(x.pos, "Cannot check if %s is distinct from %s", left.typ, right.typ)
	}
	if !t.comparable() || t.Kind == JSON {
		e.unsupported(x.pos, "IS DISTINCT FROM over values of type "+t.String())
	}
	word := " IS DISTINCT FROM "
	if x.not {
		word = " IS NOT DISTINCT FROM "
	}
	return boolean("(" + castNull(e.coerce(left, t), t) + word + castNull(e.coerce(right, t), t) + ")")
}

// like writes LIKE. Neither Trino nor DuckDB escapes anything where no ESCAPE is given.
func (e *env) like(x *likeExpr) value {
	v, pattern := e.expr(x.x), e.expr(x.pattern)
	if v.typ.Kind != Varchar && !v.isNull() {
		e.fail(x.x.at(), "Left side of LIKE expression must evaluate to a varchar (actual: %s)", v.typ)
	}
	if pattern.typ.Kind != Varchar && !pattern.isNull() {
		e.fail(x.pattern.at(), "Pattern for LIKE expression must evaluate to a varchar (actual: %s)", pattern.typ)
	}
	escape := ""
	if x.escape != nil {
		s, ok := e.expr(x.escape).text()
		if !ok {
			e.unsupported(x.escape.at(), "ESCAPE that is no literal")
		}
		p, ok := pattern.text()
		if !ok {
			e.unsupported(x.pattern.at(), "LIKE with ESCAPE and a pattern that is no literal")
		}
		if len([]rune(s)) > 1 {
			e.fail(x.escape.at(), "Escape string must be a single character")
		}
		if s != "" {
			plain, ok := unescapeLike(p, []rune(s)[0])
			if !ok {
				e.fail(x.pattern.at(), "Escape character must be followed by '%%', '_' or the escape character itself")
			}
			// One escape character for every pattern, so that none has a meaning to the engine that it does not have here.
			pattern = stringValue(plain)
			escape = ` ESCAPE '\'`
		}
	}
	word := " LIKE "
	if x.not {
		word = " NOT LIKE "
	}
	return boolean("(" + castNull(v, TypeVarchar) + word + castNull(pattern, TypeVarchar) + escape + ")")
}

// unescapeLike rewrites a pattern from one escape character to the backslash.
func unescapeLike(pattern string, escape rune) (string, bool) {
	var b strings.Builder
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			if r != '%' && r != '_' && r != escape {
				return "", false
			}
			if r == '%' || r == '_' || r == '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
			escaped = false
		case r == escape:
			escaped = true
		case r == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String(), !escaped
}
