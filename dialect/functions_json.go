package dialect

import (
	"strconv"
	"strings"
)

// numbersAsText is the JSON text $2 with its numbers between quotes.
const numbersAsText = `regexp_replace($2, '(^|[:\[,])(\s*)(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)', '\1\2"\3"', 'g')`

func init() {
	for _, t := range []string{"varchar", "json"} {
		defineBy("json_extract_scalar("+t+", varchar) varchar", func(v *invocation) value {
			if v.args[0].typ.Kind == Varchar {
				v.typ = v.args[0].typ
			}
			// DuckDB writes a number with a fraction anew; the input's own text of it is had by putting all its numbers between quotes.
			node := v.jsonNode()
			return value{sql: v.template("CASE json_type($1) WHEN 'VARCHAR' THEN json_extract_string($1, '$') WHEN 'BOOLEAN' THEN CAST($1 AS VARCHAR) "+
				"WHEN 'BIGINT' THEN CASE WHEN CAST($1 AS VARCHAR) = '0' AND contains($2, '-0') THEN "+
				raise("json_extract_scalar of -0 is not supported yet", TypeVarchar)+" ELSE CAST($1 AS VARCHAR) END WHEN 'UBIGINT' THEN CAST($1 AS VARCHAR) WHEN 'DOUBLE' THEN "+
				"CASE WHEN TRY_CAST(TRY(json_extract_string("+numbersAsText+", $3)) AS DOUBLE) = CAST($1 AS DOUBLE) THEN json_extract_string("+numbersAsText+", $3) ELSE "+
				raise("json_extract_scalar cannot tell how the number was written", TypeVarchar)+" END END", node, v.args[0], v.jsonPaths(1)[0]), typ: v.typ}
		})
		defineBy("json_extract("+t+", varchar) json", func(v *invocation) value {
			v.typ.parsed = v.args[0].typ.parsed
			return value{sql: castTo(v.jsonNode().sql, TypeJSON), typ: v.typ}
		})
		define("json_array_length("+t+") bigint", "CASE WHEN json_valid($1) THEN CASE WHEN json_type($1) = 'ARRAY' THEN CAST(json_array_length($1) AS BIGINT) END END")
		defineBy("json_size("+t+", varchar) bigint", func(v *invocation) value {
			node := v.jsonNode()
			return value{sql: v.template("CASE json_type($1) WHEN 'ARRAY' THEN CAST(json_array_length($1) AS BIGINT) WHEN 'OBJECT' THEN CAST(len(json_keys($1)) AS BIGINT) "+
				"ELSE CASE WHEN $1 IS NOT NULL THEN CAST(0 AS BIGINT) END END", node), typ: v.typ}
		})
		for _, elem := range []struct{ typ, match string }{
			{"varchar", "json_type(x) = 'VARCHAR' AND json_extract_string(x, '$') = $2"},
			{"bigint", "json_type(x) IN ('BIGINT', 'UBIGINT') AND CAST(x AS VARCHAR) = CAST($2 AS VARCHAR)"},
			{"boolean", "json_type(x) = 'BOOLEAN' AND CAST(x AS VARCHAR) = CAST($2 AS VARCHAR)"},
		} {
			define("json_array_contains("+t+", "+elem.typ+") boolean", "CASE WHEN json_valid($1) THEN CASE WHEN json_type($1) = 'ARRAY' AND $2 IS NOT NULL THEN len(list_filter("+
				"json_extract($1, '$[*]'), lambda x: "+elem.match+")) > 0 END END")
		}
	}
	defineBy("json_parse(varchar) json", func(v *invocation) value {
		v.typ.parsed = true
		return v.out("CAST(json($1) AS VARCHAR)")
	})
	define("is_json_scalar(varchar) boolean", "(json_type(json($1)) NOT IN ('ARRAY', 'OBJECT'))")
	define("is_json_scalar(json) boolean", "(json_type($1) NOT IN ('ARRAY', 'OBJECT'))")
	defineBy("json_format(json) varchar", func(v *invocation) value {
		if !v.args[0].typ.parsed {
			return v.out("$1")
		}
		return v.out(sortedJSON("$1", TypeVarchar))
	})
}

