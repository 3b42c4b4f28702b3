package dialect

import (
	"reflect"
	"strings"
)

// env is what an expression is checked in.
type env struct {
	*checker
	scope     *scope
	group     *grouping              // where the expression stands above GROUP BY
	clause    string                 // for messages
	windows   map[string]*windowSpec // named windows
	windowed  bool                   // window functions are allowed
	sawWindow *bool
	lambda    bool // inside a lambda's body
	hoisted   *hoisted
	// conditions is told of each condition that holds for every row kept, where the expression is such a condition.
	conditions func(predicate)
}

// predicate is a Predicate of a table that the statement reads.
type predicate struct {
	use *tableUse
	Predicate
}

// condition checks a boolean expression that decides which rows there are.
func (e *env) condition(x expr, what string) string {
	inner := *e
	inner.clause = what
	v := inner.expr(x)
	if v.typ.Kind != Boolean && !v.isNull() {
		e.fail(x.at(), "%s must evaluate to a boolean: actual type %s", what, v.typ)
	}
	if e.conditions != nil {
		inner.extract(x)
	}
	return castNull(v, TypeBoolean)
}

// castNull is a value's SQL, with its type where it is NULL alone.
func castNull(v value, t Type) string {
	if v.isNull() {
		return "CAST(NULL AS " + duckType(t) + ")"
	}
	return v.sql
}

// expr types an expression and writes it.
func (e *env) expr(x expr) value {
	v := e.exprOf(x)
	if len(v.sql) > maxWritten {
		e.fail(x.at(), "the statement is too large once it is written out")
	}
	return v
}

func (e *env) exprOf(x expr) value {
	if e.group != nil && e.group.shapes[reflect.TypeOf(x)] {
		if v, ok := e.group.byKey[e.key(e.group.plain, x)]; ok {
			return v
		}
	}
	e.current = x.at()
	if e.hoisted != nil && !triableAlone(x) {
		return e.hoist(x)
	}
	switch x := x.(type) {
	case *nullLit:
		return value{sql: "NULL", typ: TypeUnknown, easy: true}
	case *boolLit:
		if x.value {
			return value{sql: "true", typ: TypeBoolean, lit: true, easy: true}
		}
		return value{sql: "false", typ: TypeBoolean, lit: false, easy: true}
	case *numberLit:
		return e.number(x)
	case *stringLit:
		return stringValue(x.value)
	case *binaryLit:
		return value{sql: "unhex('" + hexOf(x.value) + "')", typ: TypeVarbinary, easy: true}
	case *typedLit:
		return e.typedLiteral(x)
	case *intervalLit:
		return e.interval(x)
	case *columnRef, *derefExpr:
		return e.reference(x)
	case *subscriptExpr:
		return e.subscript(x)
	case *unaryExpr:
		return e.unary(x)
	case *arithmeticExpr:
		return e.arithmetic(x)
	case *comparisonExpr:
		return e.comparison(x.at(), x.op, e.expr(x.left), e.expr(x.right))
	case *logicalExpr:
		return e.logical(x)
	case *notExpr:
		return boolean("(NOT " + e.boolean(x.x, "NOT") + ")")
	case *betweenExpr:
		return e.between(x)
	case *inListExpr:
		return e.inList(x)
	case *inQueryExpr:
		return e.inQuery(x, x.query, e.expr(x.x), x.not)
	case *likeExpr:
		return e.like(x)
	case *isNullExpr:
		v := e.expr(x.x)
		if x.not {
			return boolean("(" + v.sql + " IS NOT NULL)")
		}
		return boolean("(" + v.sql + " IS NULL)")
	case *distinctExpr:
		return e.isDistinct(x)
	case *quantifiedExpr:
		return e.quantified(x)
	case *existsExpr:
		res, _ := e.subquery(x, x.query)
		return boolean("EXISTS (" + res.sql + ")")
	case *subqueryExpr:
		return e.scalarQuery(x)
	case *caseExpr:
		return e.caseOf(x)
	case *castExpr:
		return e.cast(x)
	case *arrayExpr:
		return e.array(x)
	case *rowExpr:
		return e.row(x)
	case *atZoneExpr:
		return e.atZone(x)
	case *extractExpr:
		return e.extractField(x)
	case *trimExpr:
		return e.trim(x)
	case *specialExpr:
		return e.special(x)
	case *callExpr:
		return e.call(x)
	case *groupingExpr:
		return e.grouping(x)
	case *parameterExpr:
		e.fail(x.pos, "Query takes no parameters")
	case *lambdaExpr:
		e.fail(x.pos, "Lambda expression should always be used inside a function")
	case *jsonExpr:
		return e.json(x)
	case *jsonMakeExpr:
		return e.jsonMake(x)
	}
	panic("dialect: an expression without a case")
}

