package dialect

import (
	"strings"
	"time"
)

// unary types + and -.
func (e *env) unary(x *unaryExpr) value {
	v := e.expr(x.x)
	if !v.typ.numeric() && v.typ.Kind != IntervalDaySecond && v.typ.Kind != IntervalYearMonth {
		sign := "+"
		if x.minus {
			sign = "-"
		}
		e.fail(x.pos, "Cannot apply operator: %s%s", sign, v.typ)
	}
	if !x.minus {
		return v
	}
	switch n := v.lit.(type) {
	case millis:
		return millisValue(-n)
	case months:
		return monthsValue(-n)
	}
	if v.typ.Kind == Decimal { // of a value that DuckDB knows to be NULL it makes a bigint
		return value{sql: castTo("- "+v.sql, v.typ), typ: v.typ, easy: v.easy}
	}
	return value{sql: "(- " + v.sql + ")", typ: v.typ, easy: v.easy}
}

func (e *env) arithmetic(x *arithmeticExpr) value {
	return e.operate(x, e.expr(x.left), e.expr(x.right))
}

// operate types an operator between two values.
func (e *env) operate(x *arithmeticExpr, left, right value) value {
	if x.op == "||" {
		return e.concat(x, left, right)
	}
	if v, ok := e.timeArithmetic(x, left, right); ok {
		return v
	}
	t, ok := common(left.typ, right.typ)
	if !ok || !t.numeric() && t.Kind != Unknown {
		e.fail(x.opPos, "Cannot apply operator: %s %s %s", left.typ, x.op, right.typ)
	}
	switch {
	case t.Kind == Unknown:
		e.fail(x.opPos, "Cannot apply operator: unknown %s unknown", x.op)
	case t.Kind == Decimal:
		return e.decimalArithmetic(x, left, right)
	}
	l, r := e.coerce(left, t), e.coerce(right, t)
	l.sql, r.sql = castNull(l, t), castNull(r, t)
	easy := l.easy && r.easy && len(l.sql)+len(r.sql) < 200
	switch x.op {
	case "+", "-", "*":
		return value{sql: "(" + l.sql + " " + x.op + " " + r.sql + ")", typ: t, easy: easy}
	}
	if t.floating() {
		if x.op == "%" {
			return value{sql: "(" + l.sql + " % " + r.sql + ")", typ: t}
		}
		return value{sql: "(" + l.sql + " / " + r.sql + ")", typ: t}
	}
	op := "//"
	if x.op == "%" {
		op = "%"
	}
	if n, ok := r.lit.(int64); ok && n != 0 {
		return value{sql: "(" + l.sql + " " + op + " " + r.sql + ")", typ: t}
	}
	return value{sql: e.template("(CASE WHEN $2 = 0 AND $1 IS NOT NULL THEN "+raise("Division by zero", t)+" ELSE $1 "+op+" $2 END)", l, r), typ: t}
}

// decimalArithmetic follows Trino's rules for the precision and scale of a decimal answer.
func (e *env) decimalArithmetic(x *arithmeticExpr, left, right value) value {
	if left.isNull() {
		left = e.coerce(left, right.typ)
	}
	if right.isNull() {
		right = e.coerce(right, left.typ)
	}
	lt, rt := left.typ.asDecimal(), right.typ.asDecimal()
	l, r := e.coerce(left, lt), e.coerce(right, rt)
	p1, s1, p2, s2 := lt.Precision, lt.Scale, rt.Precision, rt.Scale
	switch x.op {
	case "+", "-":
		s := max(s1, s2)
		t := DecimalOf(min(38, max(p1-s1, p2-s2)+s+1), s)
		return value{sql: "(" + castTo(l.sql, t) + " " + x.op + " " + castTo(r.sql, t) + ")", typ: t}.as(t)
	case "*":
		t := DecimalOf(min(38, p1+p2), s1+s2)
		if p1+p2 > 38 {
			e.unsupported(x.opPos, "a product of decimals of more than 38 digits")
		}
		return value{sql: "(" + l.sql + " * " + r.sql + ")", typ: t}
	case "/":
		s := max(s1, s2)
		t := DecimalOf(min(38, p1+s2+max(s2-s1, 0)), s)
		return value{sql: e.quotient(l, r, s-s1+s2, t), typ: t}
	case "%":
		s := max(s1, s2)
		t := DecimalOf(min(p2-s2, p1-s1)+s, s)
		wide := DecimalOf(min(38, max(p1-s1, p2-s2)+s), s)
		if max(p1-s1, p2-s2)+s > 38 {
			e.unsupported(x.opPos, "a remainder of decimals of so many digits")
		}
		sql := e.template("(CASE WHEN $2 = 0 AND $1 IS NOT NULL THEN "+raise("Division by zero", t)+" ELSE CAST("+castTo("$1", wide)+" % "+castTo("$2", wide)+
			" AS "+duckType(t)+") END)", l, r)
		return value{sql: sql, typ: t}
	}
	panic("dialect: an operator without a case")
}

