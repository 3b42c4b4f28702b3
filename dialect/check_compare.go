package dialect

import "strings"

// comparison types left op right. A timestamp compares with a string literal, as it does in CloudTrail Lake and does not in Trino.
func (e *env) comparison(pos int, op string, left, right value) value {
	left, right = e.lenient(pos, left, right), e.lenient(pos, right, left)
	for _, v := range []*value{&left, &right} {
		if v.anyZone != "" { // only instants are compared
			v.sql = v.anyZone
		}
	}
	t, ok := common(left.typ, right.typ)
	if !ok || t.Kind == Function || op != "=" && op != "<>" && !t.orderable() {
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
	if t.Elem != nil || t.Fields != nil {
		c.bounded(t)
	}
	switch {
	case t.floating():
		return c.compareFloats(op, left, right)
	case t.Kind == Row:
		return c.compareRows(op, left, right, t)
	case t.Kind == Array:
		return c.compareArrays(op, left, right, t)
	case t.Kind == Map:
		return c.compareMaps(op, left, right, t)
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
		if !ok || u.Kind == Function {
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
		for _, l := range x.list {
			if (t.has(Real) || t.has(Double)) && !constant(l) && e.key(e.scope, l) == e.key(e.scope, x.x) {
				e.unsupported(l.at(), "a value of type "+t.String()+" in a list that holds it itself") // to Trino NaN is in it
			}
		}
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

func (e *env) isDistinct(x *distinctExpr) value {
	left, right := e.expr(x.left), e.expr(x.right)
	left, right = e.lenient(x.pos, left, right), e.lenient(x.pos, right, left)
	t, ok := common(left.typ, right.typ)
	if !ok || t.Kind == Function {
		e.fail(x.pos, "Cannot check if %s is distinct from %s", left.typ, right.typ)
	}
	if !t.comparable() {
		e.unsupported(x.pos, "IS DISTINCT FROM over values of type "+t.String())
	}
	word := " IS DISTINCT FROM "
	if x.not {
		word = " IS NOT DISTINCT FROM "
	}
	return boolean("(" + e.canonicalMaps(castNull(e.coerce(left, t), t), t) + word + e.canonicalMaps(castNull(e.coerce(right, t), t), t) + ")")
}

// like writes LIKE. Neither Trino nor DuckDB escapes anything where no ESCAPE is given.
func (e *env) like(x *likeExpr) value {
	v, pattern := e.expr(x.x), e.expr(x.pattern)
	if v.typ.Kind != Varchar && v.typ.Kind != Char && !v.isNull() {
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
