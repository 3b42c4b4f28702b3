package dialect

import (
	"sort"
	"strings"
)

// scalarFunctions are Trino's scalar functions that Loch has, by name; each has one or more signatures.
var scalarFunctions = map[string][]signature{}

// define adds a function that is written by a template.
func define(signatureText, text string) {
	name, s := sig(signatureText)
	s.text = text
	scalarFunctions[name] = append(scalarFunctions[name], s)
}

// defineBy adds a function that is written by code.
func defineBy(signatureText string, write func(*invocation) value) {
	name, s := sig(signatureText)
	s.write = write
	scalarFunctions[name] = append(scalarFunctions[name], s)
}

// call types a function's call.
func (e *env) call(x *callExpr) value {
	last := x.name[len(x.name)-1]
	name := strings.ToLower(last.text)
	if len(x.name) > 1 {
		e.fail(x.pos, "Function '%s' not registered", e.text[x.name[0].pos:last.end])
	}
	if x.measure {
		e.trinoOnly(x.pos, "a measure of a row pattern over a window")
	}
	if x.label != nil || x.mode != "" {
		e.fail(x.pos, "pattern functions are only allowed in MATCH_RECOGNIZE")
	}
	if f := windowFunctions[name]; f != nil && (x.over != nil || aggregateFunctions[name] == nil) {
		if x.over == nil {
			e.fail(x.pos, "Window function %s requires an OVER clause", name)
		}
		return e.windowCall(x, name, f)
	}
	if f := aggregateFunctions[name]; f != nil {
		return e.aggregateCall(x, name, f)
	}
	if x.over != nil || x.filter != nil || x.distinct || x.order != nil || x.nulls != "" {
		if _, ok := scalarFunctions[name]; ok || specialForms[name] != nil {
			what := map[bool]string{true: "OVER clause", false: "an aggregate's clause"}[x.over != nil]
			e.fail(x.pos, "'%s' is not an aggregate or window function and takes no %s", name, what)
		}
	}
	if form := specialForms[name]; form != nil {
		if x.star {
			e.fail(x.pos, "%s(*) is not allowed", name)
		}
		return form(e, x)
	}
	list, ok := scalarFunctions[name]
	if !ok {
		e.notRegistered(x, last.text)
	}
	if x.star {
		e.fail(x.pos, "%s(*) is not allowed", name)
	}
	v := e.choose(x, name, list)
	return v
}

func (e *env) notRegistered(x *callExpr, name string) {
	if why, ok := knownElsewhere[strings.ToLower(name)]; ok {
		e.fail(x.pos, "Function '%s' is not supported yet%s", name, why)
	}
	var names []string
	for n := range scalarFunctions {
		names = append(names, n)
	}
	for n := range aggregateFunctions {
		names = append(names, n)
	}
	sort.Strings(names)
	e.fail(x.pos, "Function '%s' not registered%s", name, suggest(name, names))
}

// choose finds the signature that the arguments fit best and writes the call.
func (e *env) choose(x *callExpr, name string, list []signature) value {
	args := make([]value, len(x.args))
	for i, a := range x.args {
		if l, ok := a.(*lambdaExpr); ok {
			args[i] = value{typ: Type{Kind: Function, Fields: make([]Field, len(l.params))}}
			continue
		}
		args[i] = e.expr(a)
	}
	return e.chooseFor(x, name, list, args)
}

// chooseFor is choose with the arguments checked already.
func (e *env) chooseFor(x *callExpr, name string, list []signature, args []value) value {
	s, bind, ok := fit(list, args)
	if !ok {
		var types, forms []string
		for _, a := range args {
			types = append(types, a.typ.String())
		}
		for _, s := range list {
			forms = append(forms, name+"("+s.describe()+")")
		}
		e.fail(x.pos, "Unexpected parameters (%s) for function %s. Expected: %s", strings.Join(types, ", "), name, strings.Join(forms, ", "))
	}
	e.current = x.pos
	inv := &invocation{env: e, call: x, bind: bind}
	for i, a := range args {
		p := s.param(i)
		if p.kind == Function && a.typ.Kind == Function {
			inv.args = append(inv.args, e.lambdaArgument(x.args[i].(*lambdaExpr), p, bind))
			continue
		}
		inv.args = append(inv.args, e.coerce(a, p.instance(bind, a.typ)))
	}
	switch {
	case s.same > 0:
		inv.typ = inv.args[s.same-1].typ
		if args[s.same-1].typ.Kind == Unknown && inv.typ.Kind == Varchar {
			inv.typ = VarcharOf(0) // what Trino takes a NULL without a type for
		}
		if s.list {
			inv.typ = ArrayOf(inv.typ)
		}
	default:
		inv.typ = s.result.instance(bind, Type{Kind: s.result.kind, Precision: 3, Zone: "UTC"})
	}
	if s.write != nil {
		return s.write(inv)
	}
	v := inv.out(s.text)
	if len(v.sql) < 120 {
		v.easy = true
		for _, a := range inv.args {
			v.easy = v.easy && a.easy
		}
	}
	return v
}

