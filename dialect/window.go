package dialect

import "strings"

// windowFunction is a function that only stands before OVER.
type windowFunction struct {
	sigs  []signature
	nulls bool // takes IGNORE NULLS
	frame bool // its answer depends on the frame
}

var windowFunctions = map[string]*windowFunction{}

func windowBy(nulls, frame bool, signatureText, text string) {
	name, s := sig(signatureText)
	s.text = text
	if windowFunctions[name] == nil {
		windowFunctions[name] = &windowFunction{nulls: nulls, frame: frame}
	}
	windowFunctions[name].sigs = append(windowFunctions[name].sigs, s)
}

func init() {
	windowBy(false, false, "row_number() bigint", "row_number()#")
	windowBy(false, false, "rank() bigint", "rank()#")
	windowBy(false, false, "dense_rank() bigint", "dense_rank()#")
	windowBy(false, false, "percent_rank() double", "percent_rank()#")
	windowBy(false, false, "cume_dist() double", "cume_dist()#")
	windowBy(false, false, "ntile(bigint) bigint", "ntile($1)#")
	windowBy(true, true, "first_value(T) =1", "first_value($1@)#")
	windowBy(true, true, "last_value(T) =1", "last_value($1@)#")
	windowBy(true, true, "nth_value(T, bigint) =1", "nth_value($1, $2@)#")
	for _, f := range []string{"lag", "lead"} {
		windowBy(true, false, f+"(T) =1", f+"($1@)#")
		windowBy(true, false, f+"(T, bigint) =1", f+"($1, $2@)#")
		windowBy(true, false, f+"(T, bigint, T) =1", f+"($1, $2, $3@)#")
	}
}

// windowCall types a window function, or an aggregate with OVER where f is nil.
func (e *env) windowCall(x *callExpr, name string, f *windowFunction) value {
	if e.lambda {
		e.fail(x.pos, "Lambda expression cannot contain aggregations, window functions or grouping operations: [%s]", e.source(x))
	}
	if !e.windowed {
		if e.clause == "window" {
			e.fail(x.pos, "Cannot nest window functions or row pattern measures inside window specification")
		}
		e.fail(x.pos, "%s cannot contain aggregations, window functions or grouping operations: [%s]", e.clause, e.source(x))
	}
	if e.sawWindow != nil {
		*e.sawWindow = true
	}
	inner := *e
	inner.windowed, inner.clause = false, "window"
	over := inner.over(x.over, f, name)
	if f == nil {
		sql, t := inner.aggregateSQL(x, name, over)
		return value{sql: sql, typ: t}
	}
	if x.distinct || len(x.order) > 0 || x.star || x.filter != nil {
		e.fail(x.pos, "DISTINCT, FILTER, ORDER BY and * are not allowed in window function %s", name)
	}
	args := make([]value, len(x.args))
	for i, a := range x.args {
		args[i] = inner.expr(a)
	}
	s, bind, ok := fit(f.sigs, args)
	if !ok {
		var types, forms []string
		for _, a := range args {
			types = append(types, a.typ.String())
		}
		for i := range f.sigs {
			forms = append(forms, name+"("+f.sigs[i].describe()+")")
		}
		e.fail(x.pos, "Unexpected parameters (%s) for function %s. Expected: %s", strings.Join(types, ", "), name, strings.Join(forms, ", "))
	}
	for i := range args {
		args[i] = e.coerce(args[i], s.param(i).instance(bind, args[i].typ))
	}
	if len(args) > 1 && name != "ntile" {
		n, ok := args[1].lit.(int64)
		if !ok {
			e.unsupported(x.args[1].at(), "an offset of "+name+" that is no literal")
		}
		if least := map[bool]int64{true: 1, false: 0}[name == "nth_value"]; n < least {
			e.fail(x.args[1].at(), "Offset must be at least %d", least)
		}
	}
	if name == "ntile" {
		if n, ok := args[0].lit.(int64); !ok || n < 1 {
			e.fail(x.args[0].at(), "ntile takes a positive literal")
		}
	}
	t := s.result.instance(bind, Type{})
	if s.same > 0 {
		t = args[s.same-1].typ
	}
	nulls := ""
	if x.nulls != "" {
		if !f.nulls {
			e.fail(x.pos, "Cannot specify null treatment clause for %s function", name)
		}
		if x.nulls == "IGNORE" {
			nulls = " IGNORE NULLS"
		}
	}
	for i := range args {
		args[i].easy = true
	}
	sql := e.template(s.text, args...)
	sql = strings.Replace(sql, "@)#", nulls+")"+over, 1)
	if strings.HasSuffix(sql, "#") {
		sql = strings.TrimSuffix(sql, "#") + over
	}
	return value{sql: sql, typ: t}
}

