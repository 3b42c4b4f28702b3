package dialect

import "strings"

// tryForm is TRY: NULL where the argument fails. What DuckDB's TRY cannot hold (subqueries, window functions, random values) Trino computes before
// it, so that its failing is no matter of TRY's: it is computed first here too.
func tryForm(e *env, x *callExpr) value {
	e.count(x, 1, 1)
	if triable(x.args[0]) || e.hoisted != nil && !e.lambda { // a TRY around this one computes it all first
		before := e.backtracks
		v := e.expr(x.args[0])
		if e.backtracks > before { // TRY would make NULL of a refusal
			e.unsupported(x.pos, "a regular expression beyond RE2's in TRY")
		}
		if v.isNull() {
			return v
		}
		return value{sql: "TRY(" + v.sql + ")", typ: v.typ}
	}
	if e.lambda {
		e.unsupported(x.pos, "a subquery, a window function or a random value in TRY in a lambda")
	}
	inner := *e
	h := &hoisted{name: e.variable(hash(2166136261, e.source(x)))}
	inner.hoisted = h
	e.binds++
	before := e.backtracks
	v := inner.expr(x.args[0])
	if e.binds--; e.backtracks > before {
		e.unsupported(x.pos, "a regular expression beyond RE2's in TRY")
	}
	if v.isNull() {
		return v
	}
	return value{sql: "list_transform([{" + strings.Join(h.values, ", ") + "}], lambda " + h.name + ": TRY(" + v.sql + "))[1]", typ: v.typ}
}

// hoisted gathers what stands in an expression and is to be computed before it.
type hoisted struct {
	name   string // by which the expression reads it
	values []string
}

// hoist computes an expression before the one that it stands in.
func (e *env) hoist(x expr) value {
	if e.lambda {
		e.unsupported(x.at(), "a random value in a lambda in TRY")
	}
	if call, ok := x.(*callExpr); ok && call.over == nil && len(call.args) > 0 {
		e.unsupported(x.at(), call.name[0].text+" with arguments in TRY") // which may fail, and TRY would have to see it
	}
	outer := *e
	outer.hoisted = nil
	v := outer.exprOf(x)
	if v.isNull() {
		return v
	}
	member := quote("h" + itoa(len(e.hoisted.values)))
	e.hoisted.values = append(e.hoisted.values, member+": "+v.sql)
	return value{sql: "struct_extract(" + e.hoisted.name + ", " + member + ")", typ: v.typ, easy: true}
}

// triable tells whether x may stand in DuckDB's TRY.
func triable(x expr) bool {
	if !triableAlone(x) {
		return false
	}
	for _, c := range children(x) {
		if !triable(c) {
			return false
		}
	}
	return true
}

// triableAlone is triable without a look at what x is made of.
func triableAlone(x expr) bool {
	switch x := x.(type) {
	case *subqueryExpr, *existsExpr, *inQueryExpr, *quantifiedExpr:
		return false
	case *callExpr:
		name := strings.ToLower(x.name[0].text)
		return x.over == nil && name != "random" && name != "rand" && name != "uuid" && name != "shuffle"
	}
	return true
}
