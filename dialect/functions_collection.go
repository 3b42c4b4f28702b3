package dialect

import "strings"

func init() {
	define("cardinality(array) bigint", "CAST(len($1) AS BIGINT)")
	define("cardinality(map) bigint", "CAST(cardinality($1) AS BIGINT)")
	defineBy("element_at(map(K, V), K) V", func(v *invocation) value {
		return value{sql: v.typed(v.args[0]) + "[" + v.typed(v.args[1]) + "]", typ: v.typ, easy: v.args[0].easy && v.args[1].easy}
	})
	defineBy("element_at(array(E), bigint) E", func(v *invocation) value {
		if n, ok := v.args[1].lit.(int64); ok && n != 0 {
			return value{sql: v.typed(v.args[0]) + "[" + v.args[1].sql + "]", typ: v.typ, easy: v.args[0].easy}
		}
		return v.out("CASE WHEN $2 = 0 THEN " + raise("SQL array indices start at 1", v.typ) + " ELSE $1[$2] END")
	})
	defineBy("contains(array(E), E) boolean", func(v *invocation) value {
		if !v.args[1].typ.plain() {
			found := v.template(v.found(), v.args...)
			return value{sql: v.template("CASE WHEN list_contains($1, true) THEN true WHEN list_count($1) < len($1) THEN NULL WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN false END",
				value{sql: found, typ: ArrayOf(TypeBoolean)}, v.args[1]), typ: v.typ}
		}
		return v.out("CASE WHEN list_contains($1, $2) THEN true WHEN list_count($1) < len($1) THEN NULL WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE false END")
	})
	defineBy("array_position(array(E), E) bigint", func(v *invocation) value {
		if !v.args[1].typ.plain() {
			return v.out("CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE CAST(coalesce(list_position(" + v.found() + ", true), 0) AS BIGINT) END")
		}
		return v.out("CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE CAST(coalesce(list_position($1, $2), 0) AS BIGINT) END")
	})
	defineBy("array_distinct(array(E)) =1", func(v *invocation) value {
		v.needDistinct(0, *v.typ.Elem)
		return v.out("list_filter($1, lambda x, i: list_position($1, x) IS NOT DISTINCT FROM i)")
	})
	defineBy("array_remove(array(E), E) =1", func(v *invocation) value {
		if elem := *v.typ.Elem; !elem.plain() {
			x, release := v.lambdaVariable()
			equal := v.equalElements(elem, value{sql: x, typ: elem, easy: true}, value{sql: "$2", typ: elem, easy: true})
			release()
			return v.out("CASE WHEN $2 IS NULL THEN NULL ELSE list_filter($1, lambda " + x + ": (" + equal + ") IS NOT TRUE) END")
		}
		return v.out("CASE WHEN $2 IS NULL THEN NULL ELSE list_filter($1, lambda x: x IS DISTINCT FROM $2) END")
	})
	defineBy("array_sort(array(E)) =1", func(v *invocation) value {
		if k := v.typ.Elem.Kind; k == Array || k == Row {
			v.args[0].sql = v.orderedElements(v.args[0])
		} else if !v.typ.Elem.floating() { // NaN is the largest to both
			v.needPlain(0, *v.typ.Elem)
		}
		return v.out("list_sort($1, 'ASC', 'NULLS LAST')")
	})
	for _, f := range []string{"max", "min"} {
		defineBy("array_"+f+"(array(E)) E", func(v *invocation) value {
			if v.typ.floating() { // NaN counts only where there is nothing else
				return v.out("CASE WHEN list_count($1) < len($1) THEN NULL ELSE coalesce(list_" + f + "(list_filter($1, lambda x: NOT isnan(x))), $1[1]) END")
			}
			if v.typ.Kind == Array || v.typ.Kind == Row {
				v.args[0].sql = v.orderedElements(v.args[0])
			} else {
				v.needPlain(0, v.typ)
			}
			return v.out("CASE WHEN list_count($1) < len($1) THEN NULL ELSE list_" + f + "($1) END")
		})
	}
	defineBy("arrays_overlap(array(E), array(E)) boolean", func(v *invocation) value {
		v.needDistinct(0, *v.args[0].typ.Elem)
		return v.out("CASE WHEN list_has_any(list_filter($1, lambda x: x IS NOT NULL), list_filter($2, lambda x: x IS NOT NULL)) THEN true " +
			"WHEN $1 IS NULL OR $2 IS NULL OR len($1) = 0 OR len($2) = 0 THEN CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN false END " +
			"WHEN list_count($1) < len($1) OR list_count($2) < len($2) THEN NULL ELSE false END")
	})
	defineBy("array_intersect(array(E), array(E)) =1", func(v *invocation) value {
		v.needDistinct(0, *v.args[0].typ.Elem)
		return v.out("CASE WHEN $2 IS NULL THEN NULL ELSE list_filter($1, lambda x, i: list_position($1, x) IS NOT DISTINCT FROM i AND list_position($2, x) IS NOT NULL) END")
	})
	defineBy("array_except(array(E), array(E)) =1", func(v *invocation) value { // where there is nothing to leave out, Trino leaves duplicates in, too
		v.needDistinct(0, *v.args[0].typ.Elem)
		return v.out("CASE WHEN $2 IS NULL THEN NULL WHEN len($2) = 0 THEN $1 ELSE list_filter($1, lambda x, i: list_position($1, x) IS NOT DISTINCT FROM i AND list_position($2, x) IS NULL) END")
	})
	defineBy("array_union(array(E), array(E)) =1", func(v *invocation) value {
		v.needDistinct(0, *v.args[0].typ.Elem)
		return v.out("CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE list_filter(list_concat($1, $2), lambda x, i: list_position(list_concat($1, $2), x) IS NOT DISTINCT FROM i) END")
	})
	defineBy("array_join(array(E), varchar) varchar", func(v *invocation) value { return v.join("") })
	defineBy("array_join(array(E), varchar, varchar) varchar", func(v *invocation) value {
		return v.join("coalesce(%, $3)")
	})
	define("flatten(array(array(E))) array(E)", "flatten($1)")
	defineBy("slice(array(E), bigint, bigint) =1", func(v *invocation) value {
		return v.out("CASE WHEN $2 = 0 AND $1 IS NOT NULL AND $3 IS NOT NULL THEN " + raise("SQL array indices start at 1", v.typ) +
			" WHEN $3 < 0 AND $1 IS NOT NULL AND $2 IS NOT NULL THEN " + raise("length must be greater than or equal to 0", v.typ) +
			" WHEN $1 IS NULL OR $2 IS NULL OR $3 IS NULL THEN NULL WHEN $2 > len($1) OR $2 < -len($1) OR $3 = 0 THEN list_slice($1, 1, 0) " +
			"ELSE list_slice($1, CASE WHEN $2 < 0 THEN len($1) + $2 + 1 ELSE $2 END, CASE WHEN $2 < 0 THEN len($1) + $2 ELSE $2 - 1 END + $3) END")
	})
	defineBy("trim_array(array(E), bigint) =1", func(v *invocation) value {
		return v.out("CASE WHEN $2 < 0 OR $2 > len($1) THEN " + raise("size must be between 0 and the array's length", v.typ) +
			" WHEN $2 IS NULL THEN NULL ELSE list_slice($1, 1, len($1) - $2) END")
	})
	defineBy("repeat(T, bigint) array(T)", func(v *invocation) value {
		return v.out("CASE WHEN $2 < 0 THEN " + raise("count argument of repeat function must be greater than or equal to 0", v.typ) + " WHEN $2 > 10000 THEN " + raise("count argument of repeat function must be less than or equal to 10000", v.typ) +
			" WHEN $2 IS NOT NULL THEN list_transform(range(greatest($2, 0)), lambda i: $1) END")
	})
	for _, form := range []string{"sequence(bigint, bigint) array(bigint)", "sequence(bigint, bigint, bigint) array(bigint)"} {
		defineBy(form, func(v *invocation) value {
			if len(v.args) == 2 {
				return v.out("CASE WHEN abs($2::HUGEINT - $1) >= 10000 THEN " + raise("result of sequence function must not have more than 10000 entries", v.typ) +
					" WHEN $1 <= $2 THEN generate_series($1, $2) ELSE generate_series($1, $2, -1) END")
			}
			return v.out("CASE WHEN $3 = 0 THEN " + raise("step must not be zero", v.typ) + " WHEN ($3 > 0 AND $1 > $2) OR ($3 < 0 AND $1 < $2) THEN " +
				raise("sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start", v.typ) +
				" WHEN abs(($2::HUGEINT - $1) // $3) >= 10000 THEN " + raise("result of sequence function must not have more than 10000 entries", v.typ) +
				" ELSE generate_series($1, $2, $3) END")
		})
	}
	define("transform(array(T), function(T, U)) array(U)", "list_transform($1, $2)")
	define("filter(array(T), function(T, boolean)) =1", "list_filter($1, $2)")
	// Three values: true beats NULL beats false for any, the other way round for all.
	for name, body := range map[string]string{
		"any_match":  "CASE WHEN $1 IS NULL THEN NULL WHEN list_contains($1, true) THEN true WHEN list_count($1) < len($1) THEN NULL ELSE false END",
		"all_match":  "CASE WHEN $1 IS NULL THEN NULL WHEN list_contains($1, false) THEN false WHEN list_count($1) < len($1) THEN NULL ELSE true END",
		"none_match": "CASE WHEN $1 IS NULL THEN NULL WHEN list_contains($1, true) THEN false WHEN list_count($1) < len($1) THEN NULL ELSE true END",
	} {
		defineBy(name+"(array(T), function(T, boolean)) boolean", func(v *invocation) value {
			list := value{sql: v.template("list_transform($1, $2)", v.args...), typ: ArrayOf(TypeBoolean)}
			return value{sql: v.template(body, list), typ: v.typ}
		})
	}
	defineBy("reduce(array(T), S, function(S, T, S), function(S, R)) R", func(v *invocation) value {
		s := v.bind['S']
		return v.reduce(s)
	})

	define("map_keys(map(K, V)) array(K)", "map_keys($1)")
	define("map_values(map(K, V)) array(V)", "map_values($1)")
	defineBy("map_entries(map(K, V)) array(row(K, V))", func(v *invocation) value {
		return v.out("list_transform(map_entries($1), lambda x: {'f0': struct_extract(x, 'key'), 'f1': struct_extract(x, 'value')})")
	})
	defineBy("map_from_entries(array(row(K, V))) map(K, V)", func(v *invocation) value {
		v.needPlainKey(0, *v.typ.Key)
		keys, values := v.entries()
		return v.out("CASE WHEN list_count($1) < len($1) THEN " + raise("map entry cannot be null", v.typ) + " WHEN list_count(" + keys + ") < len($1) THEN " +
			raise("map key cannot be null", v.typ) + " WHEN len(list_distinct(" + keys + ")) < len($1) THEN " + raise("Duplicate map keys are not allowed", v.typ) +
			" WHEN $1 IS NOT NULL THEN map(" + keys + ", " + values + ") END")
	})
	defineBy("multimap_from_entries(array(row(K, V))) map(K, array(V))", func(v *invocation) value {
		v.needPlainKey(0, *v.typ.Key)
		keys, _ := v.entries()
		row := *v.args[0].typ.Elem
		return v.out("CASE WHEN list_count($1) < len($1) THEN " + raise("map entry cannot be null", v.typ) + " WHEN list_count(" + keys + ") < len($1) THEN " +
			raise("map key cannot be null", v.typ) + " WHEN $1 IS NOT NULL THEN map(list_distinct(" + keys + "), list_transform(list_distinct(" + keys +
			"), lambda k: list_transform(list_filter($1, lambda e: struct_extract(e, " + quote(memberName(row, 0)) + ") = k), lambda e: struct_extract(e, " +
			quote(memberName(row, 1)) + ")))) END")
	})
	defineBy("array_histogram(array(T)) map(T, bigint)", func(v *invocation) value {
		v.needPlainKey(0, *v.typ.Key)
		if v.typ.Key.floating() { // DuckDB's histogram takes NaN for any number
			keys := "list_filter($1, lambda x, i: x IS NOT NULL AND list_position($1, x) = i)"
			return v.out("CASE WHEN $1 IS NOT NULL THEN " + castTo("map("+keys+", list_transform("+keys+", lambda k: len(list_filter($1, lambda x: x IS NOT DISTINCT FROM k))))", v.typ) + " END")
		}
		return v.out("CASE WHEN list_count($1) = 0 THEN " + castTo("MAP {}", v.typ) + " ELSE " + castTo("list_aggregate($1, 'histogram')", v.typ) + " END")
	})
	defineBy("map_filter(map(K, V), function(K, V, boolean)) =1", func(v *invocation) value {
		f := v.overEntry(1)
		return value{sql: v.template("map_from_entries(list_filter(map_entries($1), $2))", v.args[0], f), typ: v.typ}
	})
	defineBy("transform_values(map(K, V), function(K, V, R)) map(K, R)", func(v *invocation) value {
		f := v.overEntry(1)
		return value{sql: v.template("CASE WHEN $1 IS NULL THEN NULL ELSE map(map_keys($1), list_transform(map_entries($1), $2)) END", v.args[0], f), typ: v.typ}
	})
	defineBy("transform_keys(map(K, V), function(K, V, R)) map(R, V)", func(v *invocation) value {
		f := v.overEntry(1)
		return value{sql: v.template("CASE WHEN $1 IS NULL THEN NULL ELSE map(list_transform(map_entries($1), $2), map_values($1)) END", v.args[0], f), typ: v.typ}
	})
	defineBy("map_concat(map(K, V), map(K, V)…) =1", func(v *invocation) value {
		if len(v.args) < 2 {
			v.fail(v.call.pos, "There must be two or more concatenation arguments to map_concat")
		}
		all := v.args[0]
		for _, m := range v.args[1:] {
			// Trino puts the last map's entries first, then those of the first that it does not have.
			all = value{sql: v.template("CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE map_from_entries(list_concat(map_entries($2), "+
				"list_filter(map_entries($1), lambda x: NOT list_contains(map_keys($2), struct_extract(x, 'key'))))) END", all, m), typ: v.typ}
		}
		return all
	})
}

