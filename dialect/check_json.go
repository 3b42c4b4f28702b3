package dialect

import (
	"errors"
	"strings"

	"github.com/lochlake/loch/sqljson"
)

// The JSON functions with clauses of their own (https://trino.io/docs/current/functions/json.html). Their work is done in package sqljson, by one call for
// each row; its result begins with a letter that says what it is.

// jsonText is a value that a JSON function reads as JSON, as text.
func (e *env) jsonText(x expr, v value, format string) string {
	as := "JSON"
	if format != "" && format != "JSON" {
		as = "JSON ENCODING " + format
	}
	switch {
	case v.isNull():
		return "CAST(NULL AS VARCHAR)"
	case v.typ.Kind == Varchar && as == "JSON":
		return v.sql
	case v.typ.Kind == Varbinary && (as == "JSON" || format == "UTF8"):
		// what is no UTF-8 is no JSON, as '' is none
		return e.template("CASE WHEN $1 IS NOT NULL THEN coalesce(TRY(decode($1)), '') END", v)
	case v.typ.Kind == Varbinary:
		e.unsupported(x.at(), "JSON in "+format)
	}
	e.fail(x.at(), "Cannot read input of type %s as JSON using formatting %s", v.typ, as)
	return ""
}

// makesJSON tells whether an expression's text is JSON without a word about it.
func makesJSON(x expr) bool {
	switch x := x.(type) {
	case *jsonMakeExpr:
		return true
	case *jsonExpr:
		return x.word == "JSON_QUERY"
	}
	return false
}

// jsonSort is a value that is handed to a path or put into JSON: its sort, the name of its type where that matters, and its text.
func (e *env) jsonSort(a jsonArgument, what string) (sqljson.Sort, string, string) {
	v := e.expr(a.x)
	if a.format != "" || makesJSON(a.x) {
		return sqljson.JSON, "", e.jsonText(a.x, v, a.format)
	}
	if v.isNull() {
		return sqljson.Null, "", "CAST(NULL AS VARCHAR)"
	}
	sort, typ := sqljson.Varchar, ""
	switch v.typ.Kind {
	case Boolean:
		sort = sqljson.Bool
	case Tinyint:
		sort = sqljson.Tinyint
	case Smallint:
		sort = sqljson.Smallint
	case Integer:
		sort = sqljson.Integer
	case Bigint:
		sort = sqljson.Bigint
	case Real, Double:
		sort = sqljson.Double
		if v.typ.Kind == Real {
			sort = sqljson.Real
		}
		return sort, "", "CAST(" + v.sql + " AS VARCHAR)"
	case Decimal:
		sort, typ = sqljson.Decimal, v.typ.String()
	case Char:
		sort = sqljson.Char
	case Date:
		sort, typ = sqljson.Moment, "date"
	case Time:
		sort, typ = sqljson.Moment, "time without time zone"
	case Timestamp:
		sort, typ = sqljson.Moment, "timestamp without time zone"
	case TimestampZoned:
		sort, typ = sqljson.Moment, "timestamp with time zone"
	case Varchar, UUID, IPAddress, JSON, IntervalDaySecond, IntervalYearMonth:
	default:
		e.fail(a.x.at(), "Unsupported type of %s: %s", what, v.typ)
	}
	text, ok := e.castToText(a.x.at(), v, false)
	if !ok {
		e.unsupported(a.x.at(), "a value of type "+v.typ.String()+" in JSON")
	}
	return sort, typ, text
}

// jsonFields puts texts into the one text that the functions take.
func (e *env) jsonFields(texts []string) string {
	if len(texts) == 0 {
		return "''"
	}
	parts := make([]string, len(texts))
	for i, t := range texts {
		parts[i] = e.template("CASE WHEN $1 IS NULL THEN '1:n' ELSE CAST(strlen($1) + 1 AS VARCHAR) || ':v' || $1 END", value{sql: t, typ: TypeVarchar})
	}
	return balanced(parts, " || ")
}

// jsonCall is the query of a path over its input.
func (e *env) jsonCall(p *jsonPath, q *sqljson.Query) value {
	input := e.jsonText(p.input, e.expr(p.input), p.format)
	var texts []string
	q.Text = p.path
	for _, a := range p.arguments {
		name := a.name.text
		if !a.name.quoted {
			name = strings.ToUpper(name)
		}
		for _, v := range q.Variables {
			if v.Name == name {
				e.fail(a.name.pos, "%s JSON path parameter is specified more than once", name)
			}
		}
		sort, typ, text := e.jsonSort(a, "JSON path parameter")
		q.Variables = append(q.Variables, sqljson.Variable{Name: name, Sort: sort, Type: typ})
		texts = append(texts, text)
	}
	e.compilePath(p.pathPos, q)
	return value{sql: "loch_json_query(" + input + ", " + quote(q.Encode()) + ", " + e.jsonFields(texts) + ")", typ: TypeVarchar}
}

