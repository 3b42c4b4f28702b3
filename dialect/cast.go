package dialect

import "strings"

// coerce brings a value to a type that it may stand for without being asked to.
func (c *checker) coerce(v value, t Type) value {
	if v.isNull() {
		if t.Kind == Unknown {
			return v
		}
		return value{sql: "CAST(NULL AS " + duckType(t) + ")", typ: t, easy: true}
	}
	if duckType(v.typ) == duckType(t) && !padded(v.typ, t) {
		v.typ = t
		return v
	}
	if n, ok := v.lit.(int64); ok && v.typ.integral() {
		switch {
		case t.integral():
			return integerValue(n, t)
		case t.Kind == Decimal:
			return value{sql: castTo("'"+itoa64(n)+"'", t), typ: t, lit: decimalLit(itoa64(n)), easy: true}
		case t.Kind == Double:
			return value{sql: castTo(itoa64(n), t), typ: t, lit: float64(n), easy: true}
		}
	}
	if d, ok := v.lit.(days); ok && (t.Kind == Timestamp || t.Kind == TimestampZoned) {
		m := timestampValue(micros(int64(d)*86_400_000_000), t.Precision)
		m.typ = t
		return m
	}
	w := value{sql: c.convert(v.sql, v.typ, t), typ: t, easy: v.easy}
	if v.lit != nil && t.Kind != Char {
		w.lit = v.lit
	}
	return w
}

// padded tells whether a coercion must fill up a char, or a part that is one.
func padded(from, to Type) bool {
	switch {
	case from.Kind == Unknown:
		return false
	case to.Kind == Char:
		return from.Kind != Char || from.Length != to.Length
	case to.Kind == Array && from.Kind == Array:
		return padded(*from.Elem, *to.Elem)
	case to.Kind == Map && from.Kind == Map:
		return padded(*from.Key, *to.Key) || padded(*from.Elem, *to.Elem)
	case to.Kind == Row && from.Kind == Row:
		for i, f := range to.Fields {
			if padded(from.Fields[i].Type, f.Type) {
				return true
			}
		}
	}
	return false
}

// convert writes the coercion of a value that is no literal.
func (c *checker) convert(sql string, from, to Type) string {
	fill := padded(from, to)
	if to.Kind == Char && fill {
		return "rpad(" + sql + ", " + itoa(to.Length) + ", ' ')"
	}
	if from.Kind == Row && to.Kind == Row && (fill || !sameMembers(from, to)) {
		// DuckDB casts rows by the names of their members, Trino by their places.
		var values []value
		for i, f := range from.Fields {
			m := "struct_extract($1, " + quote(memberName(from, i)) + ")"
			values = append(values, value{sql: c.convert(m, f.Type, to.Fields[i].Type), typ: to.Fields[i].Type})
		}
		return c.template("CASE WHEN $1 IS NULL THEN NULL ELSE "+packRow(to, values)+" END", value{sql: sql, typ: from})
	}
	each := func(list string, from, to Type) string {
		c.lambdas++
		x := "l" + itoa(c.lambdas)
		defer func() { c.lambdas-- }()
		return "list_transform(" + list + ", lambda " + x + ": " + c.convert(x, from, to) + ")"
	}
	switch {
	case from.Kind == Array && to.Kind == Array && (fill || from.Elem.Kind == Row):
		return each(sql, *from.Elem, *to.Elem)
	case from.Kind == Map && to.Kind == Map && fill:
		return c.template("CASE WHEN $1 IS NULL THEN NULL ELSE map("+each("map_keys($1)", *from.Key, *to.Key)+", "+each("map_values($1)", *from.Elem, *to.Elem)+") END",
			value{sql: sql, typ: from})
	}
	return castTo(sql, to)
}

func sameMembers(a, b Type) bool {
	for i := range a.Fields {
		if memberName(a, i) != memberName(b, i) {
			return false
		}
	}
	return true
}

