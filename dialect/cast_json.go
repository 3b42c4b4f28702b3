package dialect

import (
	"strings"

	"github.com/lochlake/loch/sqljson"
)

// toJSON casts to JSON: the text of it.
func (e *env) toJSON(pos int, v value) (string, bool) {
	switch t := v.typ; t.Kind {
	case Unknown:
		return "CAST(NULL AS VARCHAR)", true
	case JSON:
		return v.sql, true
	case Varchar:
		return "loch_json_quote(" + v.sql + ")", true
	case Boolean, Tinyint, Smallint, Integer, Bigint:
		return "CAST(" + v.sql + " AS VARCHAR)", true
	case Real:
		return "loch_json_real(" + v.sql + ")", true
	case Double:
		return "loch_json_double(" + v.sql + ")", true
	case Decimal:
		text, ok := e.castToText(pos, v, false)
		if t.Scale > 6 { // where Java may write an exponent
			text = "loch_json_decimal(" + text + ")"
		}
		return text, ok
	case Date, Timestamp:
		text, ok := e.castToText(pos, v, false)
		return "('\"' || " + text + " || '\"')", ok
	case Array:
		elems, ok := e.eachToJSON(pos, "$1", *t.Elem)
		return e.template("CASE WHEN $1 IS NULL THEN NULL ELSE '[' || coalesce(array_to_string("+elems+", ','), '') || ']' END", v), ok
	case Map:
		keys, ok := e.jsonKeys(pos, *t.Key)
		values, ok2 := e.eachToJSON(pos, "map_values($1)", *t.Elem)
		return e.template("CASE WHEN $1 IS NULL THEN NULL ELSE loch_json_object("+keys+", "+values+") END", v), ok && ok2
	case Row:
		text := "'{'"
		for i, f := range t.Fields {
			m, ok := e.toJSON(pos, value{sql: "struct_extract($1, " + quote(memberName(t, i)) + ")", typ: f.Type, easy: true})
			if !ok {
				return "", false
			}
			name := sqljson.Quote(f.Name) + ":"
			if i > 0 {
				name = "," + name
			}
			text += " || " + quote(name) + " || coalesce(" + m + ", 'null')"
		}
		return e.template("CASE WHEN $1 IS NULL THEN NULL ELSE "+text+" || '}' END", v), true
	}
	return "", false
}

// eachToJSON casts the elements of a list, NULL being JSON's null.
func (e *env) eachToJSON(pos int, list string, t Type) (string, bool) {
	e.lambdas++
	x := "l" + itoa(e.lambdas)
	elem, ok := e.toJSON(pos, value{sql: x, typ: t, easy: true})
	e.lambdas--
	return "list_transform(" + list + ", lambda " + x + ": coalesce(" + elem + ", 'null'))", ok
}

// jsonKeys are the keys of the map $1 as the names of an object's members.
func (e *env) jsonKeys(pos int, t Type) (string, bool) {
	e.lambdas++
	defer func() { e.lambdas-- }()
	x := value{sql: "l" + itoa(e.lambdas), typ: t, easy: true}
	text := ""
	switch t.Kind {
	case Varchar:
		return "map_keys($1)", true
	case Unknown:
		return "CAST(map_keys($1) AS VARCHAR[])", true
	case Boolean, Tinyint, Smallint, Integer, Bigint:
		text = "CAST(" + x.sql + " AS VARCHAR)"
	case Real, Double: // without the quotes around what is no number
		text, _ = e.toJSON(pos, x)
		text = "trim(" + text + ", '\"')"
	case Decimal:
		text, _ = e.castToText(pos, x, false)
	default:
		return "", false
	}
	return "list_transform(map_keys($1), lambda " + x.sql + ": " + text + ")", true
}

// fromJSON casts JSON to another type.
func (e *env) fromJSON(pos int, v value, t Type, try bool) (string, bool) {
	if !jsonCastable(t) {
		return "", false
	}
	if t.Kind != Array && t.Kind != Map && t.Kind != Row {
		return e.jsonScalar(pos, v, t, try)
	}
	sql, ok := e.jsonNested(pos, v, t)
	if try {
		sql = "TRY(" + sql + ")"
	}
	return sql, ok
}

// jsonCastable tells whether Trino casts JSON to the type.
func jsonCastable(t Type) bool {
	switch t.Kind {
	case Boolean, Tinyint, Smallint, Integer, Bigint, Real, Double, Decimal, Varchar, JSON:
		return true
	case Array:
		return jsonCastable(*t.Elem)
	case Map:
		return t.Key.Kind != JSON && t.Key.every(func(k Kind) bool { return k != Array && k != Map && k != Row }) && jsonCastable(*t.Key) && jsonCastable(*t.Elem)
	case Row:
		for _, f := range t.Fields {
			if !jsonCastable(f.Type) {
				return false
			}
		}
		return true
	}
	return false
}