// needPlain refuses elements whose comparison in DuckDB is not Trino's.
func (v *invocation) needPlain(i int, t Type) {
	if !t.plain() {
		v.unsupported(v.at(i), v.call.name[0].text+" over values of type "+t.String())
	}
}

// needPlainKey refuses map keys whose equality in DuckDB is not Trino's. Keys may be doubles: a NaN is one key to both.
func (v *invocation) needPlainKey(i int, t Type) {
	if !t.floating() {
		v.needPlain(i, t)
	}
}

// needDistinct refuses elements of which DuckDB does not tell as Trino does whether one is distinct from another, NULLs and NaNs included.
func (v *invocation) needDistinct(i int, t Type) {
	if !t.every(func(k Kind) bool { return k != Map && k != Function }) {
		v.unsupported(v.at(i), v.call.name[0].text+" over values of type "+t.String())
	}
}

// entries are the keys and the values of the first argument, an array of rows.
func (v *invocation) entries() (keys, values string) {
	row := *v.args[0].typ.Elem
	return "list_transform($1, lambda e: struct_extract(e, " + quote(memberName(row, 0)) + "))", "list_transform($1, lambda e: struct_extract(e, " + quote(memberName(row, 1)) + "))"
}

// orderedElements is an array whose elements, arrays or rows, fail where a NULL lies in one.
func (v *invocation) orderedElements(list value) string {
	x, release := v.lambdaVariable()
	defer release()
	return "list_transform(" + list.sql + ", lambda " + x + ": " + v.withoutNulls(value{sql: x, typ: *list.typ.Elem, easy: true}) + ")"
}

