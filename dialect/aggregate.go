package dialect

import "strings"

// aggregate is one of Trino's aggregate functions.
type aggregate struct {
	sigs []aggregateForm
}

// aggregateForm is one signature of an aggregate: fn is DuckDB's function, args how its arguments are written, wrap what stands around the call
// (as %).
type aggregateForm struct {
	signature
	fn    string
	args  string
	wrap  string
	check func(*invocation)
	// second is another function over the same arguments, whose call join brings together with the first.
	second  string
	join    func(v *invocation, first, second string) string
	rewrite func(v *invocation) (fn, wrap string) // chooses function and wrap by the arguments' types
	// finish makes the answer of what the call answers, which it may write several times.
	finish func(v *invocation, call value) string
	// compose, where it is set, stands for the whole: the calls in it lie between brackets.
	compose string
	any     bool // the order of the rows has no part in the answer
	single  bool // DISTINCT is refused
	packed  bool // the arguments are packed into one: DISTINCT goes with no ORDER BY
	once    bool // DISTINCT changes nothing
}

var aggregateFunctions = map[string]*aggregate{}

// aggregateBy adds a form of an aggregate.
func aggregateBy(signatureText, fn, args, wrap string) {
	name, s := sig(signatureText)
	if aggregateFunctions[name] == nil {
		aggregateFunctions[name] = &aggregate{}
	}
	a := aggregateFunctions[name]
	a.sigs = append(a.sigs, aggregateForm{signature: s, fn: fn, args: args, wrap: wrap})
}

// aggregateCall types an aggregate: in a grouped SELECT it becomes a column of the grouping's query, with OVER a window function.
func (e *env) aggregateCall(x *callExpr, name string, f *aggregate) value {
	if x.over != nil {
		return e.windowCall(x, name, nil)
	}
	if e.lambda {
		e.fail(x.pos, "Lambda expression cannot contain aggregations, window functions or grouping operations: [%s]", e.source(x))
	}
	if e.group == nil {
		if strings.HasPrefix(e.clause, "aggregation") {
			e.fail(x.pos, "Cannot nest aggregations inside %s: %s", e.clause, e.source(x))
		}
		e.fail(x.pos, "%s cannot contain aggregations, window functions or grouping operations: [%s]", e.clause, e.source(x))
	}
	inner := &env{checker: e.checker, scope: e.group.plain, clause: "aggregation '" + name + "'"}
	sql, t := inner.aggregateSQL(x, name, "")
	return e.group.aggregate(sql, t)
}

