package dialect

// Aggregates that gather a group's rows in a list and make their answer of it.

func init() {
	aggregateBy("histogram(T) map(T, bigint)", "", "$1", "")
	h := lastForm("histogram")
	h.any = true
	h.rewrite = func(v *invocation) (fn, wrap string) {
		if v.args[0].typ.plain() {
			return "histogram", ""
		}
		v.needDistinct(0, v.args[0].typ)
		return "list", ""
	}
	h.finish = func(v *invocation, call value) string {
		if v.args[0].typ.plain() {
			return castTo(call.sql, v.typ)
		}
		pairs := value{sql: v.template("list_transform(list_filter($1, lambda k: k IS NOT NULL), lambda k: {'k': k})", call), typ: call.typ}
		return v.byKey(pairs, "coalesce($3[n + 1], len($2) + 1) - i")
	}

	// Of a key that comes twice Trino keeps one value, whichever.
	aggregateBy("map_agg(K, V) map(K, V)", "list", "{'k': $1, 'v': $2}", "")
	aggregateBy("multimap_agg(K, V) map(K, array(V))", "list", "{'k': $1, 'v': $2}", "")
	for f, each := range map[string]string{"map_agg": firstValue,
		"multimap_agg": "list_transform(list_slice($2, i, coalesce($3[n + 1], len($2) + 1) - 1), lambda s: struct_extract($1[struct_extract(s, 'i')], 'v'))"} {
		a := lastForm(f)
		a.packed = true
		a.check = func(v *invocation) { v.needDistinct(0, v.args[0].typ) }
		a.finish = func(v *invocation, call value) string {
			return v.byKey(value{sql: v.template("list_filter($1, lambda p: struct_extract(p, 'k') IS NOT NULL)", call), typ: call.typ}, each)
		}
	}
	aggregateBy("map_union(map(K, V)) =1", "list", "$1", "")
	lastForm("map_union").single = true
	lastForm("map_union").check = func(v *invocation) { v.needDistinct(0, *v.typ.Key) }
	lastForm("map_union").finish = func(v *invocation, call value) string {
		pairs := value{sql: v.template("flatten(list_transform(list_filter($1, lambda m: m IS NOT NULL), lambda m: "+
			"list_transform(map_entries(m), lambda p: {'k': struct_extract(p, 'key'), 'v': struct_extract(p, 'value')})))", call), typ: call.typ}
		return v.template("CASE WHEN list_count($1) > 0 THEN coalesce($2, "+castTo("MAP {}", v.typ)+") END", call, value{sql: v.byKey(pairs, firstValue), typ: v.typ, easy: true})
	}

	aggregateBy("reduce_agg(T, S, function(S, T, S), function(S, S, S)) S", "list", "$1", "")
	lastForm("reduce_agg").finish = func(v *invocation, call value) string {
		s := v.bind['S']
		if s.Kind == Unknown {
			v.unsupported(v.at(1), "reduce_agg from NULL")
		}
		// One state after the other takes all values, so nothing is left to be combined.
		list := value{sql: v.template("list_filter($1, lambda x: x IS NOT NULL)", call), typ: ArrayOf(v.args[0].typ)}
		outside := *v.env
		outside.scope = &scope{}
		inner := *v
		inner.env = &outside
		return v.template("CASE WHEN len($1) > 0 THEN $2 END", list, value{sql: inner.fold(list, v.coerce(v.args[1], s)), typ: s, easy: true})
	}
}

// firstValue is the value of the first pair with a key.
const firstValue = "struct_extract($1[struct_extract($2[i], 'i')], 'v')"

// byKey is a map of the pairs {k, v} of a list, which is $1. $2 are the pairs' keys and places, sorted; a key's first one is the i-th of them, the n-th of $3
// are these; each is the key's value. The map is NULL where there are no pairs.
func (v *invocation) byKey(pairs value, each string) string {
	sorted := value{sql: v.template("list_sort(list_transform($1, lambda p, i: {'k': struct_extract(p, 'k'), 'i': i}))", pairs), typ: pairs.typ}
	firsts := value{sql: v.template("list_filter(range(1, len($1) + 1), lambda i: i = 1 OR struct_extract($1[i], 'k') IS DISTINCT FROM struct_extract($1[i - 1], 'k'))", sorted), typ: ArrayOf(TypeBigint)}
	return v.template("CASE WHEN len($1) > 0 THEN map(list_transform($3, lambda i: struct_extract($2[i], 'k')), list_transform($3, lambda i, n: "+each+")) END", pairs, sorted, firsts)
}

func init() {
	for _, f := range []string{"skewness", "kurtosis"} {
		aggregateBy(f+"(double) double", "list", "$1", "loch_"+f+"(%)")
	}
	for _, t := range []string{"double", "real"} {
		for _, weight := range []string{"", ", double"} {
			aggregateBy("numeric_histogram(bigint, "+t+weight+") map("+t+", "+t+")", "list", "{'x': $2, 'w': 1}", "")
			h := lastForm("numeric_histogram")
			if weight != "" {
				h.args = "{'x': $2, 'w': $3}"
			}
			h.check = func(v *invocation) {
				if n, ok := v.args[0].lit.(int64); !ok {
					v.unsupported(v.at(0), "a number of buckets that is no literal")
				} else if n < 2 {
					v.fail(v.at(0), "numeric_histogram bucket count must be greater than one")
				}
			}
			h.finish = func(v *invocation, call value) string {
				list := value{sql: v.template("list_filter($1, lambda e: struct_extract(e, 'x') IS NOT NULL AND struct_extract(e, 'w') IS NOT NULL)", call), typ: call.typ}
				each := func(m string) string {
					return "list_transform($1, lambda e: CAST(struct_extract(e, '" + m + "') AS DOUBLE))"
				}
				return castTo(v.template(fallible("loch_numeric_histogram($2, "+each("x")+", "+each("w")+")", MapOf(TypeDouble, TypeDouble)), list, v.args[0]), v.typ)
			}
		}
	}
	aggregateBy("checksum(T) varbinary", "list", "$1", "")
	c := lastForm("checksum")
	c.any = true
	c.check = func(v *invocation) {
		switch t := v.args[0].typ; {
		case t.integral(), t.Kind == Date, t.Kind == Timestamp, t.Kind == Boolean, t.Kind == Varchar, t.Kind == Varbinary, t.Kind == Double:
		default:
			v.unsupported(v.call.pos, "checksum of values of type "+t.String())
		}
	}
	c.rewrite = func(v *invocation) (fn, wrap string) {
		switch a := &v.args[0]; a.typ.Kind {
		case Varchar:
			return "list", "loch_checksum_text(%)"
		case Varbinary:
			return "list", "loch_checksum_bytes(%)"
		case Double:
			return "list", "loch_checksum_double(%)"
		case Date:
			a.sql = "CAST(" + a.sql + " - DATE '1970-01-01' AS BIGINT)"
		case Timestamp:
			a.sql = "epoch_us(" + a.sql + ")"
		default:
			a.sql = castTo(a.sql, TypeBigint)
		}
		return "list", "loch_checksum_number(%)"
	}
}