func boolean(sql string) value { return value{sql: sql, typ: TypeBoolean} }

func (e *env) boolean(x expr, what string) string {
	v := e.expr(x)
	if v.typ.Kind != Boolean && !v.isNull() {
		e.fail(x.at(), "%s must evaluate to a boolean (actual: %s)", what, v.typ)
	}
	return castNull(v, TypeBoolean)
}

func (e *env) noSubquery(x expr) {
	if e.lambda {
		e.fail(x.at(), "Lambda expression cannot contain subqueries")
	}
}

// reference is a column and its members, or a member of any other value.
func (e *env) reference(x expr) value {
	if names, ok := chain(x); ok {
		if r, ok := e.lookup(e.scope, names); ok {
			return e.referenceValue(r)
		}
		e.unresolved(names)
	}
	d := x.(*derefExpr)
	return e.member(e.expr(d.base), d.name)
}

func (e *env) unresolved(names []name) {
	first := names[0]
	var columns []string
	for s := e.scope; s != nil; s = s.parent {
		for _, f := range s.fields {
			if f.rel != "" && len(names) > 1 && strings.EqualFold(f.rel, first.text) {
				var own []string
				for _, g := range s.fields {
					if g.rel == f.rel {
						own = append(own, g.label)
					}
				}
				e.fail(first.pos, "Column '%s.%s' cannot be resolved%s", first.text, names[1].text, suggest(names[1].text, own))
			}
			if f.label != "" {
				columns = append(columns, f.label)
			}
			if f.aliases != nil {
				for a := range f.aliases.Aliases {
					columns = append(columns, a)
				}
			}
		}
	}
	hint := suggest(first.text, columns)
	if hint == "" && first.quoted && len(names) == 1 {
		hint = "; a string stands between single quotes"
	}
	e.fail(first.pos, "Column '%s' cannot be resolved%s", first.text, hint)
}

func (e *env) logical(x *logicalExpr) value {
	word := "AND"
	if x.or {
		word = "OR"
	}
	terms := make([]string, len(x.terms))
	for i, t := range x.terms {
		terms[i] = e.boolean(t, "Logical expression")
	}
	return boolean(balanced(terms, " "+word+" "))
}

func (e *env) subscript(x *subscriptExpr) value {
	base, index := e.expr(x.base), e.expr(x.index)
	switch base.typ.Kind {
	case Map:
		key := e.argument(x.index, index, *base.typ.Key, "map subscript")
		missing := raise("Key not present in map", *base.typ.Elem)
		if base.typ.Key.Kind == Varchar {
			missing = raiseText("'Key not present in map: ' || $2", *base.typ.Elem)
		}
		sql := e.template("CASE WHEN $1 IS NULL OR $2 IS NULL OR map_contains($1, $2) THEN $1[$2] ELSE "+missing+" END", base, key)
		return value{sql: sql, typ: *base.typ.Elem}
	case Array:
		if !index.typ.integral() {
			e.fail(x.index.at(), "Cannot use %s for subscript of %s", index.typ, base.typ)
		}
		if n, ok := index.lit.(int64); ok {
			if n == 0 {
				e.fail(x.index.at(), "SQL array indices start at 1")
			}
			if n < 0 {
				e.fail(x.index.at(), "Array subscript is negative: %d", n)
			}
		}
		i := e.coerce(index, TypeBigint)
		t := *base.typ.Elem
		sql := e.template("CASE WHEN $2 < 1 THEN "+raise("Array subscript must be at least 1", t)+" WHEN $2 > len($1) THEN "+
			raise("Array subscript must be less than or equal to array length", t)+" ELSE $1[$2] END", base, i)
		return value{sql: sql, typ: t}
	case Row:
		n, ok := index.lit.(int64)
		if !ok {
			e.fail(x.index.at(), "Subscript expression on ROW requires a constant integer index")
		}
		if n < 1 || n > int64(len(base.typ.Fields)) {
			e.fail(x.index.at(), "Invalid subscript index: %d. ROW has %d fields", n, len(base.typ.Fields))
		}
		return value{sql: "struct_extract(" + base.sql + ", " + quote(memberName(base.typ, int(n-1))) + ")", typ: base.typ.Fields[n-1].Type, easy: base.easy}
	}
	e.fail(x.at(), "Cannot apply operator: %s[%s]", base.typ, index.typ)
	return value{}
}