// typeOf reads a type's name.
func (c *checker) typeOf(n *typeNode) Type {
	param := func(i, otherwise, least, most int) int {
		if i >= len(n.params) {
			return otherwise
		}
		if p := n.params[i]; p < least || p > most {
			c.fail(n.pos, "Invalid parameter of type %s: %d", n.base, p)
		}
		return n.params[i]
	}
	most := func(k int) {
		if len(n.params) > k || n.base != "array" && n.base != "map" && n.base != "row" && len(n.args) > 0 {
			c.fail(n.pos, "Unknown type: %s", strings.ToLower(c.text[n.pos:n.end]))
		}
	}
	switch n.base {
	case "boolean":
		most(0)
		return TypeBoolean
	case "tinyint":
		most(0)
		return Type{Kind: Tinyint}
	case "smallint":
		most(0)
		return Type{Kind: Smallint}
	case "integer", "int":
		most(0)
		return TypeInteger
	case "bigint":
		most(0)
		return TypeBigint
	case "real":
		most(0)
		return TypeReal
	case "double":
		most(0)
		return TypeDouble
	case "decimal", "numeric":
		most(2)
		p := param(0, 38, 1, 38)
		s := param(1, 0, 0, 38)
		if s > p {
			c.fail(n.pos, "DECIMAL scale must be in range [0, precision (%d)]: %d", p, s)
		}
		return DecimalOf(p, s)
	case "varchar":
		most(1)
		if len(n.params) == 0 {
			return TypeVarchar
		}
		return VarcharOf(param(0, 0, 0, 1<<31-2))
	case "char":
		most(1)
		if len(n.params) > 0 && n.params[0] > maxChar {
			c.fail(n.pos, "Unknown type: char(%d)", n.params[0])
		}
		return CharOf(param(0, 1, 0, maxChar))
	case "varbinary":
		most(0)
		return TypeVarbinary
	case "json":
		most(0)
		return TypeJSON
	case "date":
		most(0)
		return TypeDate
	case "time", "timestamp", "timestamp with time zone":
		p := param(0, 3, 0, 12)
		switch n.base {
		case "time":
			return Type{Kind: Time, Precision: p}
		case "timestamp":
			return TimestampOf(p)
		}
		return zonedOf(p, "UTC")
	case "interval day to second", "interval year to month":
		if n.base == "interval day to second" {
			return Type{Kind: IntervalDaySecond}
		}
		return Type{Kind: IntervalYearMonth}
	case "uuid":
		most(0)
		return Type{Kind: UUID}
	case "ipaddress":
		most(0)
		return Type{Kind: IPAddress}
	case "array":
		if len(n.args) == 1 && len(n.params) == 0 {
			return ArrayOf(c.typeOf(n.args[0]))
		}
	case "map":
		if len(n.args) == 2 && len(n.params) == 0 {
			return MapOf(c.typeOf(n.args[0]), c.typeOf(n.args[1]))
		}
	case "row":
		t := Type{Kind: Row}
		for i, a := range n.args {
			f := Field{Type: c.typeOf(a)}
			if i < len(n.fields) {
				if f.Name = n.fields[i].text; !n.fields[i].quoted {
					f.Name = strings.ToLower(f.Name)
				}
			}
			t.Fields = append(t.Fields, f)
		}
		return t
	case "time with time zone", "hyperloglog", "qdigest", "tdigest", "p4hyperloglog", "setdigest", "geometry", "color", "function", "unknown":
		c.unsupported(n.pos, "type "+n.base)
	}
	c.fail(n.pos, "Unknown type: %s", strings.ToLower(c.text[n.pos:n.end]))
	return Type{}
}

func (e *env) cast(x *castExpr) value {
	t := e.typeOf(x.typ)
	v := e.expr(x.x)
	return e.castValue(x.pos, v, t, x.try)
}

// castValue writes CAST and TRY_CAST. DuckDB's casts read and write other texts than Trino's in many cases; each pair that is written here
// was made to agree, the others are refused.
func (e *env) castValue(pos int, v value, t Type, try bool) value {
	from := v.typ
	if from.Kind == Unknown || from.equal(t) {
		return e.coerce(v, t)
	}
	sql, ok := e.castSQL(pos, v, t, try)
	if !ok {
		e.fail(pos, "Cannot cast %s to %s", from, t)
	}
	return value{sql: sql, typ: t, easy: false}
}