// over writes OVER. The frame is dropped where the function does not look at it.
func (e *env) over(o *overClause, f *windowFunction, name string) string {
	spec := o.spec
	if o.name != nil {
		spec = &windowSpec{node: o.node, base: o.name}
	}
	var partition []expr
	var order []*sortItem
	var frame *frameNode
	seen := map[string]bool{}
	for s := spec; s != nil; {
		if s.partition != nil {
			partition = s.partition
		}
		if order == nil {
			order = s.order
		}
		if frame == nil {
			frame = s.frame
		}
		if s.base == nil {
			break
		}
		n := strings.ToLower(s.base.text)
		base := e.windows[n]
		if base == nil || seen[n] {
			e.fail(s.base.pos, "Cannot resolve WINDOW name %s", s.base.text)
		}
		if s.partition != nil {
			e.fail(s.pos, "WINDOW specification with named WINDOW reference cannot specify PARTITION BY")
		}
		if s.order != nil && base.order != nil {
			e.fail(s.pos, "Cannot specify ORDER BY twice in a window")
		}
		seen[n] = true
		s = base
	}
	var parts []string
	if len(partition) > 0 {
		var list []string
		for _, p := range partition {
			v := e.expr(p)
			if !v.typ.comparable() || v.typ.has(Map) {
				e.unsupported(p.at(), "PARTITION BY over values of type "+v.typ.String())
			}
			list = append(list, e.typed(v))
		}
		parts = append(parts, "PARTITION BY "+strings.Join(list, ", "))
	}
	if len(order) > 0 {
		parts = append(parts, "ORDER BY "+e.sortList(order))
	} else if name == "lag" || name == "lead" {
		e.fail(o.pos, "%s function requires an ORDER BY window clause", name)
	} else if name == "rank" || name == "dense_rank" || name == "percent_rank" || name == "cume_dist" {
		parts = append(parts, "ORDER BY 0::INTEGER + 0") // all rows are peers
	}
	if frame != nil {
		if f != nil && !f.frame && (name == "lag" || name == "lead") {
			e.fail(frame.pos, "Cannot specify window frame for %s function", name)
		}
		if f == nil || f.frame {
			parts = append(parts, e.frame(frame, order))
		}
	}
	return " OVER (" + strings.Join(parts, " ") + ")"
}

func (e *env) frame(f *frameNode, order []*sortItem) string {
	if f.pattern != nil {
		e.unsupported(f.pos, "a window over a row pattern")
	}
	if f.first.kind == "UNBOUNDED FOLLOWING" {
		e.fail(f.pos, "Window frame start cannot be UNBOUNDED FOLLOWING")
	}
	if f.last.kind == "UNBOUNDED PRECEDING" {
		e.fail(f.pos, "Window frame end cannot be UNBOUNDED PRECEDING")
	}
	rank := map[string]int{"UNBOUNDED PRECEDING": 0, "PRECEDING": 1, "CURRENT ROW": 2, "FOLLOWING": 3, "UNBOUNDED FOLLOWING": 4}
	if rank[f.first.kind] > rank[f.last.kind] {
		e.fail(f.pos, "Window frame starting from %s cannot end with %s", f.first.kind, f.last.kind)
	}
	if f.unit == "GROUPS" && len(order) == 0 {
		e.fail(f.pos, "Window frame of type GROUPS requires ORDER BY")
	}
	offset := func(b bound) string {
		if b.x == nil {
			return b.kind
		}
		v := e.expr(b.x)
		if f.unit == "RANGE" {
			return e.rangeOffset(b, v, order) + " " + b.kind
		}
		n, ok := v.lit.(int64)
		if !ok || !v.typ.integral() {
			e.unsupported(b.x.at(), "a window frame's offset that is no literal number")
		}
		if n < 0 {
			e.fail(b.x.at(), "Window frame offset value must not be negative or null")
		}
		return itoa64(n) + " " + b.kind
	}
	return f.unit + " BETWEEN " + offset(f.first) + " AND " + offset(f.last)
}

// rangeOffset is the offset of a RANGE frame: over one number, or one date or timestamp and an interval.
func (e *env) rangeOffset(b bound, v value, order []*sortItem) string {
	if len(order) != 1 {
		e.fail(b.x.at(), "Window frame of type RANGE PRECEDING or FOLLOWING requires single sort item in ORDER BY (actual: %d)", len(order))
	}
	key := e.expr(order[0].x)
	switch n := v.lit.(type) {
	case int64:
		if key.typ.integral() && n >= 0 {
			return itoa64(n)
		}
	case millis:
		if (key.typ.Kind == Timestamp || key.typ.Kind == TimestampZoned) && n >= 0 {
			return "to_microseconds(" + itoa64(int64(n)*1000) + ")"
		}
	}
	e.unsupported(b.x.at(), "a RANGE frame over "+key.typ.String()+" with an offset of type "+v.typ.String())
	return ""
}