// quotient divides two decimals, taken as whole numbers of their last digits with the first moved up by shift digits; a half is rounded away
// from zero. DuckDB's own division of decimals answers a double.
func (c *checker) quotient(l, r value, shift int, t Type) string {
	n := value{sql: "(" + unscaled(l.sql) + " * " + power(shift) + ")", typ: TypeBigint}
	d := value{sql: unscaled(r.sql), typ: TypeBigint}
	q := "($1 // $2 + CASE WHEN abs($1 % $2) * 2 >= abs($2) THEN sign($1) * sign($2) ELSE 0 END)"
	return c.template("(CASE WHEN $2 = 0 AND $1 IS NOT NULL THEN "+raise("Division by zero", t)+" ELSE "+scaled(q, t)+" END)", n, d)
}

// unscaled is a decimal's digits as a whole number.
func unscaled(sql string) string {
	return "CAST(replace(CAST(" + sql + " AS VARCHAR), '.', '') AS HUGEINT)"
}

// power is 10 to the n-th.
func power(n int) string { return "CAST(1" + strings.Repeat("0", n) + " AS HUGEINT)" }

// scaled is the decimal with the digits of a whole number.
func scaled(sql string, t Type) string {
	if t.Scale == 0 {
		return castTo(sql, t)
	}
	unit := DecimalOf(t.Scale, t.Scale)
	return castTo("CAST("+sql+" AS DECIMAL("+itoa(38-t.Scale)+",0)) * "+castTo("'0."+strings.Repeat("0", t.Scale-1)+"1'", unit), t)
}

func (v value) as(t Type) value {
	return value{sql: castTo(v.sql, t), typ: t}
}

// timeArithmetic types + and - over dates, timestamps and intervals, and * and / of intervals.
func (e *env) timeArithmetic(x *arithmeticExpr, left, right value) (value, bool) {
	interval := func(t Type) bool { return t.Kind == IntervalDaySecond || t.Kind == IntervalYearMonth }
	moment := func(t Type) bool { return t.Kind == Date || t.Kind == Timestamp || t.Kind == TimestampZoned }
	l, r := left.typ, right.typ
	switch {
	case l.Kind == Time && r.Kind == IntervalDaySecond && (x.op == "+" || x.op == "-"):
		return e.addTime(left, right, x.op), true
	case l.Kind == IntervalDaySecond && r.Kind == Time && x.op == "+":
		return e.addTime(right, left, "+"), true
	case l.Kind == Time && r.Kind == Time && x.op == "-":
		return value{sql: "((epoch_us(" + left.sql + ") - epoch_us(" + right.sql + ")) // 1000)", typ: Type{Kind: IntervalDaySecond}}, true
	case moment(l) && interval(r) && (x.op == "+" || x.op == "-"):
		return e.addInterval(x.opPos, left, right, x.op == "-"), true
	case interval(l) && moment(r) && x.op == "+":
		return e.addInterval(x.opPos, right, left, false), true
	case moment(l) && moment(r) && x.op == "-":
		t, _ := common(l, r)
		a, b := e.coerce(left, t), e.coerce(right, t)
		if t.Kind == Date {
			return value{sql: "(CAST((" + a.sql + " - " + b.sql + ") AS BIGINT) * 86400000)", typ: Type{Kind: IntervalDaySecond}}, true
		}
		return value{sql: "((epoch_us(" + a.sql + ") - epoch_us(" + b.sql + ")) // 1000)", typ: Type{Kind: IntervalDaySecond}}, true
	case interval(l) && l.Kind == r.Kind && (x.op == "+" || x.op == "-"):
		return value{sql: "(" + left.sql + " " + x.op + " " + right.sql + ")", typ: l}, true
	case interval(l) && r.integral() && x.op == "*":
		return value{sql: castTo("("+left.sql+" * "+castTo(right.sql, TypeBigint)+")", l), typ: l}, true
	case interval(r) && l.integral() && x.op == "*":
		return value{sql: castTo("("+right.sql+" * "+castTo(left.sql, TypeBigint)+")", r), typ: r}, true
	case interval(l) && r.numeric() && x.op == "*":
		return e.scaleInterval(left, right, "$1 * $2"), true
	case interval(r) && l.numeric() && x.op == "*":
		return e.scaleInterval(right, left, "$1 * $2"), true
	case interval(l) && r.numeric() && x.op == "/":
		return e.scaleInterval(left, right, "CASE WHEN $2 = 0 THEN "+raise("Cannot divide by double 0.0", TypeDouble)+" ELSE $1 / $2 END"), true
	}
	return value{}, false
}