// jsonNode is the part of the first argument that the second, a path, leads to; NULL where the text is no JSON. Of a text that begins as JSON and ends
// as none Trino answers what stands before the fault: there the run fails.
func (v *invocation) jsonNode() value {
	args := []value{v.args[0]}
	text := "coalesce("
	for _, path := range v.jsonPaths(1) {
		args = append(args, path)
		text += "TRY(json_extract($1, $" + itoa(len(args)) + ")), "
	}
	text += "CASE WHEN left(ltrim($1), 1) IN ('{', '[') AND NOT json_valid($1) THEN " +
		raise("a text that begins as JSON and is none is not supported yet", TypeJSON) + " END)"
	return value{sql: v.template(text, args...), typ: TypeJSON}
}

// sortedJSON passes on a JSON text whose members stand in the order that Trino writes them in, sorted and each once; of objects within others, which it
// does not look into, and of members in another order the run fails.
func sortedJSON(sql string, t Type) string {
	return "CASE WHEN json_type(" + sql + ") = 'OBJECT' AND (json_keys(" + sql + ") <> list_sort(list_distinct(json_keys(" + sql + "))) OR " + sql + " LIKE '_%{%') OR json_type(" +
		sql + ") = 'ARRAY' AND " + sql + " LIKE '%{%' THEN " + raise("writing out a parsed JSON text whose members may have to be sorted is not supported yet", t) + " ELSE " + sql + " END"
}

// sorted is a column of the answer whose parsed JSON is passed on only where it stands in Trino's order.
func sorted(sql string, t Type) string {
	if t.Kind == JSON && t.parsed {
		return sortedJSON(sql, t)
	}
	return sql
}

