package dialect

import "strings"

func init() {
	for n := 2; n <= 5; n++ {
		var params, members []string
		for i := 1; i <= n; i++ {
			params = append(params, string(rune('A'+i-1)))
			members = append(members, "'f"+itoa(i-1)+"': struct_extract(x, "+itoa(i)+")")
		}
		text := "list_transform(list_zip($*), lambda x: {" + strings.Join(members, ", ") + "})"
		missing := "$1 IS NULL"
		for i := 2; i <= n; i++ {
			missing += " OR $" + itoa(i) + " IS NULL"
		}
		defineBy("zip(array("+strings.Join(params, "), array(")+")) array(row("+strings.Join(params, ", ")+"))", func(v *invocation) value {
			all := "$1"
			for i := 2; i <= n; i++ {
				all += ", $" + itoa(i)
			}
			return v.out("CASE WHEN " + missing + " THEN NULL ELSE " + strings.Replace(text, "$*", all, 1) + " END")
		})
	}
	defineBy("zip_with(array(T), array(U), function(T, U, R)) array(R)", func(v *invocation) value {
		x, release := v.lambdaVariable()
		body := v.body(2, value{sql: "struct_extract(" + x + ", 1)", typ: *v.args[0].typ.Elem}, value{sql: "struct_extract(" + x + ", 2)", typ: *v.args[1].typ.Elem})
		f := value{sql: "lambda " + x + ": " + v.typed(body), typ: v.args[2].typ, easy: true}
		release()
		return value{sql: v.template("CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE list_transform(list_zip($1, $2), $3) END", v.args[0], v.args[1], f), typ: v.typ}
	})
	defineBy("map_zip_with(map(K, A), map(K, B), function(K, A, B, R)) map(K, R)", func(v *invocation) value {
		x, release := v.lambdaVariable()
		m, n := v.args[0].typ, v.args[1].typ
		body := v.body(2, value{sql: "struct_extract(" + x + ", 'k')", typ: *m.Key}, value{sql: "struct_extract(" + x + ", 'a')", typ: *m.Elem},
			value{sql: "struct_extract(" + x + ", 'b')", typ: *n.Elem})
		f := value{sql: "lambda " + x + ": " + v.typed(body), typ: v.args[2].typ, easy: true}
		release()
		keys := value{sql: v.template("CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE list_transform(list_concat(map_keys($1), "+
			"list_filter(map_keys($2), lambda k: NOT map_contains($1, k))), lambda k: {'k': k, 'a': $1[k], 'b': $2[k]}) END", v.args[0], v.args[1]), typ: ArrayOf(*m.Key)}
		return value{sql: v.template("CASE WHEN $1 IS NULL THEN NULL ELSE map(list_transform($1, lambda e: struct_extract(e, 'k')), list_transform($1, $2)) END", keys, f), typ: v.typ}
	})
	defineBy("array_sort(array(T), function(T, T, integer)) =1", sortBy)
}

// sortBy writes array_sort with a comparator: an element's place is the number of elements that come before it, which is where a stable sort by a
// comparator that is an order puts it. One that is no order leaves the answer to the course of the sort: it is found out and refused.
func sortBy(v *invocation) value {
	i, release := v.lambdaVariable()
	j, release2 := v.lambdaVariable()
	elem := *v.args[0].typ.Elem
	compare := func(a, b string) value {
		body := v.body(1, value{sql: a, typ: elem}, value{sql: b, typ: elem})
		return value{sql: v.template("CASE WHEN $1 IN (-1, 0, 1) THEN $1 ELSE "+raise("Lambda comparator must return either -1, 0, or 1", TypeInteger)+" END",
			value{sql: v.typed(body), typ: TypeInteger}), typ: TypeInteger}
	}
	// Two elements that one cannot tell apart may each come before the other: they keep their order.
	before := v.template("CASE WHEN $1 + $2 = 0 THEN $1 < 0 OR ($1 = 0 AND "+j+"n < "+i+"n) WHEN "+i+" IS NOT DISTINCT FROM "+j+" THEN "+j+"n < "+i+"n ELSE "+
		raise("a comparator that is no order is "+notYet, TypeBoolean)+" END", compare(j, i), compare(i, j))
	places := value{sql: v.template("list_transform($1, lambda "+i+", "+i+"n: len(list_filter($1, lambda "+j+", "+j+"n: CASE WHEN "+i+"n = "+j+"n THEN false ELSE $2 END)) + 1)",
		v.args[0], value{sql: before, typ: TypeBoolean}), typ: ArrayOf(TypeBigint)}
	release2()
	release()
	sql := v.template("CASE WHEN $1 IS NULL THEN NULL WHEN len(list_distinct($2)) < len($2) THEN "+raise("a comparator that is no order is "+notYet, v.typ)+
		" ELSE list_transform(list_sort(list_transform($2, lambda p, i: {'p': p, 'i': i})), lambda e: $1[struct_extract(e, 'i')]) END", v.args[0], places)
	return value{sql: sql, typ: v.typ}
}