// scaleInterval multiplies or divides an interval by a number, as doubles; what is less than a millisecond or a month is cut off.
func (e *env) scaleInterval(interval, n value, text string) value {
	v := interval
	v.sql, v.lit = castTo(v.sql, TypeDouble), nil
	return value{sql: castTo("trunc("+e.template(text, v, e.coerce(n, TypeDouble))+")", interval.typ), typ: interval.typ}
}

// addInterval moves a date or a timestamp by an interval. A named zone's days and months follow its wall clock, which is refused.
func (e *env) addInterval(pos int, at, by value, minus bool) value {
	t := at.typ
	sign := int64(1)
	op := " + "
	if minus {
		sign, op = -1, " - "
	}
	if by.typ.Kind == IntervalDaySecond {
		if t.Kind == Date {
			n, ok := by.lit.(millis)
			if !ok {
				return value{sql: e.template("CASE WHEN $2 % 86400000 <> 0 THEN "+raise("Cannot add hour, minutes or seconds to a date", t)+" ELSE $1"+op+"CAST($2 // 86400000 AS INTEGER) END", at, by), typ: t}
			}
			if n%86_400_000 != 0 {
				e.fail(pos, "Cannot add hour, minutes or seconds to a date")
			}
			d := sign * int64(n) / 86_400_000
			if lit, ok := at.lit.(days); ok && inRange(int64(lit)+d) {
				return dateValue(lit + days(d))
			}
			return value{sql: "(" + at.sql + " + " + castTo(itoa64(d), TypeInteger) + ")", typ: t, easy: at.easy}
		}
		t.Precision = max(t.Precision, 3)
		if m, ok := at.lit.(micros); ok {
			if n, ok := by.lit.(millis); ok {
				sum := int64(m) + sign*int64(n)*1000
				if inRange(sum / 86_400_000_000) {
					v := timestampValue(micros(sum), t.Precision)
					v.typ = t
					return v
				}
			}
		}
		return value{sql: moved(at.sql, op+by.sql+" * 1000"), typ: t}
	}
	sql := at.sql
	if t.Kind == TimestampZoned {
		sql = e.local(pos, at)
	}
	if n, ok := by.lit.(months); ok && (t.Kind != TimestampZoned || t.Zone == "UTC") {
		switch m := at.lit.(type) {
		case days:
			d := addMonths(time.Unix(int64(m)*86400, 0).UTC(), int(sign*int64(n))).Unix() / 86400
			if inRange(d) {
				return dateValue(days(d))
			}
		case micros:
			us := addMonths(time.UnixMicro(int64(m)).UTC(), int(sign*int64(n))).UnixMicro()
			if inRange(us / 86_400_000_000) {
				v := timestampValue(micros(us), t.Precision)
				v.typ = t
				return v
			}
		}
	}
	sql = "(" + sql + op + "to_months(" + by.sql + "))"
	switch t.Kind {
	case Date:
		sql = castTo(sql, t)
	case TimestampZoned:
		sql = e.instantNear(sql, t.Zone, at.sql)
	}
	return value{sql: sql, typ: t}
}

// moved is a timestamp moved by microseconds, which stand after their sign. It is no interval's work: to DuckDB 30 days and a month are equal
// intervals, and of x + 30 days and x + 1 month in one statement it computes one and answers it for both.
func moved(sql, by string) string { return "make_timestamp(epoch_us(" + sql + ")" + by + ")" }

// inRange keeps literals within the years 1 to 9999, which both engines write alike.
func inRange(day int64) bool { return day >= -719162 && day <= 2932896 }

