package dialect

func init() {
	for _, t := range []string{"tinyint", "smallint", "integer", "bigint", "real", "double"} {
		define("abs("+t+") =1", "abs($1)")
		define("mod("+t+", "+t+") =1", "")
		if patternNames[t].integer() {
			for _, f := range []string{"ceil", "ceiling", "floor", "round", "truncate"} {
				define(f+"("+t+") =1", "$1")
			}
			define("sign("+t+") =1", "CAST(sign($1) AS "+duckType(Type{Kind: patternNames[t]})+")")
			continue
		}
		d := duckType(Type{Kind: patternNames[t]})
		define("ceil("+t+") =1", "CAST(ceil($1) AS "+d+")")
		define("ceiling("+t+") =1", "CAST(ceil($1) AS "+d+")")
		define("floor("+t+") =1", "CAST(floor($1) AS "+d+")")
		define("round("+t+") =1", "CASE WHEN $1 = 0 THEN CAST(0 AS "+d+") ELSE CAST(round($1) AS "+d+") END") // without the sign of -0
		define("truncate("+t+") =1", "CAST(trunc($1) AS "+d+")")
		define("sign("+t+") =1", "CASE WHEN isnan($1) OR $1 = 0 THEN $1 ELSE CAST(sign($1) AS "+d+") END")
	}
	// mod is the operator, with its errors.
	for i := range scalarFunctions["mod"] {
		s := &scalarFunctions["mod"][i]
		s.write = func(v *invocation) value { return v.operator("%") }
	}
	defineBy("mod(decimal, decimal) decimal", func(v *invocation) value { return v.operator("%") })
	defineBy("abs(decimal) =1", func(v *invocation) value { return v.out(castTo("abs($1)", v.typ)) }) // as with the minus sign
	defineBy("sign(decimal) =1", func(v *invocation) value {
		v.typ = DecimalOf(1, 0)
		return v.out("CAST(sign($1) AS DECIMAL(1,0))")
	})
	for _, f := range []string{"round", "floor", "ceil", "ceiling", "truncate"} {
		defineBy(f+"(decimal) =1", func(v *invocation) value {
			t := v.args[0].typ
			v.typ = DecimalOf(min(38, t.Precision-t.Scale+min(t.Scale, 1)), 0)
			switch f {
			case "round":
				return v.out(castTo("$1", v.typ))
			case "truncate":
				v.typ = DecimalOf(max(1, t.Precision-t.Scale), 0)
				return v.out(castTo("trunc($1)", v.typ))
			case "floor":
				return v.out(castTo("floor($1)", v.typ))
			}
			return v.out(castTo("ceil($1)", v.typ))
		})
	}
	for _, t := range []string{"tinyint", "smallint", "integer", "bigint"} {
		d := duckType(Type{Kind: patternNames[t]})
		// a HUGEINT, as DuckDB's rounding wraps around at the type's bounds
		define("round("+t+", integer) =1", "CASE WHEN $2 >= 0 THEN $1 ELSE CAST(round(CAST($1 AS HUGEINT), $2) AS "+d+") END")
	}
	define("round(real, integer) =1", "CASE WHEN $1 = 0 AND $2 IS NOT NULL THEN CAST(0 AS FLOAT) ELSE CAST(round(CAST($1 AS DOUBLE), $2) AS FLOAT) END")
	define("round(double, integer) =1", "CASE WHEN $1 = 0 AND $2 IS NOT NULL THEN CAST(0 AS DOUBLE) ELSE round($1, $2) END")
	for _, f := range []string{"round", "truncate"} {
		defineBy(f+"(decimal, integer) =1", func(v *invocation) value {
			n, ok := v.args[1].lit.(int64)
			if !ok {
				v.unsupported(v.at(1), f+" to a number of digits that is no literal")
			}
			v.typ = v.args[0].typ
			if f == "round" {
				v.typ.Precision = min(38, v.typ.Precision+1)
			}
			if int(n) >= v.typ.Scale {
				return v.out(castTo("$1", v.typ))
			}
			return v.out(castTo(map[string]string{"round": "round", "truncate": "trunc"}[f]+"($1, "+itoa(int(n))+")", v.typ))
		})
	}
	for _, f := range []string{"exp", "atan", "sinh", "cosh", "tanh", "degrees", "radians"} {
		define(f+"(double) double", f+"($1)")
	}
	// Where DuckDB fails Java answers NaN or an infinity.
	for _, f := range []string{"sin", "cos", "tan"} {
		define(f+"(double) double", "CASE WHEN isfinite($1) OR $1 IS NULL THEN "+f+"($1) ELSE 'NaN'::DOUBLE END")
	}
	for _, f := range []string{"asin", "acos"} {
		define(f+"(double) double", "CASE WHEN abs($1) > 1 THEN 'NaN'::DOUBLE ELSE "+f+"($1) END")
	}
	define("sqrt(double) double", "CASE WHEN $1 < 0 THEN 'NaN'::DOUBLE ELSE sqrt($1) END")
	for _, f := range []string{"ln", "log2", "log10"} {
		define(f+"(double) double", logarithm(f, "$1"))
	}
	// one step of Newton's takes what pow leaves over
	define("cbrt(double) double", "CASE WHEN $1 = 0 OR NOT isfinite($1) THEN $1 ELSE cbrt($1) - (cbrt($1) * cbrt($1) * cbrt($1) - $1) / (3 * cbrt($1) * cbrt($1)) END")
	define("atan2(double, double) double", "atan2($1, $2)")
	define("pow(double, double) double", "pow($1, $2)")
	define("power(double, double) double", "pow($1, $2)")
	define("log(double, double) double", "(("+logarithm("ln", "$2")+") / ("+logarithm("ln", "$1")+"))")
	define("pi() double", "pi()")
	define("e() double", "exp(1.0::DOUBLE)")
	define("nan() double", "'NaN'::DOUBLE")
	define("infinity() double", "'Infinity'::DOUBLE")
	define("is_nan(double) boolean", "isnan($1)")
	define("is_finite(double) boolean", "isfinite($1)")
	define("is_infinite(double) boolean", "isinf($1)")
	define("random() double", "random()")
	define("rand() double", "random()")
	define("bitwise_and(bigint, bigint) bigint", "($1 & $2)")
	define("bitwise_or(bigint, bigint) bigint", "($1 | $2)")
	define("bitwise_xor(bigint, bigint) bigint", "xor($1, $2)")
	define("bitwise_not(bigint) bigint", "(~ $1)")
	defineBy("to_base(bigint, bigint) varchar", func(v *invocation) value {
		v.typ = VarcharOf(64)
		return v.out(fallible("loch_to_base($1, $2)", TypeVarchar))
	})
	define("from_base(varchar, bigint) bigint", fallible("loch_from_base($1, $2)", TypeBigint))
	define("bit_count(bigint, bigint) bigint", fallible("loch_bit_count($1, $2)", TypeBigint))
	for _, t := range []string{"tinyint", "smallint", "integer", "bigint"} {
		for _, f := range []string{"left_shift", "right_shift", "right_shift_arithmetic"} {
			define("bitwise_"+f+"("+t+", integer) =1", "loch_bitwise_"+f+"_"+t+"($1, $2)")
		}
		for _, f := range []string{"random", "rand"} {
			define(f+"("+t+") =1", fallible("loch_random_below_"+t+"($1)", Type{Kind: patternNames[t]}))
			define(f+"("+t+", "+t+") =1", fallible("loch_random_between_"+t+"($1, $2)", Type{Kind: patternNames[t]}))
		}
	}
	for _, f := range []string{"dot_product", "euclidean_distance", "cosine_similarity", "cosine_distance"} {
		define(f+"(array(double), array(double)) double", fallible("loch_"+f+"($1, $2)", TypeDouble))
	}
	define("cosine_similarity(map(varchar, double), map(varchar, double)) double", "loch_cosine_similarity_map($1, $2)")
	for _, f := range []string{"normal_cdf", "inverse_normal_cdf", "beta_cdf"} {
		define(f+"(double, double, double) double", fallible("loch_"+f+"($1, $2, $3)", TypeDouble))
	}
	for _, f := range []string{"t_cdf", "t_pdf"} {
		define(f+"(double, double) double", fallible("loch_"+f+"($1, $2)", TypeDouble))
	}
	for _, f := range []string{"wilson_interval_lower", "wilson_interval_upper"} {
		define(f+"(bigint, bigint, double) double", fallible("loch_"+f+"($1, $2, $3)", TypeDouble))
	}
	define("width_bucket(double, array(double)) bigint", fallible("loch_width_bucket($1, $2)", TypeBigint))
	defineBy("width_bucket(double, double, double, bigint) bigint", func(v *invocation) value {
		return v.out("CASE WHEN $4 <= 0 THEN " + raise("bucketCount must be greater than 0", TypeBigint) + " WHEN isnan($1) OR NOT isfinite($2) OR NOT isfinite($3) OR $2 = $3 THEN " +
			raise("width_bucket takes finite bounds that differ", TypeBigint) + " WHEN $2 < $3 THEN CASE WHEN $1 < $2 THEN 0 WHEN $1 >= $3 THEN $4 + 1 ELSE " +
			"CAST(floor($4 * ($1 - $2) / ($3 - $2)) AS BIGINT) + 1 END ELSE CASE WHEN $1 > $2 THEN 0 WHEN $1 <= $3 THEN $4 + 1 ELSE " +
			"CAST(floor($4 * ($2 - $1) / ($2 - $3)) AS BIGINT) + 1 END END")
	})
}

func (k Kind) integer() bool { return k >= Tinyint && k <= Bigint }

// operator writes a call as the operator that means the same.
func (v *invocation) operator(op string) value {
	return v.operate(&arithmeticExpr{node: v.call.node, op: op, opPos: v.call.pos}, v.args[0], v.args[1])
}

// logarithm writes one that is -Infinity of 0 and NaN below.
func logarithm(f, x string) string {
	return "CASE WHEN " + x + " < 0 THEN 'NaN'::DOUBLE WHEN " + x + " = 0 THEN '-Infinity'::DOUBLE ELSE " + f + "(" + x + ") END"
}
