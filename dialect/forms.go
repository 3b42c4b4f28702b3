package dialect

import "strings"

// specialForms are the functions that take their arguments by rules of their own.
var specialForms map[string]func(*env, *callExpr) value

func init() {
	specialForms = map[string]func(*env, *callExpr) value{
		"if": ifForm, "coalesce": coalesceForm, "nullif": nullifForm, "try": tryForm, "greatest": extremeForm, "least": extremeForm,
		"concat": concatForm, "typeof": typeofForm, "now": nowForm, "current_timezone": currentZoneForm, "map": mapForm,
	}
}

// count refuses a call with too few or too many arguments.
func (e *env) count(x *callExpr, least, most int) {
	if n := len(x.args); n < least || n > most {
		e.fail(x.pos, "Invalid number of arguments for '%s' function", strings.ToLower(x.name[0].text))
	}
}

func (e *env) exprs(list []expr) []value {
	values := make([]value, len(list))
	for i, x := range list {
		values[i] = e.expr(x)
	}
	return values
}

func ifForm(e *env, x *callExpr) value {
	e.count(x, 2, 3)
	cond := e.boolean(x.args[0], "IF condition")
	results := e.exprs(x.args[1:])
	t := e.unify(results, x.args[1:], "Result types for IF must be the same")
	sql := "CASE WHEN " + cond + " THEN " + castNull(e.coerce(results[0], t), t)
	if len(results) > 1 {
		sql += " ELSE " + castNull(e.coerce(results[1], t), t)
	}
	return value{sql: sql + " END", typ: t}
}

func coalesceForm(e *env, x *callExpr) value {
	e.count(x, 2, 1<<30)
	values := e.exprs(x.args)
	t := e.unify(values, x.args, "All COALESCE operands must be the same type")
	parts := make([]string, len(values))
	easy := true
	for i, v := range values {
		parts[i] = castNull(e.coerce(v, t), t)
		easy = easy && v.easy
	}
	return value{sql: "coalesce(" + strings.Join(parts, ", ") + ")", typ: t, easy: easy && len(parts) < 4}
}

func nullifForm(e *env, x *callExpr) value {
	e.count(x, 2, 2)
	a, b := e.expr(x.args[0]), e.expr(x.args[1])
	t, ok := common(a.typ, b.typ)
	if !ok || !t.comparable() {
		e.fail(x.pos, "Types are not comparable with NULLIF: %s vs %s", a.typ, b.typ)
	}
	p, q := value{sql: "$1", typ: a.typ, easy: true}, value{sql: "$2", typ: b.typ, easy: true}
	if a.isNull() {
		return a
	}
	cond := e.compare("=", e.coerce(p, t), e.coerce(q, t))
	if b.isNull() {
		return a
	}
	return value{sql: e.template("CASE WHEN "+cond+" THEN NULL ELSE $1 END", a, b), typ: a.typ}
}

// extremeForm is GREATEST and LEAST: NULL where any argument is, which DuckDB's pass over.
func extremeForm(e *env, x *callExpr) value {
	e.count(x, 1, 1000)
	values := e.exprs(x.args)
	name := strings.ToLower(x.name[0].text)
	t := e.unify(values, x.args, "All arguments of "+name+" must be the same type")
	if !t.orderable() || !t.plain() && !t.floating() {
		e.fail(x.pos, "Unexpected parameters of type %s for function %s", t, name)
	}
	parts := make([]string, len(values))
	for i, v := range values {
		if v.isNull() {
			return e.coerce(v, t)
		}
		parts[i] = e.coerce(v, t).sql
	}
	nan := ""
	if t.floating() {
		// NaN counts only where there is nothing else
		nan = " WHEN list_contains($1, 'NaN'::" + duckType(t) + ") THEN coalesce(" + map[string]string{"greatest": "list_max", "least": "list_min"}[name] +
			"(list_filter($1, lambda x: NOT isnan(x))), $1[1])"
	}
	pick := map[string]string{"greatest": "list_max", "least": "list_min"}[name]
	list := value{sql: "[" + strings.Join(parts, ", ") + "]", typ: ArrayOf(t)}
	return value{sql: e.template("CASE WHEN list_count($1) < len($1) THEN NULL"+nan+" ELSE "+pick+"($1) END", list), typ: t}
}

func concatForm(e *env, x *callExpr) value {
	e.count(x, 2, 127)
	values := e.exprs(x.args)
	array := false
	for _, v := range values {
		array = array || v.typ.Kind == Array
	}
	at := &arithmeticExpr{node: x.node, op: "||", opPos: x.pos}
	if len(values) == 2 && (values[0].typ.Kind == Char || values[1].typ.Kind == Char) {
		return e.concat(at, values[0], values[1])
	}
	if array {
		v := values[0]
		for _, w := range values[1:] {
			v = e.concat(at, v, w)
		}
		return v
	}
	var parts []string
	t := values[0].typ
	for i, v := range values {
		if v.typ.Kind != Varchar && !v.isNull() && v.typ.Kind != Varbinary || (v.typ.Kind == Varbinary) != (t.Kind == Varbinary) {
			e.fail(x.args[i].at(), "Unexpected parameters (%s) for function concat. Expected: concat(varchar, …), concat(varbinary, …), concat(array(E), …)", v.typ)
		}
		if v.isNull() {
			e.unsupported(x.args[i].at(), "a NULL without a type in concat, which Trino takes for an array,")
		}
		parts = append(parts, castNull(v, TypeVarchar))
	}
	if t.Kind != Varbinary {
		t = TypeVarchar
	}
	return value{sql: balanced(parts, " || "), typ: t}
}

