package dialect

import "github.com/lochlake/loch/sqljson"

// A json stands in the engine as the text that Trino has of it. Everything that reads or writes one is in Go, in package sqljson: the engine's own
// functions over JSON read and write other texts.
func init() {
	for _, t := range []string{"varchar", "json"} {
		overPath("json_extract("+t+", varchar) json", "loch_json_extract($1, $2)")
		overPath("json_extract_scalar("+t+", varchar) varchar", "loch_json_extract_scalar($1, $2)")
		overPath("json_size("+t+", varchar) bigint", "loch_json_size($1, $2)")
		define("json_array_length("+t+") bigint", "loch_json_array_length($1)")
		define("json_array_get("+t+", bigint) json", fallible("loch_json_array_get($1, $2)", TypeJSON))
		for _, elem := range []string{"varchar", "bigint", "boolean", "double"} {
			text := "loch_json_array_contains_" + elem + "($1, $2)"
			if elem == "double" { // which Trino looks at before the array
				text = "CASE WHEN $1 IS NOT NULL AND (isnan($2) OR isinf($2)) THEN false ELSE " + text + " END"
			}
			define("json_array_contains("+t+", "+elem+") boolean", text)
		}
		define("is_json_scalar("+t+") boolean", fallible("loch_is_json_scalar($1)", TypeBoolean))
	}
	define("json_parse(varchar) json", fallible("loch_json_parse($1)", TypeJSON))
	define("json_format(json) varchar", "$1")
}

// overPath defines a function of a JSON text and a path.
func overPath(signatureText, call string) {
	defineBy(signatureText, func(v *invocation) value {
		if path, ok := v.args[1].text(); ok {
			if _, err := sqljson.Steps(path); err != nil {
				v.fail(v.at(1), "%s", err)
			}
		}
		if v.typ.Kind == Varchar && v.args[0].typ.Kind == Varchar { // no longer than the text
			v.typ = v.args[0].typ
		}
		return v.out(fallible(call, v.typ))
	})
}