func (s *signature) param(i int) pattern {
	if i >= len(s.params) {
		return s.params[len(s.params)-1]
	}
	return s.params[i]
}

// fit is the signature of the list that the arguments are nearest to.
func fit(list []signature, args []value) (best *signature, bind map[byte]Type, ok bool) {
	nearest := 1 << 30
	for i := range list {
		s := &list[i]
		if len(args) < len(s.params) && !(s.variadic && len(args) == len(s.params)-1) || len(args) > len(s.params) && !s.variadic {
			continue
		}
		b := map[byte]Type{}
		distance, fits := 0, true
		for j, a := range args {
			p := s.param(j)
			if a.typ.Kind == Function && p.kind != Function {
				fits = false
				break
			}
			d, ok := p.match(a.typ, b)
			if !ok {
				fits = false
				break
			}
			distance += d
		}
		if fits && distance < nearest {
			nearest, best, bind = distance, s, b
		}
	}
	return best, bind, best != nil
}

func (s *signature) describe() string {
	var parts []string
	for _, p := range s.params {
		parts = append(parts, p.describe())
	}
	text := strings.Join(parts, ", ")
	if s.variadic {
		text += ", …"
	}
	return text
}

func (p pattern) describe() string {
	switch {
	case p.any:
		return "any"
	case p.variable != 0:
		return string(p.variable)
	case p.kind == TimestampZoned:
		return "timestamp(p) with time zone"
	}
	text := kindNames[p.kind]
	if len(p.args) > 0 {
		var parts []string
		for _, a := range p.args {
			parts = append(parts, a.describe())
		}
		text += "(" + strings.Join(parts, ", ") + ")"
	}
	return text
}

// maxLambdas bounds how deep lambdas lie in one another: DuckDB's planning takes twice as long for each level.
const maxLambdas = 8

// lambdaArgument checks a lambda: its parameters have the types that the signature's variables stand for, its result binds the last one.
func (e *env) lambdaArgument(l *lambdaExpr, p pattern, bind map[byte]Type) value {
	inner := *e
	inner.lambda, inner.windowed = true, false
	inner.scope = &scope{parent: e.scope}
	if e.lambdas++; e.lambdas > maxLambdas {
		e.fail(l.pos, "lambdas are nested more than %d levels deep", maxLambdas)
	}
	names := make([]string, len(l.params))
	for i, param := range l.params {
		for _, other := range l.params[:i] {
			if strings.EqualFold(other.text, param.text) {
				e.fail(param.pos, "Lambda parameter %s specified more than once", param.text)
			}
		}
		names[i] = "l" + itoa(e.lambdas) + string(rune('a'+i))
		inner.scope.fields = append(inner.scope.fields, e.newField(field{name: strings.ToLower(param.text), label: param.text,
			typ: p.args[i].instance(bind, Type{}), sql: names[i]}))
	}
	body := inner.expr(l.body)
	e.lambdas--
	want := p.args[len(p.args)-1]
	if _, ok := want.match(body.typ, bind); !ok || body.isNull() && want.kind == Boolean && want.variable == 0 {
		e.fail(l.body.at(), "Lambda expression must evaluate to %s, not %s", want.describe(), body.typ)
	}
	t := want.instance(bind, body.typ)
	body = e.coerce(body, t)
	return value{sql: "lambda " + strings.Join(names, ", ") + ": " + e.typed(body), typ: Type{Kind: Function, Elem: &t}, easy: true}
}