func (e *env) compilePath(pos int, q *sqljson.Query) {
	err := q.Compile()
	if bad, ok := errors.AsType[*sqljson.PathError](err); ok {
		e.fail(pos, "invalid JSON path, at character %d: %s", len([]rune(q.Text[:bad.At]))+1, bad.Message)
	}
}

// refusedJSON is the case of a call's result that is refused.
func refusedJSON(t Type) string {
	return " WHEN 'R' THEN " + raise("this JSON path over these values is "+notYet, t)
}

func (e *env) json(x *jsonExpr) value {
	switch x.word {
	case "JSON_EXISTS":
		return e.jsonExists(x)
	case "JSON_QUERY":
		return e.jsonQuery(x)
	}
	return e.jsonValue(x)
}

func (e *env) jsonExists(x *jsonExpr) value {
	call := e.jsonCall(x.path, &sqljson.Query{Form: sqljson.FormExists, Wrapper: sqljson.WithoutWrapper})
	onError := "false"
	if x.onError != nil {
		switch x.onError.kind {
		case "TRUE":
			onError = "true"
		case "UNKNOWN":
			onError = "CAST(NULL AS BOOLEAN)"
		case "ERROR":
			onError = raiseText("substr($1, 2)", TypeBoolean)
		}
	}
	return boolean(e.template("CASE left($1, 1) WHEN 'T' THEN true WHEN 'F' THEN false WHEN 'E' THEN "+onError+refusedJSON(TypeBoolean)+" END", call))
}

func (e *env) jsonQuery(x *jsonExpr) value {
	q := &sqljson.Query{Form: sqljson.FormQuery, Wrapper: sqljson.WithoutWrapper, Omit: x.quotes == "OMIT"}
	switch x.wrapper {
	case "CONDITIONAL":
		q.Wrapper = sqljson.ConditionalArray
	case "UNCONDITIONAL":
		q.Wrapper = sqljson.UnconditionalArray
	}
	if x.quotes != "" && q.Wrapper != sqljson.WithoutWrapper {
		e.fail(x.pos, "%s QUOTES behavior specified with WITH %s ARRAY WRAPPER behavior", x.quotes, x.wrapper)
	}
	call := e.jsonCall(x.path, q)
	special := func(b *jsonBehavior, message string) string {
		switch {
		case b == nil || b.kind == "NULL":
			return "CAST(NULL AS VARCHAR)"
		case b.kind == "ERROR":
			return raiseText(message, TypeVarchar)
		case b.kind == "EMPTY ARRAY":
			return "'[]'"
		}
		return "'{}'"
	}
	text := e.template("CASE left($1, 1) WHEN 'J' THEN substr($1, 2) WHEN '0' THEN "+special(x.onEmpty, quote("conversion from JSON failed: JSON path found no items"))+
		" WHEN 'E' THEN "+special(x.onError, "substr($1, 2)")+refusedJSON(TypeVarchar)+" END", call)
	return e.jsonOutput(x.pos, text, x.returning, x.format)
}

// jsonOutput brings JSON text to the type that RETURNING names.
func (e *env) jsonOutput(pos int, text string, returning *typeNode, format string) value {
	v := value{sql: text, typ: TypeVarchar}
	t := TypeVarchar
	if returning != nil {
		t = e.typeOf(returning)
	}
	as := "JSON"
	if format != "" && format != "JSON" {
		as = "JSON ENCODING " + format
	}
	switch {
	case (t.Kind == Varchar || t.Kind == Char) && as == "JSON":
		return e.castValue(pos, v, t, false)
	case t.Kind == Varbinary && (as == "JSON" || format == "UTF8"):
		return value{sql: "encode(" + text + ")", typ: t}
	case t.Kind == Varbinary:
		e.unsupported(pos, "JSON in "+format)
	}
	e.fail(pos, "Cannot output JSON value as %s using formatting %s", t, as)
	return value{}
}

func (e *env) jsonValue(x *jsonExpr) value {
	t := TypeVarchar
	if x.returning != nil {
		t = e.typeOf(x.returning)
	}
	switch t.Kind {
	case Boolean, Tinyint, Smallint, Integer, Bigint, Real, Double, Decimal, Varchar, Char, Date, Time, Timestamp, TimestampZoned:
	default:
		e.fail(x.pos, "Invalid return type of function JSON_VALUE: %s", t)
	}
	call := e.jsonCall(x.path, &sqljson.Query{Form: sqljson.FormValue, Wrapper: sqljson.WithoutWrapper})
	return value{sql: e.jsonScalarOf(x.pos, call, t, x.onEmpty, x.onError), typ: t}
}

