package dialect

import (
	"regexp"
	"strconv"
	"strings"
)

// Times of day: DuckDB's TIME, which has microseconds. Sums go around the clock.

const dayMicros = "86400000000"

// clockOf is the time of day of so many microseconds, from 0 to less than two days.
func clockOf(us string) string {
	return "CAST(make_timestamp((" + us + ") % " + dayMicros + ") AS TIME)"
}

var timeText = regexp.MustCompile(`^(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,12}))?)?\s*$`)

// timeForm is timeText for DuckDB's matcher, with the bounds of its numbers.
const timeForm = `([01]?[0-9]|2[0-3]):[0-5]?[0-9](:[0-5]?[0-9](\.[0-9]{1,12})?)?\s*`

// timeLiteral is TIME 'text': its precision is that of the digits written.
func (e *env) timeLiteral(x *typedLit) value {
	m := timeText.FindStringSubmatch(x.value)
	if m == nil {
		if strings.ContainsAny(x.value, "+-") {
			e.unsupported(x.pos, "type time with time zone")
		}
		e.fail(x.pos, "'%s' is not a valid TIME literal", x.value)
	}
	var n [3]int
	for i := range n {
		if m[i+1] != "" {
			n[i], _ = strconv.Atoi(m[i+1]) // two digits at most
		}
	}
	if n[0] > 23 || n[1] > 59 || n[2] > 59 {
		e.fail(x.pos, "'%s' is not a valid TIME literal", x.value)
	}
	fraction := m[4]
	if len(fraction) > 6 && strings.Trim(fraction[6:], "0") != "" {
		e.unsupported(x.pos, "a time with more than 6 fractional digits")
	}
	us, _ := strconv.Atoi((fraction + "000000")[:6])
	total := int64(n[0]*3600+n[1]*60+n[2])*1_000_000 + int64(us)
	return value{sql: clockOf(itoa64(total)), typ: Type{Kind: Time, Precision: len(fraction)}, easy: true}
}

// castToTime writes the casts to time(p).
func (e *env) castToTime(pos int, v value, t Type, try bool) (string, bool) {
	digits := min(t.Precision, 6)
	switch v.typ.Kind {
	case Varchar:
		part := func(i int) string {
			return "coalesce(CAST(nullif(regexp_extract($1, " + quote(timeParts) + ", " + itoa(i) + "), '') AS BIGINT), 0)"
		}
		fraction := "rpad(regexp_extract($1, " + quote(timeParts) + ", 4), 12, '0')"
		// half up: only the first digit that is cut off counts
		us := "(" + part(1) + " * 3600 + " + part(2) + " * 60 + " + part(3) + ") * 1000000 + ((CAST(left(" + fraction + ", " + itoa(digits+1) + ") AS BIGINT) + 5) // 10) * 1" +
			strings.Repeat("0", 6-digits)
		finer := ""
		if t.Precision > 6 {
			finer = " WHEN regexp_matches($1, '\\.[0-9]{6}0*[1-9]') THEN " + raise("a time with more than 6 fractional digits is "+notYet, t)
		}
		otherwise := "NULL"
		if !try {
			otherwise = raiseText("'Value cannot be cast to time: ' || $1", t)
		}
		return e.template("CASE WHEN $1 IS NULL THEN NULL WHEN NOT regexp_full_match($1, "+quote(timeForm)+") THEN "+otherwise+finer+" ELSE "+clockOf(us)+" END", v), true
	case Time:
		return e.roundTime(v.sql, v.typ.Precision, digits), true
	case Timestamp:
		return e.roundTime(e.clockOfMoment(v.sql, t), v.typ.Precision, digits), true
	case TimestampZoned:
		return e.roundTime(e.clockOfMoment(e.local(pos, v), t), v.typ.Precision, digits), true
	}
	return "", false
}

// clockOfMoment is the time of day of a timestamp. Of one before 1970 within a second Trino takes the second before.
func (e *env) clockOfMoment(sql string, t Type) string {
	return e.template("CASE WHEN epoch_us($1) < 0 AND epoch_us($1) % 1000000 <> 0 THEN "+raise("the time of day of such a timestamp before 1970 is "+notYet, t)+
		" ELSE CAST($1 AS TIME) END", value{sql: sql, typ: TypeTimestamp})
}

// timeParts are hours, minutes, seconds and fraction of a text of timeForm.
const timeParts = `^([0-9]+):([0-9]+)(?::([0-9]+)(?:\.([0-9]+))?)?`

// roundTime rounds a time of day to fewer fractional digits, around midnight where it must.
func (e *env) roundTime(sql string, from, digits int) string {
	if digits >= min(from, 6) {
		return sql
	}
	unit := "1" + strings.Repeat("0", 6-digits)
	return e.template("CASE WHEN $1 IS NOT NULL THEN "+clockOf("(epoch_us($1) + 5"+strings.Repeat("0", 5-digits)+") // "+unit+" * "+unit)+" END", value{sql: sql, typ: Type{Kind: Time}})
}

// timeTextSQL is a time of day's text with so many fractional digits.
func timeTextSQL(sql string, precision int) string {
	text := "strftime(DATE '1970-01-01' + " + sql + ", '%H:%M:%S.%f')"
	switch {
	case precision == 0:
		return "left(" + text + ", 8)"
	case precision <= 6:
		return "left(" + text + ", " + itoa(9+precision) + ")"
	}
	return "rpad(" + text + ", " + itoa(9+precision) + ", '0')"
}

// addTime moves a time of day by an interval, around the clock.
func (e *env) addTime(at, by value, op string) value {
	t := at.typ
	t.Precision = max(t.Precision, 3)
	return value{sql: e.template("CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN "+clockOf("epoch_us($1) "+op+" $2 % 86400000 * 1000 + "+dayMicros)+" END", at, by), typ: t}
}

// clockFunctions are those over times of day.
func init() {
	for name, text := range map[string]string{"hour": "hour($1)", "minute": "minute($1)", "second": "second($1)", "millisecond": "(millisecond($1) % 1000)"} {
		define(name+"(time) bigint", "CAST("+text+" AS BIGINT)")
	}
	defineBy("date_trunc(varchar, time) =2", func(v *invocation) value {
		t := v.args[1].typ
		return v.byUnit(t, func(u string) value {
			unit := itoa64(clockUnits[u])
			return value{sql: v.template("CASE WHEN $1 IS NOT NULL THEN "+clockOf("epoch_us($1) // "+unit+" * "+unit)+" END", v.args[1]), typ: t}
		})
	})
	defineBy("date_add(varchar, bigint, time) =3", func(v *invocation) value {
		t := v.args[2].typ
		return v.byUnit(t, func(u string) value {
			unit := clockUnits[u]
			sum := v.template("CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN "+clockOf("epoch_us($1) + $2 % "+itoa64(86_400_000_000/unit)+" * "+itoa64(unit)+" + "+dayMicros)+" END", v.args[2], v.args[1])
			return value{sql: v.roundTime(sum, 6, min(t.Precision, 6)), typ: t}
		})
	})
	defineBy("date_diff(varchar, time, time) bigint", func(v *invocation) value {
		return v.byUnit(Type{Kind: Time}, func(u string) value {
			return value{sql: v.template("((epoch_us($2) - epoch_us($1)) // "+itoa64(clockUnits[u])+")", v.args[1], v.args[2]), typ: TypeBigint}
		})
	})
}