// aggregateSQL writes an aggregate's call; over is the OVER clause of a window function.
func (e *env) aggregateSQL(x *callExpr, name, over string) (string, Type) {
	if x.nulls != "" {
		e.fail(x.pos, "Cannot specify null treatment clause for %s function", name)
	}
	filter := ""
	if x.filter != nil {
		filter = " FILTER (WHERE " + e.boolean(x.filter, "FILTER expression") + ")"
	}
	if x.star {
		if name != "count" {
			e.fail(x.pos, "%s(*) is not allowed", name)
		}
		return "count(*)" + filter + over, TypeBigint
	}
	f := aggregateFunctions[name]
	if name == "count" && len(x.args) == 0 {
		return "count(*)" + filter + over, TypeBigint
	}
	args := make([]value, len(x.args))
	for i, a := range x.args {
		if l, ok := a.(*lambdaExpr); ok {
			args[i] = value{typ: Type{Kind: Function, Fields: make([]Field, len(l.params))}}
			continue
		}
		args[i] = e.expr(a)
	}
	sigs := make([]signature, len(f.sigs))
	for i := range f.sigs {
		sigs[i] = f.sigs[i].signature
	}
	s, bind, ok := fit(sigs, args)
	if !ok {
		var types, forms []string
		for _, a := range args {
			types = append(types, a.typ.String())
		}
		for i := range sigs {
			forms = append(forms, name+"("+sigs[i].describe()+")")
		}
		e.fail(x.pos, "Unexpected parameters (%s) for function %s. Expected: %s", strings.Join(types, ", "), name, strings.Join(forms, ", "))
	}
	var form *aggregateForm
	for i := range sigs {
		if s == &sigs[i] {
			form = &f.sigs[i]
		}
	}
	inv := &invocation{env: e, call: x, bind: bind}
	for i, a := range args {
		if l, ok := x.args[i].(*lambdaExpr); ok {
			outside := *e
			outside.scope = &scope{} // a lambda is written over what was gathered: no row's columns are in reach
			inv.args = append(inv.args, outside.lambdaArgument(l, s.param(i), bind))
			continue
		}
		v := e.coerce(a, s.param(i).instance(bind, a.typ))
		v.sql = e.typed(v)
		inv.args = append(inv.args, v)
	}
	if s.same > 0 {
		inv.typ = inv.args[s.same-1].typ
	} else {
		inv.typ = s.result.instance(bind, Type{Kind: s.result.kind, Precision: 3, Zone: "UTC"})
	}
	if form.check != nil {
		form.check(inv)
	}
	distinct := ""
	if x.distinct {
		for i, a := range inv.args {
			if !a.typ.comparable() {
				e.fail(x.pos, "DISTINCT can only be applied to comparable types (actual: %s)", a.typ)
			}
			inv.args[i].sql = e.canonicalMaps(a.sql, a.typ)
		}
		if form.single || form.packed && len(x.order) > 0 {
			e.unsupported(x.pos, "DISTINCT in "+name)
		}
		if !form.once {
			distinct = "DISTINCT "
		}
	}
	order := ""
	if len(x.order) > 0 {
		order = " ORDER BY " + e.sortList(x.order)
		if x.distinct {
			for _, o := range x.order {
				if !e.among(o.x, x.args) {
					e.fail(o.pos, "For aggregate function with DISTINCT, ORDER BY expressions must appear in arguments")
				}
			}
		}
		if form.any {
			order = ""
		}
	}
	fn, wrap := form.fn, form.wrap
	if form.rewrite != nil {
		fn, wrap = form.rewrite(inv)
	}
	text := form.args
	if text == "" {
		text = "$1"
	}
	text = filled(text, inv.args)
	call := fn + "(" + distinct + text + order + ")" + filter + over
	switch {
	case form.compose != "":
		call = composed(form.compose, distinct, order+")"+filter+over, inv.args)
	case form.finish != nil:
		call = form.finish(inv, value{sql: call, typ: inv.typ})
	case form.join != nil:
		call = form.join(inv, call, form.second+"("+distinct+text+order+")"+filter+over)
	case wrap != "":
		call = strings.ReplaceAll(strings.ReplaceAll(wrap, "$T", duckType(inv.typ)), "%", call)
	}
	return call, inv.typ
}

// among tells whether an expression is one of a list.
func (e *env) among(x expr, list []expr) bool {
	key := e.key(e.scope, x)
	for _, l := range list {
		if e.key(e.scope, l) == key {
			return true
		}
	}
	return false
}

// filled writes $1, $2, … of a text as values, in one pass: what a value holds is not looked at again.
func filled(text string, args []value) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '$' && i+1 < len(text) && digit(text[i+1]) {
			b.WriteString(args[text[i+1]-'1'].sql)
			i++
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// composed writes an answer made of several calls: each lies between brackets, its name before its first parenthesis.
func composed(text, distinct, end string, args []value) string {
	var b strings.Builder
	for text != "" {
		i := strings.IndexByte(text, '[')
		if i < 0 {
			b.WriteString(text)
			break
		}
		j := i + strings.IndexByte(text[i:], ']')
		b.WriteString(text[:i])
		name, rest, _ := strings.Cut(text[i+1:j], "(")
		rest = strings.TrimSuffix(rest, ")")
		b.WriteString(name + "(" + distinct + filled(rest, args) + end)
		text = text[j+1:]
	}
	return b.String()
}

// sortList writes ORDER BY inside a call or a window.
func (e *env) sortList(items []*sortItem) string {
	var list []string
	for _, s := range items {
		v := e.expr(s.x)
		if !v.typ.orderable() {
			e.fail(s.pos, "Type %s is not orderable, and therefore cannot be used in ORDER BY: %s", v.typ, e.source(s.x))
		}
		list = append(list, e.typed(v)+direction(s))
	}
	return strings.Join(list, ", ")
}