func (e *env) castSQL(pos int, v value, t Type, try bool) (string, bool) {
	from := v.typ
	word := "CAST"
	if try {
		word = "TRY_CAST"
	}
	if from.Kind == JSON && t.Kind != Varchar && t.Kind != JSON {
		return e.fromJSON(pos, v, t, try)
	}
	plain := func(sql string) string { return word + "(" + sql + " AS " + duckType(t) + ")" }
	switch t.Kind {
	case Char:
		if from.Kind == Varchar || from.Kind == Char {
			return e.convert(v.sql, from, t), true
		}
	case Varchar:
		if from.Kind == Char {
			if t.Length != Unbounded && t.Length < from.Length {
				return "left(" + v.sql + ", " + itoa(max(t.Length, 0)) + ")", true
			}
			return v.sql, true
		}
		sql, ok := e.castToText(pos, v, try)
		if ok && t.Length != Unbounded && (from.Kind != Varchar || from.Length == Unbounded || from.Length > t.Length) {
			n := itoa(max(t.Length, 0))
			if from.Kind == Varchar {
				return "left(" + sql + ", " + n + ")", true
			}
			if try {
				return e.template("CASE WHEN length($1) <= "+n+" THEN $1 END", value{sql: sql, typ: TypeVarchar}), true
			}
			return e.template("CASE WHEN $1 IS NULL OR length($1) <= "+n+" THEN $1 ELSE "+raise("Value cannot be cast to "+t.String(), TypeVarchar)+" END",
				value{sql: sql, typ: TypeVarchar}), true
		}
		return sql, ok
	case Tinyint, Smallint, Integer, Bigint:
		switch {
		case from.integral(), from.Kind == Boolean, from.Kind == Decimal:
			return plain(v.sql), true
		case from.floating():
			return plain("round(" + v.sql + ")"), true
		case from.Kind == Varchar:
			return e.fromText(v, t, blanks+`[+-]?[0-9]+`+blanks, `[+-]?[0-9]+`, try), true
		}
	case Real, Double:
		switch {
		case from.numeric(), from.Kind == Boolean:
			if from.Kind == Boolean {
				return castTo(castTo(v.sql, TypeInteger), t), true
			}
			return plain(v.sql), true
		case from.Kind == Varchar:
			return e.fromText(v, t, blanks+`[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?|NaN|Infinity)`+blanks,
				`[+-]?([0-9.]+([eE][+-]?[0-9]+)?|NaN|Infinity)`, try), true
		}
	case Decimal:
		switch {
		case from.floating():
			// by way of the shortest text, as Trino; the engine reads texts of very small numbers wrongly
			return e.template("CASE WHEN abs($1) < 1e-39 THEN "+castTo("0", t)+" ELSE "+plain("CAST($1 AS VARCHAR)")+" END", v), true
		case from.numeric():
			return plain(v.sql), true
		case from.Kind == Boolean:
			return plain(castTo(v.sql, TypeInteger)), true
		case from.Kind == Varchar:
			// first to 38 digits: the engine counts a number's digits before it heeds the exponent
			wide := DecimalOf(38, t.Scale)
			w := e.fromText(v, wide, `[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?`, "", try)
			if t.Precision == 38 {
				return w, true
			}
			return plain(w), true
		}
	case Boolean:
		switch {
		case from.integral(), from.Kind == Decimal, from.floating():
			return "(" + v.sql + " <> 0)", true
		case from.Kind == Varchar:
			otherwise := "NULL"
			if !try {
				otherwise = raiseText("'Cannot cast ''' || $1 || ''' to BOOLEAN'", TypeBoolean)
			}
			return e.template("CASE WHEN $1 IS NULL THEN NULL WHEN lower($1) IN ('true', 't', '1') THEN true WHEN lower($1) IN ('false', 'f', '0') THEN false ELSE "+
				otherwise+" END", v), true
		}
	case Date:
		switch from.Kind {
		case Timestamp:
			return plain(v.sql), true
		case TimestampZoned:
			return plain(e.local(pos, v)), true
		case Varchar:
			return e.fromText(v, t, blanks+`[+-]?[0-9]+-[0-9]{1,2}-[0-9]{1,2}`+blanks, `-?[0-9]+-[0-9]+-[0-9]+`, try), true
		}
	case Timestamp:
		switch from.Kind {
		case Timestamp:
			return e.precision(v, t.Precision), true
		case Date:
			return plain(v.sql), true
		case TimestampZoned:
			w := v
			w.sql = e.local(pos, v)
			return e.precision(w, t.Precision), true
		case Varchar:
			w := value{sql: e.fromText(v, t, timestampForm, `-?[0-9]+-[0-9]+-[0-9]+( [0-9]+:[0-9:]+(\.[0-9]{1,6})?)?`, try), typ: TimestampOf(6)}
			if t.Precision > 6 {
				return e.template("CASE WHEN regexp_matches($2, '\\.[0-9]{6}0*[1-9]') THEN "+raise("a timestamp with more than 6 fractional digits is "+notYet, t)+" ELSE $1 END", w, v), true
			}
			if t.Precision == 6 {
				return e.template("($1 + CASE WHEN regexp_matches($2, '\\.[0-9]{6}[5-9]') THEN INTERVAL 1 MICROSECOND ELSE INTERVAL 0 MICROSECOND END)", w, v), true
			}
			return e.precision(w, t.Precision), true
		}
	case Time:
		return e.castToTime(pos, v, t, try)
	case TimestampZoned:
		switch from.Kind {
		case TimestampZoned:
			// the zone stays
			return "", false
		case Date:
			return plain(v.sql), true
		case Timestamp:
			return e.precision(v, t.Precision), true
		}
	case JSON, Map, Array, Row:
		return e.castNested(pos, v, t, try)
	case UUID:
		if from.Kind == Varchar {
			return e.fromText(v, t, `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`, "", try), true
		}
	case Varbinary:
		switch from.Kind {
		case Varchar:
			return "encode(" + v.sql + ")", true
		case IPAddress:
			return v.sql, true
		}
	case IPAddress:
		return e.toAddress(v, try)
	}
	return "", false
}

