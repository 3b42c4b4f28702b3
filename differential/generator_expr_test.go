package differential

import "strings"

// literals of each kind.
var literals = [kinds][]string{
	boolean: {"true", "false", "CAST(NULL AS boolean)"},
	integer: {"0", "1", "-3", "42", "CAST(NULL AS integer)"},
	bigint:  {"BIGINT '0'", "BIGINT '-1'", "3000000000", "CAST(NULL AS bigint)"},
	double:  {"0e0", "2.5e0", "-1e0", "1e3", "CAST(NULL AS double)"},
	decimal: {"0.00", "1.50", "-3.25", "12.34", "CAST(NULL AS decimal(4, 2))"},
	text:    {"''", "'a'", "'ConsoleLogin'", "'é日'", "' x '", "'10'", "CAST(NULL AS varchar)"},
	moment:  {"TIMESTAMP '2026-01-01 00:00:00.000'", "TIMESTAMP '2024-02-29 12:34:56.789'", "TIMESTAMP '1960-06-15 01:02:03.004'", "CAST(NULL AS timestamp(3))"},
	day:     {"DATE '2026-01-31'", "DATE '2024-02-29'", "DATE '1960-06-15'", "CAST(NULL AS date)"},
	list:    {"ARRAY['a', 'b']", "ARRAY['z', NULL, 'z']", "CAST(ARRAY[] AS array(varchar))"},
	pairs:   {"MAP(ARRAY['key', 'k2'], ARRAY['v', NULL])", "CAST(MAP() AS map(varchar, varchar))"},
	who:     {"CAST(ROW('User', 'arn') AS row(type varchar, arn varchar))"},
}