// found is, for each element of $1, whether it is equal to $2.
func (v *invocation) found() string {
	elem := v.args[1].typ
	x, release := v.lambdaVariable()
	defer release()
	return "list_transform($1, lambda " + x + ": " + v.equalElements(elem, value{sql: x, typ: elem, easy: true}, value{sql: "$2", typ: elem, easy: true}) + ")"
}

// equalElements is whether two elements of a type that is not plain are equal. Trino fails where a NULL within them leaves that open.
func (v *invocation) equalElements(elem Type, a, b value) string {
	v.current = v.call.pos
	sql := v.compare("=", a, b)
	if elem.floating() {
		return sql
	}
	return v.template("CASE WHEN $1 IS NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN "+
		raise("looking for an element that holds NULL is "+notYet, TypeBoolean)+" ELSE $1 END", value{sql: sql, typ: TypeBoolean}, a, b)
}

// join writes array_join; the elements are cast to text as Trino does.
func (v *invocation) join(nulls string) value {
	elem := *v.args[0].typ.Elem
	v.lambdas++
	x := "l" + itoa(v.lambdas)
	text, ok := v.castToText(v.call.pos, value{sql: x, typ: elem, easy: true}, false)
	if elem.Kind == Unknown {
		text, ok = castNull(value{}, TypeVarchar), true
	}
	v.lambdas--
	if !ok {
		v.fail(v.call.pos, "Input type %s not supported", elem)
	}
	list := "$1"
	if nulls != "" {
		text = "coalesce(" + text + ", $3)"
	}
	if text != x {
		list = "list_transform($1, lambda " + x + ": " + text + ")"
	}
	// DuckDB takes a NULL between the elements for nothing, and answers NULL where there is nothing to join.
	missing := "$2 IS NULL"
	if nulls != "" {
		missing += " OR $3 IS NULL"
	}
	return v.out("CASE WHEN $1 IS NULL OR " + missing + " THEN NULL ELSE coalesce(array_to_string(" + list + ", $2), '') END")
}

