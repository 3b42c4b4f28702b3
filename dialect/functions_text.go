package dialect

import "strings"

// whitespace is what Trino's trim functions take for blank.
const whitespace = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u2028\u2029\u205f\u3000"

// characters is $1 cut into its characters, which are code points to Trino.
const characters = "list_transform(range(1, length($1) + 1), lambda i: substring($1, i, 1))"

func init() {
	define("length(varchar) bigint", "CAST(length($1) AS BIGINT)")
	define("length(varbinary) bigint", "CAST(octet_length($1) AS BIGINT)")
	define("lower(varchar) =1", "lower($1)")
	// To DuckDB the capital of ß is ẞ, to Java's mapping of characters ß has none. No other character differs.
	define("upper(varchar) =1", "CASE WHEN contains($1, 'ß') THEN array_to_string(list_transform(string_split($1, 'ß'), lambda x: upper(x)), 'ß') ELSE upper($1) END")
	define("strpos(varchar, varchar) bigint", "CASE WHEN $2 = '' AND $1 IS NOT NULL THEN CAST(1 AS BIGINT) ELSE CAST(instr($1, $2) AS BIGINT) END")
	for _, name := range []string{"substr", "substring"} {
		define(name+"(varchar, bigint) =1", "CASE WHEN $2 = 0 OR $2 < -length($1) THEN left($1, 0) ELSE substring($1, $2) END")
		define(name+"(varchar, bigint, bigint) =1",
			"CASE WHEN $2 = 0 OR $2 < -length($1) OR $3 <= 0 THEN substring(left($1, 0), $2, $3) ELSE substring($1, CASE WHEN $2 < 0 THEN length($1) + $2 + 1 ELSE $2 END, $3) END")
	}
	define("replace(varchar, varchar) =1", "replace($1, $2, '')")
	// What takes the place of an empty text comes between all characters and around them.
	defineBy("replace(varchar, varchar, varchar) varchar", func(v *invocation) value {
		if x, z, ok := v.lengths(0, 2); ok {
			v.typ = varcharWithin(x + z*(x+1))
		}
		return v.out("CASE WHEN $2 = '' AND $1 IS NOT NULL THEN $3 || array_to_string(list_transform(" + characters + ", lambda c: c || $3), '') " +
			"ELSE replace($1, $2, $3) END")
	})
	// DuckDB's reverse keeps together what one sees as one character.
	define("reverse(varchar) =1", "CASE WHEN strlen($1) > length($1) THEN array_to_string(list_reverse("+characters+"), '') ELSE reverse($1) END")
	define("reverse(array(T)) =1", "list_reverse($1)")
	define("split(varchar, varchar) array(=1)", "CASE WHEN $2 = '' AND $1 IS NOT NULL THEN "+raise("The delimiter may not be the empty string", ArrayOf(TypeVarchar))+
		" ELSE string_split($1, $2) END")
	define("split(varchar, varchar, bigint) array(=1)", "CASE WHEN $3 <= 0 AND $1 IS NOT NULL AND $2 IS NOT NULL THEN "+raise("Limit must be positive", ArrayOf(TypeVarchar))+
		" WHEN $2 = '' AND $1 IS NOT NULL AND $3 IS NOT NULL THEN "+raise("The delimiter may not be the empty string", ArrayOf(TypeVarchar))+
		" WHEN $1 IS NULL OR $2 IS NULL OR $3 IS NULL THEN NULL WHEN len(string_split($1, $2)) <= $3 THEN string_split($1, $2)"+
		" ELSE list_concat(list_slice(string_split($1, $2), 1, $3 - 1), [array_to_string(list_slice(string_split($1, $2), $3, len(string_split($1, $2))), $2)]) END")
	define("split_part(varchar, varchar, bigint) =1", "CASE WHEN $3 <= 0 AND $1 IS NOT NULL AND $2 IS NOT NULL THEN "+
		raise("Index must be greater than zero", TypeVarchar)+" WHEN $2 = '' THEN CASE WHEN $3 <= length($1) THEN substring($1, $3, 1) END ELSE string_split($1, $2)[$3] END")
	for _, name := range []string{"trim", "ltrim", "rtrim"} {
		define(name+"(varchar) =1", name+"($1, "+quote(whitespace)+")")
		define(name+"(varchar, varchar) =1", name+"($1, $2)")
	}
	for _, name := range []string{"lpad", "rpad"} {
		define(name+"(varchar, bigint, varchar) varchar", "CASE WHEN $2 < 0 AND $1 IS NOT NULL AND $3 IS NOT NULL THEN "+
			raise("Target length must be in the range [0..2147483647]", TypeVarchar)+" WHEN $3 = '' AND $1 IS NOT NULL AND $2 IS NOT NULL THEN "+
			raise("Padding string must not be empty", TypeVarchar)+" ELSE "+name+"($1, CAST($2 AS INTEGER), $3) END")
	}
	define("starts_with(varchar, varchar) boolean", "starts_with($1, $2)")
	defineBy("chr(bigint) varchar", func(v *invocation) value {
		v.typ = VarcharOf(1)
		return v.out("chr(CAST($1 AS INTEGER))")
	})
	define("translate(varchar, varchar, varchar) varchar", "translate($1, $2, $3)")
	for _, name := range []string{"levenshtein_distance", "hamming_distance"} {
		define(name+"(varchar, varchar) bigint", fallible("loch_"+name+"($1, $2)", TypeBigint))
	}
	define("normalize(varchar, varchar) varchar", fallible("loch_normalize($1, $2)", TypeVarchar))
	define("strpos(varchar, varchar, bigint) bigint", fallible("loch_strpos($1, $2, $3)", TypeBigint))
	defineBy("soundex(varchar) varchar", func(v *invocation) value {
		v.typ = VarcharOf(4)
		return v.out(fallible("loch_soundex($1)", TypeVarchar))
	})
	define("luhn_check(varchar) boolean", fallible("loch_luhn_check($1)", TypeBoolean))
	define("split_to_map(varchar, varchar, varchar) map(varchar, varchar)", fallible("loch_split_to_map($1, $2, $3)", MapOf(TypeVarchar, TypeVarchar)))
	define("split_to_multimap(varchar, varchar, varchar) map(varchar, array(varchar))", fallible("loch_split_to_multimap($1, $2, $3)", MapOf(TypeVarchar, ArrayOf(TypeVarchar))))
	define("human_readable_seconds(double) varchar", fallible("loch_human_readable_seconds($1)", TypeVarchar))
	define("format_number(bigint) varchar", "loch_format_number($1)")
	define("format_number(double) varchar", "loch_format_number_double($1)")
	for _, name := range []string{"parse_data_size", "parse_presto_data_size"} {
		defineBy(name+"(varchar) decimal", func(v *invocation) value {
			v.typ = DecimalOf(38, 0)
			return v.out(castTo(fallible("loch_parse_data_size($1)", TypeVarchar), v.typ))
		})
	}
	defineBy("codepoint(varchar) integer", func(v *invocation) value {
		if v.args[0].typ.Length != 1 {
			v.fail(v.call.pos, "Unexpected parameters (%s) for function codepoint. Expected: codepoint(varchar(1))", v.args[0].typ)
		}
		return v.out("unicode($1)")
	})
	defineBy("concat_ws(varchar, varchar…) varchar", func(v *invocation) value {
		if len(v.args) == 1 {
			return v.out("CASE WHEN $1 IS NOT NULL THEN '' END")
		}
		var list []string
		for _, a := range v.args[1:] {
			list = append(list, castNull(a, TypeVarchar))
		}
		return value{sql: v.template("CASE WHEN $1 IS NULL THEN NULL ELSE concat_ws($1, $2) END", v.args[0],
			value{sql: strings.Join(list, ", "), typ: TypeVarchar, easy: true}), typ: v.typ}
	})
	define("concat_ws(varchar, array(varchar)) varchar", "array_to_string($2, $1)")

	define("uuid() uuid", "uuid()")
}

// lengths are those of two strings; ok is false where one of them is unbounded.
func (v *invocation) lengths(i, j int) (x, y int, ok bool) {
	a, b := v.args[i].typ.Length, v.args[j].typ.Length
	return max(a, 0), max(b, 0), a != Unbounded && b != Unbounded
}

// varcharWithin is varchar(n), or varchar where n is past its bound.
func varcharWithin(n int) Type {
	if n >= 1<<31-1 {
		return TypeVarchar
	}
	return VarcharOf(n)
}