// argument coerces a value to the type that its place wants.
func (e *env) argument(x expr, v value, t Type, what string) value {
	if _, ok := coercible(v.typ, t); !ok {
		e.fail(x.at(), "Cannot use %s for %s of type %s", v.typ, what, t)
	}
	return e.coerce(v, t)
}

func (e *env) caseOf(x *caseExpr) value {
	var results []value
	var at []expr
	for _, w := range x.whens {
		results, at = append(results, e.expr(w.result)), append(at, w.result)
	}
	if x.fallback != nil {
		results, at = append(results, e.expr(x.fallback)), append(at, x.fallback)
	}
	t := e.unify(results, at, "All CASE results must be the same type or coercible to a common type")
	var b strings.Builder
	b.WriteString("CASE")
	var operand value
	if x.operand != nil {
		operand = e.expr(x.operand)
		if !operand.easy || len(operand.sql) > maxRepeated {
			// written once
			return e.caseWith(x, operand, results, t)
		}
	}
	for i, w := range x.whens {
		cond := ""
		if x.operand != nil {
			cond = e.comparison(w.condition.at(), "=", operand, e.expr(w.condition)).sql
		} else {
			cond = e.boolean(w.condition, "CASE WHEN clause")
		}
		b.WriteString(" WHEN " + cond + " THEN " + castNull(e.coerce(results[i], t), t))
	}
	if x.fallback != nil {
		b.WriteString(" ELSE " + castNull(e.coerce(results[len(results)-1], t), t))
	}
	b.WriteString(" END")
	return value{sql: b.String(), typ: t}
}

// caseWith is CASE operand WHEN …: all sides in one type, so that the engine's own form serves.
func (e *env) caseWith(x *caseExpr, operand value, results []value, t Type) value {
	values, at := []value{operand}, []expr{x.operand}
	for _, w := range x.whens {
		values, at = append(values, e.expr(w.condition)), append(at, w.condition)
	}
	ct := e.unify(values, at, "CASE operand type does not match WHEN clause operand type")
	if !ct.plain() {
		return e.caseChosen(x, operand, values[1:], results, t, ct)
	}
	var b strings.Builder
	b.WriteString("CASE " + castNull(e.coerce(operand, ct), ct))
	for i := range x.whens {
		b.WriteString(" WHEN " + castNull(e.coerce(values[i+1], ct), ct) + " THEN " + castNull(e.coerce(results[i], t), t))
	}
	if x.fallback != nil {
		b.WriteString(" ELSE " + castNull(e.coerce(results[len(results)-1], t), t))
	}
	b.WriteString(" END")
	return value{sql: b.String(), typ: t}
}

// caseChosen is CASE with an operand whose comparison is no plain =: which of the results it is comes first, as a number.
func (e *env) caseChosen(x *caseExpr, operand value, values, results []value, t, ct Type) value {
	for _, w := range x.whens {
		if !triable(w.condition) {
			e.unsupported(w.condition.at(), "a subquery in CASE with an operand of type "+ct.String())
		}
	}
	chosen := e.bind(e.coerce(operand, ct), func(v value) string {
		var b strings.Builder
		b.WriteString("CASE")
		for i, w := range values {
			b.WriteString(" WHEN " + e.compare("=", v, e.coerce(w, ct)) + " THEN " + itoa(i))
		}
		return b.String() + " END"
	})
	var b strings.Builder
	b.WriteString("CASE " + chosen)
	for i := range values {
		b.WriteString(" WHEN " + itoa(i) + " THEN " + castNull(e.coerce(results[i], t), t))
	}
	if x.fallback != nil {
		b.WriteString(" ELSE " + castNull(e.coerce(results[len(results)-1], t), t))
	}
	return value{sql: b.String() + " END", typ: t}
}

// plain types are those whose = in DuckDB is Trino's as it is.
func (t Type) plain() bool {
	switch t.Kind {
	case Real, Double, Array, Map, Row, Function:
		return false
	}
	return true
}

// unify is the type that all values have in common.
func (e *env) unify(values []value, at []expr, message string) Type {
	t := values[0].typ
	for i, v := range values[1:] {
		u, ok := common(t, v.typ)
		if !ok {
			e.fail(at[i+1].at(), "%s: %s vs %s", message, t, v.typ)
		}
		t = u
	}
	return t
}