func typeofForm(e *env, x *callExpr) value {
	e.count(x, 1, 1)
	v := stringValue(strings.ReplaceAll(e.expr(x.args[0]).typ.String(), `"`, "")) // Trino quotes no names here
	v.typ = TypeVarchar
	return v
}

func nowForm(e *env, x *callExpr) value {
	e.count(x, 0, 0)
	return e.special(&specialExpr{x.node, "CURRENT_TIMESTAMP", -1})
}

func currentZoneForm(e *env, x *callExpr) value {
	e.count(x, 0, 0)
	v := stringValue("UTC")
	v.typ = TypeVarchar
	return v
}

// mapForm is MAP() and MAP(keys, values).
func mapForm(e *env, x *callExpr) value {
	if len(x.args) == 0 {
		return value{sql: "MAP {}::MAP(INTEGER, INTEGER)", typ: MapOf(TypeUnknown, TypeUnknown)}
	}
	e.count(x, 2, 2)
	keys, values := e.expr(x.args[0]), e.expr(x.args[1])
	if keys.typ.Kind != Array || values.typ.Kind != Array {
		e.fail(x.pos, "Unexpected parameters (%s, %s) for function map. Expected: map(array(K), array(V)), map()", keys.typ, values.typ)
	}
	t := MapOf(*keys.typ.Elem, *values.typ.Elem)
	indeterminate := ""
	if k := keys.typ.Elem.Kind; k == Array || k == Row {
		indeterminate = " WHEN " + e.holdsNull("$1", keys.typ) + " THEN " + raise("map key cannot be indeterminate", t)
	}
	sql := e.template("CASE WHEN len($1) <> len($2) THEN "+raise("Key and value arrays must be the same length", t)+indeterminate+" ELSE map($1, $2) END", keys, values)
	return value{sql: sql, typ: t}
}

// special is a value that a word alone asks for. All of a statement sees one moment, its start.
func (e *env) special(x *specialExpr) value {
	start := e.session.Start.UTC()
	precision := 3
	if x.precision >= 0 {
		if precision = x.precision; precision > 6 {
			e.unsupported(x.pos, "a precision of more than 6 digits")
		}
	}
	us := start.UnixMicro()
	unit := int64(1)
	for range 6 - precision {
		unit *= 10
	}
	us -= ((us % unit) + unit) % unit
	switch x.word {
	case "CURRENT_DATE":
		day := start.Unix() / 86400
		return dateValue(days(day))
	case "CURRENT_TIMESTAMP", "LOCALTIMESTAMP":
		v := timestampValue(micros(us), precision)
		if x.word == "CURRENT_TIMESTAMP" {
			v.typ = zonedOf(precision, "UTC")
		}
		return v
	case "CURRENT_USER":
		v := stringValue(e.session.User)
		v.typ = TypeVarchar
		return v
	case "CURRENT_CATALOG", "CURRENT_SCHEMA": // none, as in a session of Trino's that chose none
		return value{sql: castNull(value{}, TypeVarchar), typ: TypeVarchar, easy: true}
	}
	e.unsupported(x.pos, strings.ToLower(x.word))
	return value{}
}

// atZone is x AT TIME ZONE zone: the same instant, on another wall clock.
func (e *env) atZone(x *atZoneExpr) value {
	v := e.expr(x.x)
	zone := ""
	if x.interval != nil {
		n, ok := e.interval(x.interval).lit.(millis)
		if !ok || n%60_000 != 0 || n > 14*3_600_000 || n < -14*3_600_000 {
			e.fail(x.interval.pos, "Invalid time zone offset interval")
		}
		if zone = "UTC"; n != 0 {
			zone = offsetName(int(n / 60_000))
		}
	} else {
		zone = e.zoneName(x.pos, x.zone)
	}
	return e.inZone(x.pos, v, zone)
}

func (e *env) inZone(pos int, v value, zone string) value {
	switch v.typ.Kind {
	case Timestamp, TimestampZoned:
	case Date:
		v = e.coerce(v, TimestampOf(0))
	default:
		if v.isNull() {
			return v
		}
		e.fail(pos, "Type of value must be a time or timestamp with or without time zone (actual %s)", v.typ)
	}
	if v.anyZone != "" {
		v.sql, v.anyZone = v.anyZone, ""
	}
	v.typ = zonedOf(v.typ.Precision, zone)
	return v
}

// trim writes TRIM and, by its characters, all of ltrim, rtrim and trim.
func (e *env) trim(x *trimExpr) value {
	fn := map[string]string{"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}[x.side]
	call := &callExpr{node: x.node, name: []name{{node: x.node, text: fn}}, args: []expr{x.x}}
	if x.char != nil {
		call.args = append(call.args, x.char)
	}
	return e.call(call)
}

// extractField is EXTRACT(field FROM x), which is the function of that name.
func (e *env) extractField(x *extractExpr) value {
	field := strings.ToLower(x.field.text)
	switch field {
	case "year", "quarter", "month", "week", "day", "day_of_month", "day_of_week", "dow", "day_of_year", "doy", "year_of_week", "yow", "hour", "minute",
		"second", "timezone_hour", "timezone_minute":
	default:
		e.fail(x.field.pos, "Invalid EXTRACT field: %s", x.field.text)
	}
	switch field {
	case "dow":
		field = "day_of_week"
	case "doy":
		field = "day_of_year"
	case "yow":
		field = "year_of_week"
	}
	v := e.expr(x.x)
	if v.typ.Kind == Date && (field == "hour" || field == "minute" || field == "second" || strings.HasPrefix(field, "timezone")) {
		e.fail(x.x.at(), "Cannot extract %s from date", strings.ToUpper(field))
	}
	return e.chooseFor(&callExpr{node: x.node, name: []name{{node: x.field.node, text: field}}, args: []expr{x.x}}, field, scalarFunctions[field], []value{v})
}