// jsonPaths is the i-th argument, a path of Trino's ($.a.b[0]["c d"]), as DuckDB writes paths: an index may be a member's name as well, so that
// each doubles the paths to try.
func (v *invocation) jsonPaths(i int) []value {
	text := v.literal(i)
	refuse := func() { v.fail(v.at(i), "Invalid JSON path: '%s'", text) }
	if !strings.HasPrefix(text, "$") {
		refuse()
	}
	out := []string{"$"}
	grow := func(steps ...string) {
		var longer []string
		for _, s := range steps {
			for _, path := range out {
				longer = append(longer, path+s)
			}
		}
		if out = longer; len(out) > 8 {
			v.unsupported(v.at(i), "a JSON path of more than 3 indexes")
		}
	}
	for rest := text[1:]; rest != ""; {
		switch {
		case rest[0] == '.' && len(rest) > 1 && (wordByte(rest[1]) || rest[1] == '$' || rest[1] == ':' || rest[1] >= 0x80):
			n := 1
			for n < len(rest) && (wordByte(rest[n]) || rest[n] == ':' || rest[n] == '$' || rest[n] >= 0x80) {
				n++
			}
			grow(`."` + rest[1:n] + `"`)
			rest = rest[n:]
		case strings.HasPrefix(rest, "[\"") || strings.HasPrefix(rest, "['"):
			end := strings.Index(rest[2:], rest[1:2]+"]")
			if end <= 0 || strings.ContainsAny(rest[2:2+end], `"\`) {
				refuse()
			}
			grow(`."` + rest[2:2+end] + `"`)
			rest = rest[end+4:]
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				refuse()
			}
			n, err := strconv.Atoi(rest[1:end])
			if err != nil || n < 0 || n > 1<<30 {
				v.unsupported(v.at(i), "JSON path '"+text+"'")
			}
			grow("["+itoa(n)+"]", `."`+itoa(n)+`"`)
			rest = rest[end+1:]
		case strings.HasPrefix(rest, ".*"), strings.HasPrefix(rest, ".."):
			v.unsupported(v.at(i), "JSON path '"+text+"'")
		default:
			refuse()
		}
	}
	if strings.Contains(out[0], "*") {
		v.unsupported(v.at(i), "JSON path '"+text+"'")
	}
	paths := make([]value, len(out))
	for k, path := range out {
		paths[k] = value{sql: quote(path), typ: TypeVarchar, easy: true}
	}
	return paths
}

// toJSON casts to JSON.
func (e *env) toJSON(v value) (string, bool) {
	switch v.typ.Kind {
	case Varchar:
		return "CAST(to_json(" + v.sql + ") AS VARCHAR)", true
	case Boolean, Tinyint, Smallint, Integer, Bigint:
		return "CAST(" + v.sql + " AS VARCHAR)", true
	case Array:
		switch v.typ.Elem.Kind {
		case Varchar, Boolean, Tinyint, Smallint, Integer, Bigint:
			return "CAST(to_json(" + v.sql + ") AS VARCHAR)", true
		}
	case Map:
		if v.typ.Key.Kind == Varchar {
			switch v.typ.Elem.Kind {
			case Varchar, Boolean, Tinyint, Smallint, Integer, Bigint:
				return e.template("CASE WHEN $1 IS NULL THEN NULL ELSE CAST(to_json(map_from_entries(list_sort(map_entries($1)))) AS VARCHAR) END", v), true
			}
		}
	}
	return "", false
}

// fromJSON casts JSON to another type; varchar is castToText's.
func (e *env) fromJSON(pos int, v value, t Type, try bool) (string, bool) {
	wrong := func(t Type) string {
		if try {
			return "CAST(NULL AS " + duckType(t) + ")"
		}
		return raise("Cannot cast JSON to "+t.String(), t)
	}
	if try {
		e.unsupported(pos, "TRY_CAST of JSON to "+t.String())
	}
	if v.typ.parsed && !t.every(func(k Kind) bool { return k != JSON }) {
		e.unsupported(pos, "a cast of a parsed JSON text to "+t.String())
	}
	switch t.Kind {
	case Array:
		e.lambdas++
		x := "l" + itoa(e.lambdas)
		elem, ok := e.jsonElement(pos, x, *t.Elem)
		e.lambdas--
		if !ok {
			return "", false
		}
		list := value{sql: "lambda " + x + ": " + elem, typ: Type{Kind: Function}, easy: true}
		return e.template("CASE json_type($1) WHEN 'ARRAY' THEN list_transform(json_extract($1, '$[*]'), $2) WHEN 'NULL' THEN NULL ELSE CASE WHEN $1 IS NOT NULL THEN "+
			wrong(t)+" END END", v, list), true
	case Map:
		if t.Key.Kind != Varchar {
			return "", false
		}
		e.lambdas++
		x := "l" + itoa(e.lambdas)
		elem, ok := e.jsonElement(pos, x, *t.Elem)
		e.lambdas--
		if !ok {
			return "", false
		}
		list := value{sql: "lambda " + x + ": " + elem, typ: Type{Kind: Function}, easy: true}
		return e.template("CASE json_type($1) WHEN 'OBJECT' THEN map(json_keys($1), list_transform(map_values(CAST(CAST($1 AS JSON) AS MAP(VARCHAR, JSON))), $2)) "+
			"WHEN 'NULL' THEN NULL ELSE CASE WHEN $1 IS NOT NULL THEN "+wrong(t)+" END END", v, list), true
	}
	return "", false
}

// jsonElement casts one element of a JSON array or object.
func (e *env) jsonElement(pos int, x string, t Type) (string, bool) {
	v := value{sql: "CAST(" + x + " AS VARCHAR)", typ: TypeJSON, easy: true}
	// Trino casts scalars of the other types as well.
	notCast := "CASE WHEN json_type($1) IN ('ARRAY', 'OBJECT') THEN " + raise("Cannot cast JSON to "+t.String(), t) + " ELSE " +
		raise("casting this element of JSON to "+t.String()+" is "+notYet, t) + " END"
	switch t.Kind {
	case JSON:
		return v.sql, true
	case Varchar:
		return e.castToText(pos, v, false)
	case Bigint, Integer:
		return e.template("CASE WHEN $1 = 'null' THEN NULL WHEN json_type($1) IN ('BIGINT', 'UBIGINT') THEN CAST($1 AS "+duckType(t)+") WHEN $1 IS NOT NULL THEN "+
			notCast+" END", v), true
	case Boolean:
		return e.template("CASE $1 WHEN 'null' THEN NULL WHEN 'true' THEN true WHEN 'false' THEN false ELSE CASE WHEN $1 IS NOT NULL THEN "+
			notCast+" END END", v), true
	case Array, Map:
		return e.fromJSON(pos, v, t, false)
	}
	return "", false
}