// jsonScalarOf writes what a JSON_VALUE makes of a call's result.
func (e *env) jsonScalarOf(pos int, call value, t Type, onEmpty, onError *jsonBehavior) string {
	special := func(b *jsonBehavior, on, message string) string {
		switch {
		case b == nil || b.kind == "NULL":
			return "CAST(NULL AS " + duckType(t) + ")"
		case b.kind == "ERROR":
			return raiseText(message, t)
		}
		v := e.expr(b.value)
		if _, ok := coercible(v.typ, t); !ok {
			e.fail(b.value.at(), "Function JSON_VALUE default ON %s result must evaluate to a %s (actual: %s)", on, t, v.typ)
		}
		return castNull(e.coerce(v, t), t)
	}
	failed := special(onError, "ERROR", "CASE WHEN left($1, 1) = 'E' THEN substr($1, 2) ELSE "+
		quote("cannot extract SQL scalar from JSON: Cannot cast value to declared return type of function JSON_VALUE: "+t.String())+" END")
	text := "CASE left($1, 1) WHEN 'n' THEN CAST(NULL AS " + duckType(t) + ") WHEN 'E' THEN " + failed + " WHEN '0' THEN " +
		special(onEmpty, "EMPTY", quote("cannot extract SQL scalar from JSON: JSON path found no items")) + refusedJSON(t)
	if t.Kind == Varchar && t.Length == Unbounded {
		return e.template(text+" ELSE substr($1, 2) END", call)
	}
	return e.template(text+" ELSE CASE WHEN $1 IS NOT NULL THEN coalesce("+e.jsonScalarAs(pos, t)+", "+failed+") END END", call)
}

// jsonScalarAs casts the scalar behind the letter of its sort in $1 to a type, NULL where that fails.
func (e *env) jsonScalarAs(pos int, t Type) string {
	text := value{sql: "substr($1, 2)", typ: TypeVarchar, easy: true}
	var b strings.Builder
	b.WriteString("CASE left($1, 1)")
	for _, s := range []struct {
		sort sqljson.Sort
		typ  Type
	}{{sqljson.Varchar, TypeVarchar}, {sqljson.Bool, TypeBoolean}, {sqljson.Tinyint, Type{Kind: Tinyint}}, {sqljson.Smallint, Type{Kind: Smallint}}, {sqljson.Integer, TypeInteger},
		{sqljson.Bigint, TypeBigint}, {sqljson.Real, TypeReal}, {sqljson.Double, TypeDouble}, {sqljson.Decimal, TypeVarchar}} {
		v := text
		if s.typ.Kind != Varchar {
			v.sql, v.typ = castTo(text.sql, s.typ), s.typ
		}
		if s.sort == sqljson.Decimal && (t.integral() || t.Kind == Boolean || t.Kind == Char) {
			b.WriteString(" WHEN 'm' THEN " + raise("a decimal of a JSON path as "+t.String()+" is "+notYet, t))
			continue
		}
		sql, ok := v.sql, true
		if !v.typ.equal(t) {
			sql, ok = e.castSQL(pos, v, t, true)
		}
		if ok {
			b.WriteString(" WHEN '" + string(s.sort) + "' THEN " + sql)
		}
	}
	return b.String() + " WHEN 'o' THEN " + raise("a moment of a JSON path as "+t.String()+" is "+notYet, t) + " WHEN 'c' THEN " +
		raise("a char of a JSON path as "+t.String()+" is "+notYet, t) + " END"
}

// jsonMake is JSON_OBJECT and JSON_ARRAY.
func (e *env) jsonMake(x *jsonMakeExpr) value {
	form := &sqljson.Build{Object: x.word == "JSON_OBJECT", Absent: x.absent, Unique: x.unique}
	var texts []string
	for i, a := range x.values {
		if form.Object {
			k := e.expr(x.keys[i])
			switch k.typ.Kind {
			case Varchar:
			case Char:
				k.sql = "rtrim(" + k.sql + ", ' ')"
			default:
				e.fail(x.keys[i].at(), "Invalid type of JSON object key: %s", k.typ)
			}
			texts = append(texts, k.sql)
		}
		sort, _, text := e.jsonSort(a, "value passed to "+x.word+" function")
		if sort == sqljson.Moment {
			sort = sqljson.Varchar
		}
		form.Sorts, texts = append(form.Sorts, sort), append(texts, text)
	}
	text := fallible("loch_json_build("+quote(form.Encode())+", "+e.jsonFields(texts)+")", TypeVarchar)
	return e.jsonOutput(x.pos, text, x.returning, x.format)
}
