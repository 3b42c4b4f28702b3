package dialect

import "strconv"

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

// extract tells e.conditions which conditions on a table's own columns hold for every row that x lets through. It is asked after x was
// checked, so every name in it is known to resolve.
func (e *env) extract(x expr) {
	switch x := x.(type) {
	case *logicalExpr:
		if !x.or {
			for _, t := range x.terms {
				e.extract(t)
			}
			return
		}
		e.extractOr(x)
	case *comparisonExpr:
		op, ok := predicateOps[x.op]
		if !ok {
			return
		}
		if u, path, ok := e.column(x.left); ok {
			e.tell(u, path, op, x.right)
		} else if u, path, ok := e.column(x.right); ok {
			e.tell(u, path, mirrored[op], x.left)
		}
	case *betweenExpr:
		if u, path, ok := e.column(x.x); ok && !x.not {
			e.tell(u, path, GreaterEqual, x.low)
			e.tell(u, path, LessEqual, x.high)
		}
	case *inListExpr:
		if u, path, ok := e.column(x.x); ok && !x.not {
			e.tell(u, path, Equal, x.list...)
		}
	case *isNullExpr:
		if u, path, ok := e.column(x.x); ok && x.not {
			e.conditions(predicate{u.use, Predicate{Path: path, Op: NotNull}})
		}
	case *likeExpr:
		u, path, ok := e.column(x.x)
		pattern, lit := x.pattern.(*stringLit)
		if !ok || !lit || x.not || x.escape != nil {
			return
		}
		n := 0
		for n < len(pattern.value) && pattern.value[n] != '%' && pattern.value[n] != '_' {
			n++
		}
		op := StartsWith
		if n == len(pattern.value) {
			op = Equal
		}
		if n > 0 {
			e.conditions(predicate{u.use, Predicate{path, op, []Value{{Text: pattern.value[:n]}}}})
		}
	}
}

// extractOr takes x = 1 OR x = 2 for x IN (1, 2).
func (e *env) extractOr(x *logicalExpr) {
	var use value
	var all []expr
	path := ""
	for _, t := range x.terms {
		var of expr
		var list []expr
		switch t := t.(type) {
		case *comparisonExpr:
			if t.op != "=" {
				return
			}
			of, list = t.left, []expr{t.right}
		case *inListExpr:
			if t.not {
				return
			}
			of, list = t.x, t.list
		default:
			return
		}
		u, p, ok := e.column(of)
		if !ok || path != "" && (p != path || u.use != use.use) {
			return
		}
		use, path, all = u, p, append(all, list...)
	}
	e.tell(use, path, Equal, all...)
}

var predicateOps = map[string]Op{"=": Equal, "<": Less, "<=": LessEqual, ">": Greater, ">=": GreaterEqual}
var mirrored = map[Op]Op{Equal: Equal, Less: Greater, LessEqual: GreaterEqual, Greater: Less, GreaterEqual: LessEqual}

// column is a reference to a scalar of a table that the scope itself reads, and not a query around it.
func (e *env) column(x expr) (v value, path string, ok bool) {
	names, ok := chain(x)
	if !ok || e.group != nil {
		return v, "", false
	}
	r, ok := e.lookup(e.scope, names)
	if !ok || r.scope != e.scope || r.field.use == nil {
		return v, "", false
	}
	v = e.referenceValue(r)
	if v.use == nil {
		return v, "", false
	}
	switch v.typ.Kind {
	case Varchar, Boolean, Timestamp, Integer, Bigint:
		return v, v.path, true
	}
	return v, "", false
}

// tell hands on a condition whose literals have the column's type.
func (e *env) tell(u value, path string, op Op, literals ...expr) {
	p := Predicate{Path: path, Op: op}
	for _, x := range literals {
		if !constant(x) {
			return
		}
		v := e.lenient(x.at(), e.expr(x), u)
		if v.isNull() && op == Equal {
			continue // x = NULL lets nothing through
		}
		switch lit := v.lit.(type) {
		case string:
			if u.typ.Kind != Varchar {
				return
			}
			p.Values = append(p.Values, Value{Text: lit})
		case bool:
			if u.typ.Kind != Boolean {
				return
			}
			n := int64(0)
			if lit {
				n = 1
			}
			p.Values = append(p.Values, Value{Num: n})
		case int64:
			if u.typ.Kind != Integer && u.typ.Kind != Bigint {
				return
			}
			p.Values = append(p.Values, Value{Num: lit})
		case micros:
			if u.typ.Kind != Timestamp {
				return
			}
			p.Values = append(p.Values, Value{Num: int64(lit)})
		case days:
			if u.typ.Kind != Timestamp {
				return
			}
			p.Values = append(p.Values, Value{Num: int64(lit) * 86_400_000_000})
		default:
			return
		}
	}
	if len(p.Values) > 0 {
		e.conditions(predicate{u.use, p})
	}
}

// constant tells whether x may be a literal once it is checked: it names no column and holds no query.
func constant(x expr) bool {
	switch x.(type) {
	case *columnRef, *derefExpr, *subqueryExpr, *existsExpr, *inQueryExpr, *quantifiedExpr, *lambdaExpr:
		return false
	}
	for _, c := range children(x) {
		if !constant(c) {
			return false
		}
	}
	return true
}

// knownElsewhere are functions of Trino's that Loch knows of and does not have yet; the text goes on where something else serves.
var knownElsewhere = map[string]string{
	"approx_set": "",
	"format":     "", "word_stem": "", "inverse_beta_cdf": "",
	"from_iso8601_timestamp_nanos": "", "ip_prefix": "", "ip_subnet_min": "",
	"ip_subnet_max": "", "ip_subnet_range": "", "is_subnet_of": "",
}