// forms are expressions of each kind. $ and a letter stands for an argument: b boolean, i integer, g bigint, d double, m decimal, s varchar, t timestamp,
// a date, x array, k map, w row; n is a small literal.
var forms = [kinds][]string{
	boolean: {
		"$i = $i", "$i < $g", "$d >= $i", "$m <> $m", "$m > $i", "$s = $s", "$s < $s", "$s >= $s", "$t < $t", "$a <= $a", "$t > $a", "$b = $b", "$m = $d",
		"($b AND $b)", "($b OR $b)", "NOT $b", "$s IS NULL", "$i IS NOT NULL", "$i BETWEEN $i AND $g", "$s NOT BETWEEN $s AND $s", "$t BETWEEN $t AND $t",
		"$i IN ($n, $n, $i)", "$s NOT IN ('a', $s)", "$s IN ('ConsoleLogin', '')", "$s LIKE '%o%'", "$s LIKE 'Console%'", "$s NOT LIKE '_'", "$s LIKE '%é%'",
		"$s IS DISTINCT FROM $s", "$i IS NOT DISTINCT FROM $i", "contains($x, $s)", "starts_with($s, 'C')", "regexp_like($s, '^[A-Z]')", "regexp_like($s, 'o.*n')",
		"any_match($x, y -> y = $s)", "all_match($x, y -> length(y) < 2)", "none_match($x, y -> y IS NULL)", "coalesce($b, $b)", "if($b, $b, $b)",
		"$x = $x", "contains(map_keys($k), $s)", "$w IS NULL", "is_nan($d)", "arrays_overlap($x, $x)", "cardinality($k) > $n", "try(1 / $i > 0)",
	},
	integer: {
		"coalesce($i, $n)", "if($b, $i, $n)", "CASE WHEN $b THEN $i WHEN $b THEN $n END", "nullif($i, $i)", "-$i", "abs($i)", "$i % 3", "$i / 2", "CAST($m AS integer)",
		"greatest($i, $n)", "least($i, $i)", "try_cast($s AS integer)", "sign($i)", "CAST($b AS integer)", "mod($i, 5)",
	},
	bigint: {
		"length($s)", "$g + $i", "$i * $g", "$g - 1", "cardinality($x)", "cardinality($k)", "strpos($s, $s)", "year($t)", "month($a)", "day($t)", "hour($t)", "minute($t)", "second($t)",
		"millisecond($t)", "day_of_week($a)", "week($t)", "day_of_year($a)", "quarter($t)", "year_of_week($a)", "date_diff('day', $t, $t)", "date_diff('hour', $t, $t)", "date_diff('month', $a, $a)", "date_diff('year', $t, $t)",
		"date_diff('week', $a, $a)", "CAST($i AS bigint)", "CAST($m AS bigint)", "coalesce($g, $i)", "bitwise_and($i, 7)", "bitwise_xor($g, $i)", "array_position($x, $s)", "if($b, $g)", "try_cast($s AS bigint)", "$g / 3", "$g % 4",
		"reduce($x, BIGINT '0', (s, y) -> s + coalesce(length(y), 10), s -> s)", "try($g / $i)", "levenshtein_distance('abc', 'axc')",
	},
	double: {
		"CAST($i AS double)", "$d + $i", "$d * 2", "$d - $d", "$d / 4", "-$d", "abs($d)", "floor($d)", "ceil($d)", "round($d)", "truncate($d)", "CAST($m AS double)", "coalesce($d, 0e0)", "$d + $m", "sqrt(abs($i))",
		"round($d, 1)", "sign($d)", "greatest($d, 1e0)", "to_unixtime($t)", "if($b, $d, $d)", "try_cast($s AS double)", "power($i, 2)",
	},
	decimal: {
		"$m + $m", "$m * $m", "$m - 1", "-$m", "abs($m)", "$m / 3", "$m % 2", "CAST($i AS decimal(12, 2))", "coalesce($m, 0.5)", "round($m)", "round($m, 1)", "floor($m)", "ceil($m)", "$m * $i", "if($b, $m, 1.5)", "$i / 4.0", "greatest($m, $m)",
		"CAST($m AS decimal(10, 1))",
	},
	text: {
		"$s || $s", "upper($s)", "lower($s)", "trim($s)", "substr($s, $n)", "substr($s, $n, 3)", "substr($s, -2)", "replace($s, 'o', '0')", "coalesce($s, 'none')", "concat($s, '-', $s)", "nullif($s, '')", "if($b, $s, $s)",
		"CASE $s WHEN 'ConsoleLogin' THEN 'login' WHEN '' THEN 'empty' ELSE $s END", "CAST($i AS varchar)", "CAST($g AS varchar)", "CAST($b AS varchar)", "CAST($a AS varchar)", "CAST($t AS varchar)", "CAST($m AS varchar)",
		"element_at($x, 1)", "element_at($x, -1)", "element_at($k, 'key')", "element_at($k, $s)", "array_join($x, ',')", "array_join($x, '-', '?')", "split_part($s, 'o', 1)", "split_part($s, ' ', 2)", "regexp_extract($s, '[a-z]+')",
		"regexp_replace($s, '[aeiou]', '*')", "$w.type", "$w.arn", "date_format($t, '%Y-%m-%d %H:%i')", "lpad($s, 5, '*')", "rpad($s, 4, '.')", "greatest($s, $s)", "to_hex(to_utf8($s))", "array_max($x)", "array_min($x)", "try($k['key'])",
		"json_extract_scalar('{\"a\":\"x\"}', '$.a')", "typeof($s)", "to_base64(sha256(to_utf8($s)))", "translate($s, 'abc', 'xyz')", "split_part($w.arn, ':', 5)", "ltrim($s)", "CAST($d AS varchar)", "to_iso8601($t)",
	},
	moment: {
		"$t + INTERVAL '1' DAY", "$t - INTERVAL '90' MINUTE", "$t + INTERVAL '1' MONTH", "date_trunc('hour', $t)", "date_trunc('day', $t)", "date_trunc('week', $t)", "date_trunc('month', $t)", "date_trunc('year', $t)", "date_add('day', $i, $t)",
		"date_add('month', $n, $t)", "date_add('second', $i, $t)", "CAST($a AS timestamp(3))", "coalesce($t, $t)", "if($b, $t, $t)", "try_cast($s AS timestamp(3))", "greatest($t, $t)", "date_parse('2026-05-06', '%Y-%m-%d')",
	},
	day: {
		"$a + INTERVAL '1' DAY", "$a - INTERVAL '1' MONTH", "date_trunc('week', $a)", "date_trunc('quarter', $a)", "date_add('day', $i, $a)", "date_add('month', $n, $a)", "CAST($t AS date)", "date($t)", "coalesce($a, $a)", "if($b, $a)",
		"last_day_of_month($a)", "try_cast($s AS date)", "least($a, $a)",
	},
	list: {
		"$x || $x", "$x || $s", "array_distinct($x)", "array_sort($x)", "filter($x, y -> y IS NOT NULL)", "filter($x, y -> y > 'a')", "transform($x, y -> upper(y))", "transform($x, y -> y || $s)", "map_keys($k)", "map_values($k)",
		"split($s, 'o')", "slice($x, 1, 2)", "reverse($x)", "array_remove($x, 'x')", "array_union($x, $x)", "array_except($x, $x)", "array_intersect($x, $x)", "ARRAY[$s, $s]", "coalesce($x, ARRAY['none'])", "if($b, $x, $x)",
		"regexp_extract_all($s, '[a-z]')", "concat($x, ARRAY['q'])",
	},
	pairs: {
		"map_filter($k, (p, q) -> q IS NOT NULL)", "transform_values($k, (p, q) -> upper(q))", "map_concat($k, MAP(ARRAY['zz'], ARRAY['y']))", "coalesce($k, MAP(ARRAY['d'], ARRAY['e']))", "if($b, $k, $k)", "MAP(ARRAY['s'], ARRAY[$s])",
		"transform_keys($k, (p, q) -> p || '!')",
	},
	who: {"if($b, $w, $w)", "coalesce($w, $w)", "CAST(ROW($s, $s) AS row(type varchar, arn varchar))"},
}

var letters = map[byte]kind{'b': boolean, 'i': integer, 'g': bigint, 'd': double, 'm': decimal, 's': text, 't': moment, 'a': day, 'x': list, 'k': pairs, 'w': who}

// expr makes an expression of a kind that nests at most depth deep.
func (g *generator) expr(k kind, depth int) string {
	if depth == 0 || g.chance(4) {
		if g.chance(4) {
			return g.pick(literals[k]...)
		}
		return g.columnOf(k)
	}
	form := g.pick(forms[k]...)
	var b strings.Builder
	for i := 0; i < len(form); i++ {
		if form[i] != '$' || i+1 == len(form) || !argument(form[i+1]) {
			b.WriteByte(form[i])
			continue
		}
		i++
		if form[i] == 'n' {
			b.WriteString(g.pick("1", "2", "3", "7"))
			continue
		}
		arg := g.expr(letters[form[i]], depth-1)
		if strings.ContainsAny(arg, " -") {
			arg = "(" + arg + ")"
		}
		b.WriteString(arg)
	}
	return b.String()
}

// argument tells whether a letter stands for one.
func argument(c byte) bool {
	_, ok := letters[c]
	return ok || c == 'n'
}
