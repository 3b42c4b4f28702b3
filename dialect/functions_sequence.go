package dialect

import "strings"

func init() {
	defineBy("ngrams(array(T), integer) array(array(T))", func(v *invocation) value {
		return v.out("CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL WHEN $2 <= 0 THEN " + raise("N must be positive", v.typ) + " WHEN $2 >= len($1) THEN [$1] ELSE " +
			"list_transform(range(1, len($1) - $2 + 2), lambda i: list_slice($1, i, i + $2 - 1)) END")
	})
	define("current_groups() array(varchar)", castTo("[]", ArrayOf(TypeVarchar))) // a caller has none
	defineBy("combinations(array(T), integer) array(array(T))", combine)
	defineBy("shuffle(array(T)) =1", func(v *invocation) value {
		return v.out("list_transform(list_sort(list_transform($1, lambda x, i: {'r': random(), 'i': i})), lambda p: $1[struct_extract(p, 'i')])")
	})
	defineBy("contains_sequence(array(T), array(T)) boolean", func(v *invocation) value {
		v.needPlain(0, *v.args[0].typ.Elem)
		return v.out("CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE len(list_filter(range(1, len($1) - len($2) + 2), lambda i: list_slice($1, i, i + len($2) - 1) = $2)) > 0 END")
	})
	defineBy("sequence(date, date) array(date)", func(v *invocation) value { return v.sequence("CASE WHEN $1 <= $2 THEN 1 ELSE -1 END", "days") })
	for _, t := range []string{"date", "timestamp"} {
		defineBy("sequence("+t+", "+t+", daysecond) =1", func(v *invocation) value {
			if t == "timestamp" {
				return v.sequence("$3", "millis")
			}
			return v.sequence("CASE WHEN $3 % 86400000 <> 0 THEN "+raise("sequence step must be a day interval if start and end values are dates", TypeBigint)+" ELSE $3 // 86400000 END", "days")
		})
		defineBy("sequence("+t+", "+t+", yearmonth) =1", func(v *invocation) value { return v.sequence("CAST($3 AS BIGINT)", "months") })
	}
}

// sequence writes sequence over dates and timestamps. The step is a number of days, milliseconds or months.
func (v *invocation) sequence(step, unit string) value {
	t, ok := common(v.args[0].typ, v.args[1].typ)
	if !ok {
		v.fail(v.call.pos, "Unexpected parameters (%s, %s) for function sequence", v.args[0].typ, v.args[1].typ)
	}
	args := append([]value{v.coerce(v.args[0], t), v.coerce(v.args[1], t)}, v.args[2:]...)
	v.typ = ArrayOf(t)
	by := value{sql: v.template(step, args...), typ: TypeBigint}
	span, at := "", ""
	switch unit {
	case "days":
		span, at = "CAST($2 - $1 AS BIGINT)", "CAST($1 + CAST(i * $3 AS INTEGER) AS DATE)"
	case "millis":
		span, at = "((epoch_us($2) - epoch_us($1)) // 1000)", moved("$1", " + i * $3 * 1000")
	case "months":
		span, at = "date_sub('month', CAST($1 AS TIMESTAMP), CAST($2 AS TIMESTAMP))", castTo("$1 + to_months(CAST(i * $3 AS INTEGER))", t)
	}
	before := "$1 > $2"
	return value{sql: v.template("CASE WHEN $1 IS NULL OR $2 IS NULL OR $3 IS NULL THEN NULL WHEN $3 = 0 THEN "+raise("step must not be zero", v.typ)+
		" WHEN ($3 > 0 AND "+before+") OR ($3 < 0 AND $1 < $2) THEN "+
		raise("sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start", v.typ)+
		" WHEN "+span+" // $3 >= 10000 THEN "+raise("result of sequence function must not have more than 10000 entries", v.typ)+
		" ELSE list_transform(range("+span+" // $3 + 1), lambda i: "+at+") END", args[0], args[1], by), typ: v.typ}
}

// combine writes combinations: those of each size by their last element, then the one before it, and so on, as Trino orders them.
func combine(v *invocation) value {
	of := func(n int) string {
		if n == 0 {
			return "[list_slice($1, 1, 0)]"
		}
		names, picks := []string{"i", "j", "k", "l", "m"}, make([]string, n)
		for d := range n {
			picks[n-1-d] = "$1[" + names[d] + "]"
		}
		text := "[" + strings.Join(picks, ", ") + "]"
		for d := n - 1; d >= 0; d-- {
			end := "len($1) + 1"
			if d > 0 {
				end = names[d-1]
			}
			text = "list_transform(range(1, " + end + "), lambda " + names[d] + ": " + text + ")"
			if d < n-1 {
				text = "flatten(" + text + ")"
			}
		}
		return text
	}
	check := func(n int) string {
		// n elements of more than this many have combinations of over 100,000 elements together
		most := []int{0, 100_000, 316, 59, 29, 20}[n]
		if n == 0 {
			return of(n)
		}
		return "CASE WHEN len($1) > " + itoa(most) + " THEN " + raise("combinations exceed max size", v.typ) + " ELSE " + of(n) + " END"
	}
	if n, ok := v.args[1].lit.(int64); ok && n >= 0 && n <= 5 {
		return v.out("CASE WHEN $1 IS NULL THEN NULL ELSE " + check(int(n)) + " END")
	}
	text := "CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL WHEN $2 < 0 THEN " + raise("combination size must not be negative", v.typ) + " WHEN $2 > 5 THEN " +
		raise("combination size must not exceed 5", v.typ)
	for n := range 6 {
		text += " WHEN $2 = " + itoa(n) + " THEN " + check(n)
	}
	return v.out(text + " END")
}