// body checks a lambda's body anew, its parameters written as given.
func (v *invocation) body(i int, params ...value) value {
	l := v.call.args[i].(*lambdaExpr)
	inner := *v.env
	inner.lambda, inner.windowed = true, false
	inner.scope = &scope{parent: v.scope}
	for j, p := range params {
		inner.scope.fields = append(inner.scope.fields, v.newField(field{name: strings.ToLower(l.params[j].text), label: l.params[j].text, typ: p.typ, sql: p.sql}))
	}
	return v.coerce(inner.expr(l.body), *v.args[i].typ.Elem)
}

// lambdaVariable is a lambda's variable that no lambda around the place has. What is written while it is in scope comes before release.
func (v *invocation) lambdaVariable() (name string, release func()) {
	v.lambdas++
	return "l" + itoa(v.lambdas), func() { v.lambdas-- }
}

// overEntry writes a lambda of a key and a value as one over a map's entry.
func (v *invocation) overEntry(i int) value {
	x, release := v.lambdaVariable()
	defer release()
	m := v.args[0].typ
	body := v.body(i, value{sql: "struct_extract(" + x + ", 'key')", typ: *m.Key}, value{sql: "struct_extract(" + x + ", 'value')", typ: *m.Elem})
	return value{sql: "lambda " + x + ": " + v.typed(body), typ: v.args[i].typ, easy: true}
}

