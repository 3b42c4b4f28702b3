package dialect

func init() {
	aggregateBy("count(any) bigint", "count", "", "")
	for _, t := range []string{"tinyint", "smallint", "integer", "bigint"} {
		aggregateBy("sum("+t+") bigint", "sum", "", "CAST(% AS BIGINT)")
	}
	aggregateBy("sum(real) real", "sum", "CAST($1 AS DOUBLE)", "CAST(% AS FLOAT)")
	aggregateBy("sum(double) double", "sum", "", "")
	// through text, as DuckDB's own sum has no bound at 38 digits
	aggregateBy("sum(decimal) =1", "sum", "", "CAST(CAST(% AS VARCHAR) AS $T)")
	lastForm("sum").check = func(v *invocation) { v.typ = DecimalOf(38, v.typ.Scale) }
	aggregateBy("sum(daysecond) =1", "sum", "", "CAST(% AS BIGINT)")
	aggregateBy("avg(bigint) double", "avg", "CAST($1 AS DOUBLE)", "")
	aggregateBy("avg(double) double", "avg", "", "")
	aggregateBy("avg(real) real", "avg", "CAST($1 AS DOUBLE)", "CAST(% AS FLOAT)")
	aggregateBy("avg(decimal) =1", "sum", "", "")
	lastForm("avg").second = "count"
	lastForm("avg").join = func(v *invocation, sum, count string) string {
		return v.quotient(value{sql: sum, typ: v.typ}, value{sql: count, typ: TypeBigint}, 0, v.typ)
	}
	for _, f := range []string{"min", "max"} {
		aggregateBy(f+"(T) =1", f, "", "")
		lastForm(f).check = func(v *invocation) {
			if t := v.args[0].typ; !t.orderable() || t.Kind == Row || t.Kind == Array {
				v.unsupported(v.call.pos, f+" of values of type "+t.String())
			}
		}
		// NaN counts only where there is nothing else. To DuckDB it is the largest number.
		if f == "max" {
			lastForm(f).rewrite = func(v *invocation) (fn, wrap string) {
				if !v.args[0].typ.floating() {
					return "max", ""
				}
				v.args[0].sql = "(-" + v.args[0].sql + ")"
				return "min", "(-%)"
			}
		}
		aggregateBy(f+"(T, bigint) array(T)", f, "$1, $2", "")
		lastForm(f).check = func(v *invocation) {
			v.needPlain(0, v.args[0].typ)
			v.needCount(1)
		}
		lastForm(f).single = true
		by := map[string]string{"min": "arg_min", "max": "arg_max"}[f]
		aggregateBy(f+"_by(T, U) =1", by+"_null", "$1, $2", "")
		lastForm(f + "_by").check = func(v *invocation) { v.needPlain(1, v.args[1].typ) }
		lastForm(f + "_by").single = true
		aggregateBy(f+"_by(T, U, bigint) array(T)", by+"_nulls_last", "$1, $2, $3", "")
		lastForm(f + "_by").check = func(v *invocation) {
			v.unsupported(v.call.pos, f+"_by with a number of values")
		}
	}
	for _, f := range []string{"arbitrary", "any_value"} {
		aggregateBy(f+"(T) =1", "any_value", "", "")
	}
	aggregateBy("bool_and(boolean) boolean", "bool_and", "", "")
	aggregateBy("every(boolean) boolean", "bool_and", "", "")
	aggregateBy("bool_or(boolean) boolean", "bool_or", "", "")
	aggregateBy("count_if(boolean) bigint", "count", "CASE WHEN $1 THEN 1 END", "")
	lastForm("count_if").single = true
	aggregateBy("array_agg(T) array(T)", "list", "", "")
	// An approximation that is never off is within every bound of error.
	aggregateBy("approx_distinct(any) bigint", "count", "DISTINCT $1", "")
	lastForm("approx_distinct").single = true
	lastForm("approx_distinct").check = func(v *invocation) { v.needPlain(0, v.args[0].typ) }
	aggregateBy("approx_distinct(any, double) bigint", "count", "DISTINCT $1", "")
	lastForm("approx_distinct").single = true
	lastForm("approx_distinct").check = func(v *invocation) { v.needPlain(0, v.args[0].typ) }
	for _, t := range []string{"bigint", "double"} {
		aggregateBy("approx_percentile("+t+", double) =1", "quantile_disc", "$1, $2", "")
		lastForm("approx_percentile").single = true
		lastForm("approx_percentile").check = func(v *invocation) {
			if f, ok := asFloat(v.args[1].lit); !ok || f < 0 || f > 1 {
				v.fail(v.at(1), "percentile must be a literal between 0 and 1")
			}
			v.args[1].sql = above(v.args[1].sql)
		}
		aggregateBy("approx_percentile("+t+", array(double)) array("+t+")", "quantile_disc", "$1, $2", "")
		lastForm("approx_percentile").single = true
		lastForm("approx_percentile").check = func(v *invocation) {
			v.args[1].sql = "list_transform(" + v.args[1].sql + ", lambda p: " + above("p") + ")"
		}
	}
	for trino, duck := range map[string]string{"stddev": "stddev_samp", "stddev_samp": "stddev_samp", "stddev_pop": "stddev_pop", "variance": "var_samp",
		"var_samp": "var_samp", "var_pop": "var_pop", "skewness": "", "kurtosis": ""} {
		if duck != "" {
			aggregateBy(trino+"(double) double", duck, "", "")
		}
	}
	for _, f := range []string{"corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept"} {
		value := "nullif(%, 'NaN'::DOUBLE)" // NULL where there is nothing to correlate
		aggregateBy(f+"(real, real) real", f, "CAST($1 AS DOUBLE), CAST($2 AS DOUBLE)", "CAST("+value+" AS FLOAT)")
		lastForm(f).single = true
		aggregateBy(f+"(double, double) double", f, "$1, $2", value)
		lastForm(f).single = true
	}
	aggregateBy("geometric_mean(double) double", "geometric_mean", "", "")
	aggregateBy("bitwise_and_agg(bigint) bigint", "bit_and", "", "")
	aggregateBy("bitwise_or_agg(bigint) bigint", "bit_or", "", "")
	aggregateBy("bitwise_xor_agg(bigint) bigint", "bit_xor", "", "")
	aggregateBy("histogram(T) map(T, bigint)", "histogram", "", "CAST(% AS $T)")
	lastForm("histogram").check = func(v *invocation) { v.needPlain(0, v.args[0].typ) }
	lastForm("histogram").single = true
	// Of a key that comes twice Trino keeps one value, whichever.
	aggregateBy("map_agg(K, V) map(K, V)", "list", "{'k': $1, 'v': $2}", "")
	lastForm("map_agg").single = true
	lastForm("map_agg").check = func(v *invocation) { v.needPlain(0, v.args[0].typ) }
	aggregateBy("multimap_agg(K, V) map(K, array(V))", "list", "{'k': $1, 'v': $2}", "")
	lastForm("multimap_agg").single = true
	lastForm("multimap_agg").check = func(v *invocation) { v.needPlain(0, v.args[0].typ) }
	const pairs = "list_filter(%, lambda p: struct_extract(p, 'k') IS NOT NULL)"
	const keys = "list_transform(list_filter(" + pairs + ", lambda p, i: list_position(list_transform(" + pairs +
		", lambda q: struct_extract(q, 'k')), struct_extract(p, 'k')) = i), lambda p: struct_extract(p, 'k'))"
	lastForm("map_agg").wrap = "CASE WHEN len(" + pairs + ") > 0 THEN map(" + keys + ", list_transform(list_filter(" + pairs +
		", lambda p, i: list_position(list_transform(" + pairs + ", lambda q: struct_extract(q, 'k')), struct_extract(p, 'k')) = i), lambda p: struct_extract(p, 'v'))) END"
	lastForm("multimap_agg").wrap = "CASE WHEN len(" + pairs + ") > 0 THEN map(" + keys + ", list_transform(" + keys + ", lambda k: list_transform(list_filter(" + pairs +
		", lambda p: struct_extract(p, 'k') = k), lambda p: struct_extract(p, 'v')))) END"
	aggregateBy("listagg(varchar) varchar", "string_agg", "$1, ''", "")
	aggregateBy("listagg(varchar, varchar) varchar", "string_agg", "$1, $2", "")
	for i := range aggregateFunctions["listagg"].sigs {
		aggregateFunctions["listagg"].sigs[i].check = func(v *invocation) {
			if v.call.overflow == "TRUNCATE" {
				v.unsupported(v.call.pos, "LISTAGG with ON OVERFLOW TRUNCATE")
			}
		}
	}
}

func lastForm(name string) *aggregateForm {
	a := aggregateFunctions[name]
	return &a.sigs[len(a.sigs)-1]
}

// above moves a percentile up by next to nothing: of two values between which it lies Trino takes the upper, DuckDB the lower.
func above(sql string) string { return "least(CAST(" + sql + " AS DOUBLE) + 1e-12, 1.0::DOUBLE)" }

// needCount refuses a number of values that is no positive literal.
func (v *invocation) needCount(i int) {
	if n, ok := v.args[i].lit.(int64); !ok || n < 1 || n > 10000 {
		v.fail(v.at(i), "the number of values must be a literal from 1 to 10000")
	}
}

func asFloat(lit any) (float64, bool) {
	switch n := lit.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case decimalLit:
		f, err := parseFloat(string(n))
		return f, err == nil
	}
	return 0, false
}