func (e *env) array(x *arrayExpr) value {
	if len(x.elems) == 0 {
		return value{sql: "CAST([] AS INTEGER[])", typ: ArrayOf(TypeUnknown), easy: true}
	}
	values := make([]value, len(x.elems))
	easy := true
	for i, el := range x.elems {
		values[i] = e.expr(el)
		easy = easy && values[i].easy && len(x.elems) < 4
	}
	t := e.unify(values, x.elems, "All ARRAY elements must be the same type")
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(castNull(e.coerce(v, t), t))
	}
	b.WriteByte(']')
	return value{sql: b.String(), typ: ArrayOf(t), easy: easy}
}

func (e *env) row(x *rowExpr) value {
	t := Type{Kind: Row}
	values := make([]value, len(x.fields))
	for i, f := range x.fields {
		values[i] = e.expr(f)
		t.Fields = append(t.Fields, Field{"", values[i].typ})
	}
	return value{sql: packRow(t, values), typ: t}
}

func packRow(t Type, values []value) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(memberName(t, i)) + ": " + castNull(v, t.Fields[i].Type))
	}
	b.WriteByte('}')
	return b.String()
}

// grouping is GROUPING(a, b): a bit for each that the row is not grouped by.
func (e *env) grouping(x *groupingExpr) value {
	if e.group == nil || e.group.keys == nil {
		e.fail(x.pos, "A GROUPING() operation can only be used with a corresponding GROUPING SET/CUBE/ROLLUP/GROUP BY clause")
	}
	t := TypeInteger
	if len(x.args) > 31 {
		t = TypeBigint
	}
	if len(x.args) == 0 {
		return e.number(&numberLit{x.node, tokInteger, "0"})
	}
	var args []string
	for _, a := range x.args {
		key := e.key(e.group.plain, a)
		found := ""
		for _, k := range e.group.keys {
			if k.path == key {
				found = k.sql
			}
		}
		if found == "" {
			e.fail(a.at(), "The arguments to GROUPING() must be expressions referenced by the GROUP BY at its level")
		}
		args = append(args, found)
	}
	return e.group.aggregate("CAST(grouping("+strings.Join(args, ", ")+") AS "+duckType(t)+")", t)
}

// maxRepeated is how long a text may be that is written more than once.
const maxRepeated = 300

// bind gives a value a name where it is not to be written more than once.
func (c *checker) bind(v value, write func(value) string) string {
	if v.easy && len(v.sql) <= maxRepeated {
		return write(v)
	}
	n := c.variable(hash(2166136261, v.sql))
	named := v
	named.sql, named.easy = n, true
	c.binds++ // what is written now lies within the binding, and must not take its name
	defer func() { c.binds-- }()
	return "list_transform([" + c.typed(v) + "], lambda " + n + ": " + write(named) + ")[1]"
}

// variable is the name of a binding.
func (c *checker) variable(id uint32) string { return "v" + itoa(c.binds) + "_" + itoa(int(id)) }

// hash is FNV-1a. The names it makes are the same for the same text, so that equal expressions stay equal once they are written.
func hash(h uint32, s string) uint32 {
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// template writes $1, $2, … of a text as values. A value that would be written more than once and is not easily computed is bound to a name.
func (c *checker) template(text string, args ...value) string {
	var count [10]int
	for i := 0; i+1 < len(text); i++ {
		if text[i] == '$' && digit(text[i+1]) {
			count[text[i+1]-'0']++
		}
	}
	names := make([]string, len(args))
	var bound []string
	id := uint32(2166136261)
	for i, a := range args {
		names[i] = c.typed(a)
		if count[i+1] > 1 && (!a.easy || len(a.sql) > maxRepeated) {
			id = hash(id, names[i])
			bound = append(bound, quote("b"+itoa(i))+": "+names[i])
		}
	}
	variable := c.variable(id)
	for i, a := range args {
		if count[i+1] > 1 && (!a.easy || len(a.sql) > maxRepeated) {
			names[i] = "struct_extract(" + variable + ", 'b" + itoa(i) + "')"
		}
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '$' && i+1 < len(text) && digit(text[i+1]) {
			b.WriteString(names[text[i+1]-'1'])
			i++
			continue
		}
		b.WriteByte(text[i])
	}
	if bound == nil {
		return b.String()
	}
	return "list_transform([{" + strings.Join(bound, ", ") + "}], lambda " + variable + ": " + b.String() + ")[1]"
}