// reduce writes reduce as DuckDB's list_reduce, which wants one type for the state and the elements: rows {s, x} hold either.
func (v *invocation) reduce(s Type) value {
	state := v.fold(v.args[0], v.coerce(v.args[1], s))
	x, release := v.lambdaVariable()
	out := v.body(3, value{sql: x, typ: s})
	release()
	return value{sql: v.template("CASE WHEN $1 IS NULL THEN NULL ELSE list_transform([$2], $3)[1] END", v.args[0], value{sql: state, typ: s},
		value{sql: "lambda " + x + ": " + v.typed(out), typ: v.args[3].typ, easy: true}), typ: v.typ}
}

// fold is the state after the third argument, a lambda of a state and an element, has taken all elements of a list.
func (v *invocation) fold(list, start value) string {
	x, release := v.lambdaVariable()
	defer release()
	elem, s := *list.typ.Elem, start.typ
	none := func(t Type) string { return "CAST(NULL AS " + duckType(t) + ")" }
	step := v.body(2, value{sql: "struct_extract(" + x + "s, 's')", typ: s}, value{sql: "struct_extract(" + x + "x, 'x')", typ: elem})
	lambda := value{sql: "lambda " + x + "s, " + x + "x: {'s': " + v.typed(v.coerce(step, s)) + ", 'x': " + none(elem) + "}", typ: v.args[2].typ, easy: true}
	return v.template("struct_extract(list_reduce(list_transform($1, lambda x: {'s': "+none(s)+", 'x': x}), $2, {'s': $3, 'x': "+none(elem)+"}), 's')", list, lambda, start)
}