// blanks are what Java's String.trim takes off.
const blanks = `[\x01-\x20]*`

// timestampForm is the text of a timestamp as Trino reads it ("DateTimes.DATETIME_PATTERN" in its source). A zone at the end is read and has no
// meaning; of zones with names only those of UTC are known here.
const timestampForm = blanks + `[+-]?[0-9]{4,}-[0-9]{1,2}-[0-9]{1,2}( (([01]?[0-9]|2[0-3]):[0-5]?[0-9](:[0-5]?[0-9](\.[0-9]+)?)?)?\s*` +
	`(Z|UTC|UT|GMT|[+-](0[0-9]|1[0-7])(:?[0-5][0-9])?)?)?` + blanks

// fromText casts a string that has the form which Trino takes; DuckDB takes many more. part is what of it DuckDB reads, "" for all.
func (e *env) fromText(v value, t Type, form, part string, try bool) string {
	text := "$1"
	if part != "" {
		text = "regexp_extract($1, " + quote(part) + ")"
	}
	if try {
		rest := ""
		switch {
		case t.floating():
			rest = " WHEN regexp_matches($1, '0[xX].*[pP]') THEN " + raise("reading a hexadecimal number is "+notYet, TypeVarchar)
		case t.integral():
			rest = " WHEN regexp_full_match($1, " + quote(blanks+`[+-]?\p{Nd}+`+blanks) + ") THEN " + raise("reading a number of other digits than 0 to 9 is "+notYet, TypeVarchar)
		}
		return e.template("TRY_CAST(CASE WHEN regexp_full_match($1, "+quote(form)+") THEN "+text+rest+" END AS "+duckType(t)+")", v)
	}
	return e.template("CAST(CASE WHEN $1 IS NULL OR regexp_full_match($1, "+quote(form)+") THEN "+text+" ELSE "+
		raiseText("'Cannot cast ''' || $1 || ''' to "+strings.ToUpper(t.String())+"'", TypeVarchar)+" END AS "+duckType(t)+")", v)
}

// precision rounds a timestamp to fewer fractional digits.
func (e *env) precision(v value, digits int) string {
	if digits >= min(v.typ.Precision, 6) || v.typ.Kind != Timestamp && v.typ.Kind != TimestampZoned {
		return v.sql
	}
	unit := "1" + strings.Repeat("0", 6-digits)
	half := "5" + strings.Repeat("0", 5-digits)
	// floor, also before 1970
	return e.template("make_timestamp(CAST(floor((epoch_us($1) + "+half+") / "+unit+") AS BIGINT) * "+unit+")", v)
}