// addMonths keeps the day of the month, or takes the month's last where it has no such day.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// local is the wall clock of a timestamp with time zone, as a timestamp in DuckDB.
func (c *checker) local(pos int, v value) string {
	if v.typ.Zone == unknownZone {
		c.unsupported(pos, "a timestamp with time zone whose zone differs from row to row")
	}
	offset, named, _ := parseZone(v.typ.Zone)
	switch {
	case named != nil:
		return "timezone(" + quote(v.typ.Zone) + ", timezone('UTC', " + v.sql + "))"
	case offset != 0:
		return moved(v.sql, " + ("+itoa(offset*60_000_000)+")")
	}
	return v.sql
}

// instant is the instant at which a zone's wall clock shows a timestamp.
func (c *checker) instant(sql, zone string) string {
	offset, named, _ := parseZone(zone)
	switch {
	case named != nil:
		return fallible("loch_instant("+sql+", "+quote(zone)+")", TypeTimestamp)
	case offset != 0:
		return moved(sql, " - ("+itoa(offset*60_000_000)+")")
	}
	return sql
}

// instantNear is the instant at which a zone's clock shows a timestamp that was computed from what it shows at another instant.
func (c *checker) instantNear(sql, zone, from string) string {
	if _, named, _ := parseZone(zone); named != nil {
		return fallible("loch_instant_near("+sql+", "+quote(zone)+", "+from+")", TypeTimestamp)
	}
	return c.instant(sql, zone)
}

// concat is ||: strings, arrays, an array and an element.
func (e *env) concat(x *arithmeticExpr, left, right value) value {
	l, r := left.typ, right.typ
	text := func(t Type) bool { return t.Kind == Varchar || t.Kind == Unknown }
	switch {
	case left.isNull() && right.isNull():
		e.fail(x.opPos, "Could not choose a best candidate operator: unknown || unknown")
	case text(l) && text(r):
		if left.isNull() || right.isNull() {
			e.unsupported(x.opPos, "a string beside a NULL without a type, which Trino takes for an array,") // DuckDB for an integer
		}
		return value{sql: "(" + left.sql + " || " + right.sql + ")", typ: TypeVarchar}
	case (l.Kind == Char || r.Kind == Char) && (l.Kind == Char || l.Kind == Varchar) && (r.Kind == Char || r.Kind == Varchar):
		return e.concatChars(x.opPos, left, right)
	case l.Kind == Varbinary && r.Kind == Varbinary:
		return value{sql: "(" + left.sql + " || " + right.sql + ")", typ: l}
	case l.Kind == Array && (r.Kind == Unknown || l.Elem.Kind == Unknown) || r.Kind == Array && (l.Kind == Unknown || r.Elem.Kind == Unknown):
		e.fail(x.opPos, "Could not choose a best candidate operator: %s || %s. Explicit type casts must be added.", l, r)
	case l.Kind == Array || r.Kind == Array:
		a, b := left, right
		switch {
		case l.Kind == Array && r.Kind == Array:
		case l.Kind == Array:
			b = value{sql: e.oneElement(right, *l.Elem), typ: ArrayOf(r)}
		default:
			a = value{sql: e.oneElement(left, *r.Elem), typ: ArrayOf(l)}
		}
		if t, ok := common(a.typ, b.typ); ok {
			p, q := e.coerce(a, t), e.coerce(b, t)
			// DuckDB's list_concat takes a NULL list for an empty one.
			return value{sql: e.template("CASE WHEN $1 IS NULL OR $2 IS NULL THEN NULL ELSE list_concat($1, $2) END", p, q), typ: t}
		}
	}
	e.fail(x.opPos, "Cannot apply operator: %s || %s", l, r)
	return value{}
}

// concatChars is || where one side is a char: a char of both lengths, a varchar being brought to a char of its own length first.
func (e *env) concatChars(pos int, left, right value) value {
	length := 0
	for _, v := range []*value{&left, &right} {
		if v.typ.Kind == Varchar {
			if v.typ.Length == Unbounded {
				e.fail(pos, "Unknown type: char(%d)", maxChar+max(left.typ.Length, right.typ.Length, 0))
			}
			*v = e.coerce(*v, CharOf(max(v.typ.Length, 0)))
		}
		length += v.typ.Length
	}
	if length > maxChar {
		e.fail(pos, "Unknown type: char(%d)", length)
	}
	return value{sql: "(" + left.sql + " || " + right.sql + ")", typ: CharOf(length)}
}

// oneElement is an array of one value that another array is joined with: none where the value is NULL, as Trino's operator is NULL then.
func (e *env) oneElement(v value, elem Type) string {
	w := v
	w.sql = castNull(v, elem)
	return e.template("CASE WHEN $1 IS NULL THEN NULL ELSE [$1] END", w)
}
