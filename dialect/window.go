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
	switch name {
	case "nth_value":
		e.atLeast(x.args[1], &args[1], 1, "Offset must be at least 1", "")
	case "lag", "lead":
		if len(args) > 1 {
			e.atLeast(x.args[1], &args[1], 0, "Offset must be at least 0", "Offset must not be null")
		}
	case "ntile":
		e.atLeast(x.args[0], &args[0], 1, "Buckets must be greater than 0", "")
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
	ranged := frame != nil && (f == nil || f.frame) && frame.unit == "RANGE" && (frame.first.x != nil || frame.last.x != nil)
	if ranged {
		by, frameSQL := e.rangeFrame(frame, order)
		parts = append(parts, "ORDER BY "+by, frameSQL)
		return " OVER (" + strings.Join(parts, " ") + ")"
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

// checkFrame refuses frames that no frame can be.
func (e *env) checkFrame(f *frameNode, order []*sortItem) {
	if f.pattern != nil {
		e.trinoOnly(f.pos, "a window over a row pattern")
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
}

// frame writes a frame of rows or groups, or one of RANGE without offsets.
func (e *env) frame(f *frameNode, order []*sortItem) string {
	e.checkFrame(f, order)
	offset := func(b bound) string {
		if b.x == nil {
			return b.kind
		}
		v := e.expr(b.x)
		if !v.typ.integral() {
			e.fail(b.x.at(), "Window frame %s offset value must be an exact numeric type with scale 0 (actual: %s)", f.unit, v.typ)
		}
		v = e.coerce(v, TypeBigint)
		return e.frameOffset(b, v) + " " + b.kind
	}
	return f.unit + " BETWEEN " + offset(f.first) + " AND " + offset(f.last)
}

const badOffset = "Window frame offset value must not be negative or null"

// frameOffset writes the offset of a frame, a number: a literal or an expression, which fails where it is negative or NULL.
func (e *env) frameOffset(b bound, v value) string {
	return e.atLeast(b.x, &v, 0, badOffset, badOffset)
}

// atLeast makes a number fail where it is less than least or, unless null is "", NULL.
func (e *env) atLeast(x expr, v *value, least int64, message, null string) string {
	if n, ok := v.lit.(int64); ok {
		if n < least {
			e.fail(x.at(), "%s", message)
		}
		v.sql = itoa64(n)
		return v.sql
	}
	if null != "" && v.isNull() {
		e.fail(x.at(), "%s", null)
	}
	text := "CASE WHEN $1 < " + itoa64(least) + " THEN " + raise(message, v.typ)
	if null != "" {
		text += " WHEN $1 IS NULL THEN " + raise(null, v.typ)
	}
	v.sql = e.template(text+" ELSE $1 END", *v)
	return v.sql
}

// rangeFrame writes a frame of RANGE with an offset: over one number, or one date or timestamp and an interval. Intervals of days and less are written
// as numbers, since to DuckDB 30 days and a month are equal, and of two equal intervals in a statement it computes one.
func (e *env) rangeFrame(f *frameNode, order []*sortItem) (by, frame string) {
	e.checkFrame(f, order)
	at := f.first.x
	if at == nil {
		at = f.last.x
	}
	if len(order) != 1 {
		e.fail(at.at(), "Window frame of type RANGE PRECEDING or FOLLOWING requires single sort item in ORDER BY (actual: %d)", len(order))
	}
	key := e.expr(order[0].x)
	if k := key.typ; !k.numeric() && k.Kind != Date && k.Kind != Time && k.Kind != Timestamp && k.Kind != TimestampZoned && k.Kind != IntervalDaySecond && k.Kind != IntervalYearMonth {
		e.fail(order[0].pos, "Window frame of type RANGE PRECEDING or FOLLOWING requires that sort item type be numeric, datetime or interval (actual: %s)", k)
	}
	var offsets [2]value
	t := key.typ
	for i, b := range []bound{f.first, f.last} {
		if b.x == nil {
			continue
		}
		offsets[i] = e.expr(b.x)
		if t.numeric() {
			common, ok := common(t, offsets[i].typ)
			if !ok || !common.numeric() {
				e.fail(b.x.at(), "Window frame of type RANGE: offset of type %s cannot be used with a sort item of type %s", offsets[i].typ, key.typ)
			}
			t = common
		}
	}
	key = e.coerce(key, t)
	by = key.sql
	text := [2]string{f.first.kind, f.last.kind}
	for i, b := range []bound{f.first, f.last} {
		if b.x == nil {
			continue
		}
		v := offsets[i]
		if t.numeric() {
			v = e.coerce(v, t)
		}
		sortBy, offset := e.rangeOffset(b, v, key)
		if i == 1 && f.first.x != nil && sortBy != by {
			e.unsupported(b.x.at(), "a RANGE frame whose offsets have different types")
		}
		by = sortBy
		text[i] = offset + " " + b.kind
	}
	return by + direction(order[0]), "RANGE BETWEEN " + text[0] + " AND " + text[1]
}

// rangeOffset writes the sort key of a RANGE frame and one offset from it.
func (e *env) rangeOffset(b bound, v, key value) (by, offset string) {
	number := func(sql string, scale string) string {
		n := value{sql: sql, typ: TypeBigint}
		return "(" + e.frameOffset(b, n) + ")" + scale
	}
	k, lit := key.typ.Kind, v.lit
	switch {
	case key.typ.numeric():
		if _, ok := lit.(int64); ok {
			return key.sql, e.frameOffset(b, v)
		}
		return key.sql, castTo(e.atLeast(b.x, &value{sql: v.sql, typ: key.typ}, 0, badOffset, badOffset), key.typ)
	case k == v.typ.Kind && (k == IntervalDaySecond || k == IntervalYearMonth):
		return key.sql, number(castTo(v.sql, TypeBigint), "")
	case v.typ.Kind == IntervalDaySecond && (k == Timestamp || k == TimestampZoned):
		return "epoch_us(" + key.sql + ")", number(v.sql, " * 1000")
	case v.typ.Kind == IntervalDaySecond && k == Date:
		n, ok := lit.(millis)
		if !ok {
			break
		}
		if n%86_400_000 != 0 {
			e.fail(b.x.at(), "Cannot subtract hour, minutes or seconds from a date")
		}
		return "(" + key.sql + " - DATE '1970-01-01')", number(itoa64(int64(n)/86_400_000), "")
	case v.typ.Kind == IntervalYearMonth && (k == Timestamp || k == TimestampZoned && key.typ.Zone == "UTC" || k == Date):
		return key.sql, "to_months(CAST(" + number(castTo(v.sql, TypeBigint), "") + " AS INTEGER))"
	}
	e.unsupported(b.x.at(), "a RANGE frame over "+key.typ.String()+" with an offset of type "+v.typ.String())
	return "", ""
}