// castToText writes a value as Trino does.
func (e *env) castToText(pos int, v value, try bool) (string, bool) {
	switch t := v.typ; t.Kind {
	case Varchar, Char:
		return v.sql, true
	case Decimal:
		// DuckDB leaves out the 0 before the point
		return e.template("regexp_replace(CAST($1 AS VARCHAR), '^(-?)\\.', '\\10.')", v), true
	case Boolean, Tinyint, Smallint, Integer, Bigint, UUID, Date:
		return "CAST(" + v.sql + " AS VARCHAR)", true
	case Double:
		return e.doubleText(v), true
	case Real:
		return e.template("CASE WHEN abs($1) < 1.1754944e-38::FLOAT AND $1 <> 0 THEN "+raise("the text of a real this small is "+notYet, TypeVarchar)+" ELSE loch_real_text($1) END", v), true
	case Timestamp:
		return timestampTextSQL(v.sql, t.Precision), true
	case Time:
		return timeTextSQL(v.sql, t.Precision), true
	case TimestampZoned:
		zone := t.Zone
		return "(" + timestampTextSQL(e.local(pos, v), t.Precision) + " || " + quote(" "+zone) + ")", true
	case JSON:
		otherwise := raiseText("'Cannot cast ''' || $1 || ''' to VARCHAR'", TypeVarchar)
		if try {
			otherwise = "NULL"
		}
		return e.template("CASE left($2, 1) WHEN 'n' THEN NULL WHEN '[' THEN "+otherwise+" WHEN 'E' THEN "+otherwise+" ELSE substr($2, 2) END",
			v, value{sql: "loch_json_scalar(" + v.sql + ")", typ: TypeVarchar}), true
	case IntervalDaySecond, IntervalYearMonth:
		return e.intervalText(v), true
	case IPAddress:
		return "loch_ip_text(" + v.sql + ")", true
	}
	return "", false
}

// doubleText writes a double as Trino's cast does: always with an exponent, 0 as 0E0.
func (e *env) doubleText(v value) string {
	// DuckDB's text has the same shortest digits; they are set out anew around the exponent.
	return e.template("CASE WHEN $1 IS NULL THEN NULL WHEN isnan($1) THEN 'NaN' WHEN isinf($1) THEN CASE WHEN $1 > 0 THEN 'Infinity' ELSE '-Infinity' END "+
		"WHEN $1 = 0 THEN CASE WHEN signbit($1) THEN '-0E0' ELSE '0E0' END ELSE "+scientific("$1")+" END", v)
}

// scientific is a double's text as 1.25E-7: the digits of DuckDB's shortest text, and the exponent that they begin at.
func scientific(x string) string {
	text := "CAST(abs(" + x + ") AS VARCHAR)"
	mantissa := "regexp_replace(" + text + ", 'e.*$', '')"
	// the digits without point, leading and trailing zeros
	digits := "rtrim(ltrim(replace(" + mantissa + ", '.', ''), '0'), '0')"
	// 10's power of the first digit
	own := "CASE WHEN " + mantissa + " LIKE '0.%' THEN -1 - (length(split_part(" + mantissa + ", '.', 2)) - length(ltrim(split_part(" + mantissa +
		", '.', 2), '0'))) ELSE length(split_part(" + mantissa + ", '.', 1)) - 1 END"
	exponent := "(" + own + " + coalesce(CAST(nullif(regexp_extract(" + text + ", 'e(.*)$', 1), '') AS INTEGER), 0))"
	return "(CASE WHEN " + x + " < 0 THEN '-' ELSE '' END || left(" + digits + ", 1) || '.' || CASE WHEN length(" + digits + ") > 1 THEN substr(" + digits +
		", 2) ELSE '0' END || 'E' || CAST(" + exponent + " AS VARCHAR))"
}

// timestampTextSQL is a timestamp's text with so many fractional digits.
func timestampTextSQL(sql string, precision int) string {
	switch precision {
	case 0:
		return "strftime(" + sql + ", '%Y-%m-%d %H:%M:%S')"
	case 6, 7, 8, 9, 10, 11, 12:
		text := "strftime(" + sql + ", '%Y-%m-%d %H:%M:%S.%f')"
		if precision > 6 { // the engine's moments have 6 digits
			text = "(" + text + " || '" + strings.Repeat("0", precision-6) + "')"
		}
		return text
	}
	return "left(strftime(" + sql + ", '%Y-%m-%d %H:%M:%S.%f'), " + itoa(20+precision) + ")"
}

// intervalText writes an interval as Trino does: "2 03:04:05.678" and "1-2".
func (e *env) intervalText(v value) string {
	two := func(n string) string { return "lpad(CAST(" + n + " AS VARCHAR), 2, '0')" }
	if v.typ.Kind == IntervalYearMonth {
		return e.template("(CASE WHEN $1 < 0 THEN '-' ELSE '' END || CAST(abs($1) // 12 AS VARCHAR) || '-' || CAST(abs($1) % 12 AS VARCHAR))", v)
	}
	return e.template("(CASE WHEN $1 < 0 THEN '-' ELSE '' END || CAST(abs($1) // 86400000 AS VARCHAR) || ' ' || "+two("abs($1) // 3600000 % 24")+" || ':' || "+
		two("abs($1) // 60000 % 60")+" || ':' || "+two("abs($1) // 1000 % 60")+" || '.' || lpad(CAST(abs($1) % 1000 AS VARCHAR), 3, '0'))", v)
}