// jsonScalar casts to a scalar by the sort of value that the text is.
func (e *env) jsonScalar(pos int, v value, t Type, try bool) (string, bool) {
	if t.Kind == Varchar {
		return e.castSQL(pos, v, t, try)
	}
	wrong := raise("Cannot cast JSON to "+t.String(), t)
	if try {
		wrong = "CAST(NULL AS " + duckType(t) + ")"
	}
	tagged := value{sql: "loch_json_scalar(" + v.sql + ")", typ: TypeVarchar}
	return e.bySort(pos, tagged, t, try, "CAST(NULL AS "+duckType(t)+")", wrong)
}

// bySort casts a value that stands behind the letter of its sort to a type. null is what JSON's null becomes, wrong what there is no cast for.
func (e *env) bySort(pos int, tagged value, t Type, try bool, null, wrong string) (string, bool) {
	text := value{sql: "substr($1, 2)", typ: TypeVarchar, easy: true}
	as := func(from Type) value {
		return value{sql: castTo(text.sql, from), typ: from, easy: true}
	}
	huge := text
	huge.typ = TypeVarchar
	var b strings.Builder
	b.WriteString("CASE left($1, 1) WHEN 'n' THEN " + null)
	for _, s := range []struct {
		sort  string
		value value
	}{{"s", text}, {"b", as(TypeBoolean)}, {"8", as(TypeBigint)}, {"d", as(TypeDouble)}, {"h", huge}} {
		w := s.value
		switch {
		case s.sort == "h" && (t.integral() || t.Kind == Boolean):
			continue
		case s.sort != "s" && s.sort != "b" && (t.Kind == Real || t.Kind == Decimal): // from the text itself
			w = text
		}
		sql, ok := w.sql, true
		if !w.typ.equal(t) {
			sql, ok = e.castSQL(pos, w, t, try)
		}
		if ok {
			b.WriteString(" WHEN '" + s.sort + "' THEN " + sql)
		}
	}
	b.WriteString(" ELSE CASE WHEN $1 IS NOT NULL THEN " + wrong + " END END")
	return e.template(b.String(), tagged), true
}

// jsonNested casts to an array, a map or a row.
func (e *env) jsonNested(pos int, v value, t Type) (string, bool) {
	wrong := raise("Cannot cast JSON to "+t.String(), t)
	e.lambdas++
	defer func() { e.lambdas-- }()
	x := value{sql: "l" + itoa(e.lambdas), typ: TypeJSON, easy: true}
	parts := value{sql: "loch_json_parts(" + v.sql + ")", typ: ArrayOf(TypeVarchar)}
	// The first part says what the text is.
	pick := func(which string) string { return "list_filter($1, lambda p, k: k > 1" + which + ")" }
	switch t.Kind {
	case Array:
		elem, ok := e.jsonPart(pos, x, *t.Elem)
		return e.template("CASE $1[1] WHEN '[' THEN list_transform("+pick("")+", lambda "+x.sql+": "+elem+") WHEN 'n' THEN NULL ELSE CASE WHEN $1 IS NOT NULL THEN "+
			wrong+" END END", parts), ok
	case Map:
		elem, ok := e.jsonPart(pos, x, *t.Elem)
		key := value{sql: x.sql, typ: TypeVarchar, easy: true}
		if t.Key.Kind != Varchar || t.Key.Length != Unbounded {
			var ok2 bool
			key.sql, ok2 = e.castSQL(pos, key, *t.Key, false)
			ok = ok && ok2
		}
		return e.template("CASE $1[1] WHEN '{' THEN map(list_transform("+pick(" AND k % 2 = 0")+", lambda "+x.sql+": "+key.sql+"), list_transform("+pick(" AND k % 2 = 1")+
			", lambda "+x.sql+": "+elem+")) WHEN 'n' THEN NULL ELSE CASE WHEN $1 IS NOT NULL THEN "+wrong+" END END", parts), ok
	}
	var names []string
	var values []value
	for i, f := range t.Fields {
		names = append(names, quote(f.Name))
		m, ok := e.jsonPart(pos, value{sql: "$1[" + itoa(i+2) + "]", typ: TypeJSON, easy: true}, f.Type)
		if !ok {
			return "", false
		}
		values = append(values, value{sql: m, typ: f.Type})
	}
	parts.sql = "loch_json_row(" + v.sql + ", [" + strings.Join(names, ", ") + "])"
	return e.template("CASE $1[1] WHEN '{' THEN "+packRow(t, values)+" WHEN 'n' THEN NULL ELSE CASE WHEN $1 IS NOT NULL THEN "+wrong+" END END", parts), true
}

// jsonPart casts a part of a JSON text.
func (e *env) jsonPart(pos int, v value, t Type) (string, bool) {
	if t.Kind == JSON {
		return v.sql, true
	}
	return e.fromJSON(pos, v, t, false)
}
