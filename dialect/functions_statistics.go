package dialect

func init() {
	for trino, samples := range map[string]bool{"stddev": true, "stddev_samp": true, "stddev_pop": false, "variance": true, "var_samp": true, "var_pop": false} {
		duck, least := trino, "0"
		if samples {
			least = "1"
		}
		switch trino {
		case "stddev":
			duck = "stddev_samp"
		case "variance":
			duck = "var_samp"
		}
		aggregateBy(trino+"(double) double", "", "", "")
		// DuckDB fails over numbers that are not finite.
		lastForm(trino).compose = "CASE WHEN [bool_or(NOT isfinite($1))] AND [count($1)] > " + least + " THEN 'NaN'::DOUBLE ELSE [" + duck + "(CASE WHEN isfinite($1) THEN $1 END)] END"
	}
	for _, f := range []string{"corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept"} {
		value := "nullif(%, 'NaN'::DOUBLE)" // NULL where there is nothing to correlate
		aggregateBy(f+"(real, real) real", f, "CAST($1 AS DOUBLE), CAST($2 AS DOUBLE)", "CAST("+value+" AS FLOAT)")
		aggregateBy(f+"(double, double) double", f, "$1, $2", value)
	}
	const mean = "exp([avg(CASE WHEN $1 > 0 THEN ln($1) WHEN $1 = 0 THEN '-Infinity'::DOUBLE WHEN $1 IS NOT NULL THEN 'NaN'::DOUBLE END)])"
	aggregateBy("geometric_mean(real) real", "", "", "")
	lastForm("geometric_mean").compose = "CAST(" + mean + " AS FLOAT)"
	aggregateBy("geometric_mean(bigint) double", "", "", "")
	lastForm("geometric_mean").compose = mean
	aggregateBy("geometric_mean(double) double", "", "", "")
	lastForm("geometric_mean").compose = mean
	// An approximation that is never off is within every bound of error.
	for _, form := range []string{"approx_distinct(any) bigint", "approx_distinct(any, double) bigint"} {
		aggregateBy(form, "count", "DISTINCT $1", "")
		lastForm("approx_distinct").any, lastForm("approx_distinct").once = true, true
		lastForm("approx_distinct").check = func(v *invocation) {
			if !v.args[0].typ.floating() && !v.args[0].isNull() {
				v.needDistinct(0, v.args[0].typ)
			}
			if len(v.args) > 1 {
				if e, ok := asFloat(v.args[1].lit); !ok {
					v.unsupported(v.at(1), "an error that is no literal")
				} else if e < 0.0040625 || e > 0.26 {
					v.fail(v.at(1), "Max standard error must be in [0.0040625, 0.26]: %v", e)
				}
			}
		}
	}
	for _, t := range []string{"bigint", "real", "double"} {
		for _, form := range []string{"", "double, "} {
			for _, end := range []string{"double) =1", "double, double) =1", "array(double)) array(" + t + ")"} {
				percentile("approx_percentile(" + t + ", " + form + end)
			}
		}
	}
	for _, t := range []string{"bigint", "varchar"} {
		aggregateBy("approx_most_frequent(bigint, "+t+", bigint) map("+t+", bigint)", "histogram", "$2", "")
		lastForm("approx_most_frequent").any = true
		lastForm("approx_most_frequent").check = func(v *invocation) {
			for _, i := range []int{0, 2} {
				n, ok := v.args[i].lit.(int64)
				if !ok {
					v.unsupported(v.at(i), "a number of values that is no literal")
				}
				if n < 2-int64(i)/2 {
					v.fail(v.at(i), "approx_most_frequent bucket count must be greater than one")
				}
			}
		}
		lastForm("approx_most_frequent").finish = func(v *invocation, call value) string {
			sorted := "list_slice(list_sort(list_transform(map_entries($1), lambda e: {'n': -struct_extract(e, 'value')::BIGINT, 'k': struct_extract(e, 'key')})), 1, $2)"
			return v.template("CASE WHEN $1 IS NOT NULL THEN map(list_transform("+sorted+", lambda e: struct_extract(e, 'k')), list_transform("+sorted+
				", lambda e: -struct_extract(e, 'n'))) END", call, v.args[0])
		}
	}
}

// percentile adds a form of approx_percentile: value, perhaps a weight, one fraction or several, perhaps an accuracy.
func percentile(form string) {
	const f = "approx_percentile"
	aggregateBy(form, "", "", "")
	a := lastForm(f)
	at := 1 // the fraction's place
	if len(a.params) > 2 {
		at = 2
	}
	several := a.params[at].kind == Array
	a.any, a.single = true, true
	a.check = func(v *invocation) {
		if p, ok := asFloat(v.args[at].lit); !several && !ok {
			v.unsupported(v.at(at), "a percentile that is no literal")
		} else if !several && (p < 0 || p > 1) {
			v.fail(v.at(at), "Percentile must be between 0 and 1")
		}
	}
	if at == 1 {
		a.rewrite = func(v *invocation) (fn, wrap string) {
			// Of two values between which a percentile lies Trino takes the upper, DuckDB the lower: it is moved up by next to nothing.
			above := func(sql string) string { return "least(CAST(" + sql + " AS DOUBLE) + 1e-12, 1.0::DOUBLE)" }
			if several {
				v.args[1].sql = "list_transform(" + v.args[1].sql + ", lambda p: " + above("p") + ")"
			} else {
				v.args[1].sql = above(v.args[1].sql)
			}
			return "quantile_disc", ""
		}
		a.args = "$1, $2"
		return
	}
	a.fn, a.args = "list", "{'x': $1, 'w': $2}"
	a.finish = func(v *invocation, call value) string {
		elem := v.args[0].typ
		least := v.template("list_transform(list_filter($1, lambda e: struct_extract(e, 'x') IS NOT NULL AND struct_extract(e, 'w') IS NOT NULL), "+
			"lambda e: {'x': struct_extract(e, 'x'), 'w': CASE WHEN struct_extract(e, 'w') < 1 THEN "+raise("weight must be >= 1", TypeDouble)+" ELSE struct_extract(e, 'w') END})", call)
		sorted := value{sql: "list_sort(" + least + ")", typ: ArrayOf(elem)}
		// The weights so far, and the last value before which they do not reach the fraction.
		one := func(p string) string {
			return "struct_extract(list_reduce($1, lambda a, e: {'x': CASE WHEN struct_extract(a, 'w') <= " + p +
				" * $3 THEN struct_extract(e, 'x') ELSE struct_extract(a, 'x') END, " +
				"'w': struct_extract(a, 'w') + struct_extract(e, 'w')}, {'x': CAST(NULL AS " + duckType(elem) + "), 'w': 0.0::DOUBLE}), 'x')"
		}
		text := one("$2")
		if several {
			text = "list_transform($2, lambda p: " + one("p") + ")"
		}
		total := value{sql: "list_sum(list_transform(" + sorted.sql + ", lambda e: struct_extract(e, 'w')))", typ: TypeDouble}
		return v.template("CASE WHEN $3 > 0 THEN "+text+" END", sorted, v.args[2], total)
	}
}