// printed writes a column of the answer in the engine's own types: inside a statement, timestamps with time zone and intervals are instants and
// numbers.
func (c *checker) printed(sql string, t Type) string {
	if t.every(func(k Kind) bool { return k != TimestampZoned && k != IntervalDaySecond && k != IntervalYearMonth }) {
		return sql
	}
	x := "l" + itoa(c.lambdas+1)
	each := func(list string, t Type) string {
		c.lambdas++
		defer func() { c.lambdas-- }()
		return "list_transform(" + list + ", lambda " + x + ": " + c.printed(x, t) + ")"
	}
	switch t.Kind {
	case TimestampZoned:
		if t.Zone == unknownZone {
			c.unsupported(0, "an answer of timestamps with time zone whose zones differ")
		}
		return "timezone('UTC', " + sql + ")"
	case IntervalDaySecond:
		return "to_microseconds(" + sql + " * 1000)"
	case IntervalYearMonth:
		return "to_months(" + sql + ")"
	case Array:
		return each(sql, *t.Elem)
	case Map:
		return "CASE WHEN " + sql + " IS NULL THEN NULL ELSE map(" + each("map_keys("+sql+")", *t.Key) + ", " + each("map_values("+sql+")", *t.Elem) + ") END"
	}
	var members []value
	for i, f := range t.Fields {
		members = append(members, value{sql: c.printed("struct_extract("+sql+", "+quote(memberName(t, i))+")", f.Type), typ: f.Type})
	}
	return "CASE WHEN " + sql + " IS NULL THEN NULL ELSE " + packRow(t, members) + " END"
}

// castNested casts to and from maps, arrays, rows and JSON.
func (e *env) castNested(pos int, v value, t Type, try bool) (string, bool) {
	from := v.typ
	switch {
	case t.Kind == JSON:
		return e.toJSON(pos, v)
	case try:
		sql, ok := e.castNested(pos, v, t, false)
		return "TRY(" + sql + ")", ok
	case from.Kind == Array && t.Kind == Array:
		e.lambdas++
		x := "l" + itoa(e.lambdas)
		elem, ok := e.castElement(pos, x, *from.Elem, *t.Elem)
		e.lambdas--
		return "list_transform(" + v.sql + ", lambda " + x + ": " + elem + ")", ok
	case from.Kind == Row && t.Kind == Row && len(from.Fields) == len(t.Fields):
		var values []value
		for i, f := range from.Fields {
			m, ok := e.castElement(pos, "struct_extract($1, "+quote(memberName(from, i))+")", f.Type, t.Fields[i].Type)
			if !ok {
				return "", false
			}
			values = append(values, value{sql: m, typ: t.Fields[i].Type})
		}
		return e.template("CASE WHEN $1 IS NULL THEN NULL ELSE "+packRow(t, values)+" END", v), true
	case from.Kind == Map && t.Kind == Map:
		e.lambdas++
		x := "l" + itoa(e.lambdas)
		key, ok := e.castElement(pos, x, *from.Key, *t.Key)
		elem, ok2 := e.castElement(pos, x, *from.Elem, *t.Elem)
		e.lambdas--
		keys, values := "map_keys($1)", "map_values($1)"
		if key != x {
			keys = "list_transform(" + keys + ", lambda " + x + ": " + key + ")" // keys that become equal or NULL fail, as in Trino
		}
		if elem != x {
			values = "list_transform(" + values + ", lambda " + x + ": " + elem + ")"
		}
		if key == x && elem == x {
			return v.sql, true
		}
		return e.template("CASE WHEN $1 IS NULL THEN NULL ELSE map("+keys+", "+values+") END", v), ok && ok2
	}
	return "", false
}

func (e *env) castElement(pos int, sql string, from, to Type) (string, bool) {
	v := value{sql: sql, typ: from, easy: true}
	switch {
	case from.Kind == Unknown:
		return "CAST(NULL AS " + duckType(to) + ")", true
	case from.equal(to):
		return sql, true
	}
	return e.castSQL(pos, v, to, false)
}
