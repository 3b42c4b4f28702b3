package dialect

func init() {
	aggregateBy("count(any) bigint", "count", "", "")
	lastForm("count").any = true
	for _, t := range []string{"tinyint", "smallint", "integer", "bigint"} {
		aggregateBy("sum("+t+") bigint", "sum", "", "CAST(% AS BIGINT)")
		lastForm("sum").check = needType
	}
	aggregateBy("sum(real) real", "sum", "CAST($1 AS DOUBLE)", "CAST(% AS FLOAT)")
	aggregateBy("sum(double) double", "sum", "", "")
	// through text, as DuckDB's own sum has no bound at 38 digits
	aggregateBy("sum(decimal) =1", "sum", "", "CAST(CAST(% AS VARCHAR) AS $T)")
	lastForm("sum").check = func(v *invocation) { v.typ = DecimalOf(38, v.typ.Scale) }
	aggregateBy("sum(daysecond) =1", "sum", "", "CAST(% AS BIGINT)")
	aggregateBy("sum(yearmonth) =1", "sum", "", "CAST(% AS INTEGER)")
	aggregateBy("avg(bigint) double", "avg", "CAST($1 AS DOUBLE)", "")
	lastForm("avg").check = needType
	aggregateBy("avg(double) double", "avg", "", "")
	aggregateBy("avg(real) real", "avg", "CAST($1 AS DOUBLE)", "CAST(% AS FLOAT)")
	aggregateBy("avg(decimal) =1", "sum", "", "")
	lastForm("avg").second = "count"
	lastForm("avg").join = func(v *invocation, sum, count string) string {
		return v.quotient(value{sql: sum, typ: v.typ}, value{sql: count, typ: TypeBigint}, 0, v.typ)
	}
	for _, t := range []string{"daysecond", "yearmonth"} { // a half is rounded up, as Java does
		aggregateBy("avg("+t+") =1", "avg", "CAST($1 AS DOUBLE)", "CAST(floor(% + 0.5) AS $T)")
	}
	extremes("min")
	extremes("max")
	for _, f := range []string{"arbitrary", "any_value"} {
		aggregateBy(f+"(T) =1", "any_value", "", "")
		lastForm(f).once = true
	}
	aggregateBy("bool_and(boolean) boolean", "bool_and", "", "")
	aggregateBy("every(boolean) boolean", "bool_and", "", "")
	aggregateBy("bool_or(boolean) boolean", "bool_or", "", "")
	aggregateBy("count_if(boolean) bigint", "count", "CASE WHEN $1 THEN 1 END", "")
	lastForm("count_if").any = true
	aggregateBy("array_agg(T) array(T)", "list", "", "")
	aggregateBy("bitwise_and_agg(bigint) bigint", "bit_and", "", "")
	aggregateBy("bitwise_or_agg(bigint) bigint", "bit_or", "", "")
	aggregateBy("bitwise_xor_agg(bigint) bigint", "bit_xor", "", "")
}

func lastForm(name string) *aggregateForm {
	a := aggregateFunctions[name]
	return &a.sigs[len(a.sigs)-1]
}

// needType refuses a NULL without a type, for which Trino finds several functions.
func needType(v *invocation) {
	if _, null := v.call.args[0].(*nullLit); null {
		v.fail(v.call.pos, "Could not choose a best candidate operator. Explicit type casts must be added.")
	}
}

// extremes adds min or max, and min_by or max_by.
func extremes(f string) {
	aggregateBy(f+"(T) =1", f, "", "")
	lastForm(f).check = func(v *invocation) {
		switch t := v.args[0].typ; {
		case !t.orderable():
			v.fail(v.call.pos, "Unexpected parameters (%s) for function %s. Expected: %s(T) T:orderable", t, f, f)
		case t.Kind == Array || t.Kind == Row:
			v.args[0].sql = v.withoutNulls(v.args[0])
		}
	}
	lastForm(f).any, lastForm(f).once = true, true
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
		v.needSortable(0)
		v.needCount(1, "second argument of "+f+"_n must be positive", "second argument of "+f+"_n must be less than or equal to 10000; found ")
	}
	lastForm(f).any, lastForm(f).single = true, true
	by := map[string]string{"min": "arg_min", "max": "arg_max"}[f]
	aggregateBy(f+"_by(T, U) =1", "", "$1, $2", "")
	lastForm(f + "_by").rewrite = func(v *invocation) (fn, wrap string) {
		if v.args[1].typ.floating() { // the largest is the one whose opposite is least: a NaN comes last either way
			if f == "max" {
				v.args[1].sql = "(-" + v.args[1].sql + ")"
			}
			return "arg_min_null", ""
		}
		return by + "_null", ""
	}
	lastForm(f + "_by").check = func(v *invocation) {
		if !v.args[1].typ.floating() {
			v.needPlain(1, v.args[1].typ)
		}
	}
	lastForm(f+"_by").any, lastForm(f+"_by").once = true, true
	aggregateBy(f+"_by(T, U, bigint) array(T)", by, "{'x': $1}, $2, $3", "")
	lastForm(f + "_by").check = func(v *invocation) {
		v.needSortable(1)
		v.needCount(2, "third argument of "+f+"_by must be a positive integer", "third argument of "+f+"_by must be less than or equal to 10000; found ")
	}
	lastForm(f + "_by").finish = func(v *invocation, call value) string {
		return v.template("list_transform($1, lambda e: struct_extract(e, 'x'))", call)
	}
	lastForm(f+"_by").any, lastForm(f+"_by").single = true, true
}

// needSortable refuses what the n largest and smallest are not asked of.
func (v *invocation) needSortable(i int) {
	if t := v.args[i].typ; t.floating() {
		v.args[i].sql = v.template("CASE WHEN isnan($1) THEN "+raise("the largest of values with NaN among them is "+notYet, t)+" ELSE $1 END", v.args[i])
	} else {
		v.needPlain(i, t)
	}
}

// withoutNulls is an array or a row that fails where a NULL lies in it: to Trino such values have no order.
func (v *invocation) withoutNulls(a value) string {
	holds := ""
	switch t := a.typ; t.Kind {
	case Array:
		if !t.Elem.plain() {
			v.unsupported(v.call.pos, v.call.name[0].text+" of values of type "+t.String())
		}
		holds = "list_count($1) < len($1)"
	case Row:
		var terms []string
		for i, f := range t.Fields {
			if !f.Type.plain() {
				v.unsupported(v.call.pos, v.call.name[0].text+" of values of type "+t.String())
			}
			terms = append(terms, "struct_extract($1, "+quote(memberName(t, i))+") IS NULL")
		}
		holds = "$1 IS NOT NULL AND " + balanced(terms, " OR ")
	}
	return v.template("CASE WHEN "+holds+" THEN "+raise("ordering values that hold NULL is "+notYet, a.typ)+" ELSE $1 END", a)
}

// needCount refuses a number of values that is no literal from 1 to 10,000.
func (v *invocation) needCount(i int, little, much string) {
	n, ok := v.args[i].lit.(int64)
	switch {
	case !ok:
		v.unsupported(v.at(i), "a number of values that is no literal")
	case n < 1:
		v.fail(v.at(i), "%s", little)
	case n > 10000:
		v.fail(v.at(i), "%s%d", much, n)
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
