package dialect

import "strings"

func init() {
	for _, f := range []struct{ names, text string }{
		{"year", "year($1)"}, {"quarter", "quarter($1)"}, {"month", "month($1)"}, {"week week_of_year", "week($1)"}, {"year_of_week yow", "isoyear($1)"},
		{"day day_of_month", "day($1)"}, {"day_of_week dow", "isodow($1)"}, {"day_of_year doy", "dayofyear($1)"},
	} {
		for _, name := range strings.Fields(f.names) {
			part(name, "date", f.text)
			part(name, "timestamp", f.text)
			part(name, "zoned", f.text)
		}
	}
	for _, f := range []struct{ name, text string }{
		{"hour", "hour($1)"}, {"minute", "minute($1)"}, {"second", "second($1)"}, {"millisecond", "(millisecond($1) % 1000)"},
	} {
		part(f.name, "timestamp", f.text)
		part(f.name, "zoned", f.text)
	}
	define("day(daysecond) bigint", "($1 // 86400000)")
	define("hour(daysecond) bigint", "($1 // 3600000 % 24)")
	define("minute(daysecond) bigint", "($1 // 60000 % 60)")
	define("second(daysecond) bigint", "($1 // 1000 % 60)")
	define("millisecond(daysecond) bigint", "($1 % 1000)")
	define("year(yearmonth) bigint", "CAST($1 // 12 AS BIGINT)")
	define("month(yearmonth) bigint", "CAST($1 % 12 AS BIGINT)")
	define("to_milliseconds(daysecond) bigint", "$1")

	for _, t := range []string{"varchar", "date", "timestamp", "zoned"} {
		defineBy("date("+t+") date", func(v *invocation) value { return v.castValue(v.call.pos, v.args[0], TypeDate, false) })
		if t != "varchar" {
			defineBy("last_day_of_month("+t+") date", func(v *invocation) value {
				return value{sql: v.template("last_day($1)", v.wall(0)), typ: v.typ}
			})
			defineBy("date_trunc(varchar, "+t+") =2", truncate)
			defineBy("date_add(varchar, bigint, "+t+") =3", dateAdd)
			defineBy("date_diff(varchar, "+t+", "+t+") bigint", dateDiff)
			defineBy("to_iso8601("+t+") varchar", toISO)
		}
		if t == "timestamp" || t == "zoned" {
			defineBy("date_format("+t+", varchar) varchar", func(v *invocation) value { return v.strftime(mysqlFormat(v, 1)) })
			defineBy("format_datetime("+t+", varchar) varchar", func(v *invocation) value { return v.strftime(jodaFormat(v, 1)) })
			define("to_unixtime("+t+") double", "(epoch_us($1) / 1000000.0::DOUBLE)")
		}
	}
	defineBy("date_parse(varchar, varchar) timestamp", func(v *invocation) value {
		return v.strptime(mysqlFormat(v, 1), TimestampOf(3))
	})
	defineBy("parse_datetime(varchar, varchar) zoned", func(v *invocation) value {
		return v.strptime(jodaFormat(v, 1), zonedOf(3, "UTC"))
	})
	defineBy("from_unixtime(double) zoned", func(v *invocation) value {
		return v.out("make_timestamp(CAST(round($1 * 1000) AS BIGINT) * 1000)")
	})
	defineBy("from_unixtime(double, varchar) zoned", func(v *invocation) value {
		v.typ = zonedOf(3, v.zoneName(v.at(1), v.literal(1)))
		return v.out("make_timestamp(CAST(round($1 * 1000) AS BIGINT) * 1000)")
	})
	defineBy("from_iso8601_timestamp(varchar) zoned", fromISO)
	defineBy("from_iso8601_date(varchar) date", func(v *invocation) value {
		return v.out("CASE WHEN regexp_full_match($1, '[0-9]{4}-([0-9]{3}|W[0-9]{2}(-[0-9])?)') THEN " + raise("a date in ISO 8601's rarer forms is "+notYet, TypeDate) +
			" ELSE " + v.fromText(value{sql: "$1", typ: TypeVarchar, easy: true}, TypeDate, `[0-9]{4}-[0-9]{2}-[0-9]{2}`, "", false) + " END")
	})
	defineBy("at_timezone(zoned, varchar) zoned", func(v *invocation) value {
		return v.inZone(v.call.pos, v.args[0], v.zoneName(v.at(1), v.literal(1)))
	})
	defineBy("with_timezone(timestamp, varchar) zoned", func(v *invocation) value {
		zone := v.zoneName(v.at(1), v.literal(1))
		return value{sql: v.instant(v.args[0].sql, zone), typ: zonedOf(v.args[0].typ.Precision, zone)}
	})
	for _, f := range []struct{ name, text string }{{"timezone_hour", "// 60"}, {"timezone_minute", "% 60"}} {
		defineBy(f.name+"(zoned) bigint", func(v *invocation) value {
			return value{sql: v.template("(((epoch_us($2) - epoch_us($1)) // 60000000) "+f.text+")", v.args[0], v.wall(0)), typ: v.typ}
		})
	}
}

// part adds a function that answers one field of a date or a time.
func part(name, t, text string) {
	defineBy(name+"("+t+") bigint", func(v *invocation) value {
		w := v.wall(0)
		r := value{sql: v.template("CAST("+text+" AS BIGINT)", w), typ: v.typ}
		r.easy = w.easy
		return r
	})
}

// wall is an argument as its clock on the wall shows it.
func (v *invocation) wall(i int) value {
	a := v.args[i]
	if a.typ.Kind == TimestampZoned {
		return value{sql: v.local(v.at(i), a), typ: TimestampOf(a.typ.Precision), easy: a.easy && a.typ.Zone == "UTC"}
	}
	return a
}

var dateUnits = map[string]bool{"day": true, "week": true, "month": true, "quarter": true, "year": true}
var clockUnits = map[string]int64{"millisecond": 1000, "second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000}

// unit is the first argument, a unit of time that fits the type.
func (v *invocation) unit(t Type) string {
	u := strings.ToLower(v.literal(0))
	if _, clock := clockUnits[u]; !dateUnits[u] && (!clock || t.Kind == Date) {
		v.fail(v.at(0), "'%s' is not a valid %s field", u, strings.ToUpper(kindNames[t.Kind]))
	}
	return u
}

func truncate(v *invocation) value {
	t := v.args[1].typ
	u := v.unit(t)
	switch t.Kind {
	case Date:
		return value{sql: v.template("CAST(date_trunc('"+u+"', $1) AS DATE)", v.args[1]), typ: t}
	case Timestamp:
		return value{sql: v.template("date_trunc('"+u+"', $1)", v.args[1]), typ: t, easy: v.args[1].easy}
	}
	return value{sql: v.instant(v.template("date_trunc('"+u+"', $1)", v.wall(1)), t.Zone), typ: t}
}

func dateAdd(v *invocation) value {
	t := v.args[2].typ
	u := v.unit(t)
	n, at := v.args[1], v.args[2]
	if lit, ok := n.lit.(int64); ok {
		// as an interval, so that a literal's sum is one as well
		switch u {
		case "year", "quarter", "month":
			if lit > -200_000 && lit < 200_000 {
				by := monthsValue(months(lit * map[string]int64{"year": 12, "quarter": 3, "month": 1}[u]))
				return v.addInterval(v.call.pos, at, by, false)
			}
		default:
			unit := map[string]int64{"week": 7 * 86_400_000, "day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1000, "millisecond": 1}[u]
			if lit > -(1<<52)/unit && lit < (1<<52)/unit && (t.Kind != TimestampZoned || t.Zone == "UTC" || clockUnits[u] > 0) {
				r := v.addInterval(v.call.pos, at, millisValue(millis(lit*unit)), false)
				if t.Kind != Date && t.Precision < 3 && u != "millisecond" {
					r.typ = t
				}
				return r
			}
		}
	}
	var sql string
	switch {
	case u == "year" || u == "quarter" || u == "month":
		sql = "($1 + to_months(CAST($2 * " + map[string]string{"year": "12", "quarter": "3", "month": "1"}[u] + " AS INTEGER)))"
	case t.Kind == Date:
		sql = "($1 + CAST($2 * " + map[string]string{"week": "7", "day": "1"}[u] + " AS INTEGER))"
	case u == "week" || u == "day":
		sql = moved("$1", " + $2 * "+map[string]string{"week": "604800000000", "day": "86400000000"}[u])
	default:
		return value{sql: v.template(moved("$1", " + $2 * "+itoa64(clockUnits[u])), at, n), typ: t}
	}
	switch t.Kind {
	case Date:
		return value{sql: castTo(v.template(sql, at, n), t), typ: t}
	case Timestamp:
		return value{sql: v.template(sql, at, n), typ: t}
	}
	return value{sql: v.instant(v.template(sql, v.wall(2), n), t.Zone), typ: t}
}

// dateDiff counts the whole units between two moments.
func dateDiff(v *invocation) value {
	t, ok := common(v.args[1].typ, v.args[2].typ)
	if !ok {
		v.fail(v.call.pos, "date_diff over %s and %s", v.args[1].typ, v.args[2].typ)
	}
	a, b := v.coerce(v.args[1], t), v.coerce(v.args[2], t)
	u := v.unit(t)
	if n, clock := clockUnits[u]; clock {
		return value{sql: v.template("((epoch_us($2) - epoch_us($1)) // "+itoa64(n)+")", a, b), typ: v.typ}
	}
	if t.Kind == TimestampZoned && t.Zone != "UTC" {
		v.unsupported(v.call.pos, "date_diff in days over a zone other than UTC")
	}
	switch {
	case t.Kind == Date && (u == "day" || u == "week"):
		return value{sql: v.template("(CAST($2 - $1 AS BIGINT) // "+map[string]string{"day": "1", "week": "7"}[u]+")", a, b), typ: v.typ}
	case u == "day" || u == "week":
		return value{sql: v.template("((epoch_us($2) - epoch_us($1)) // "+map[string]string{"day": "86400000000", "week": "604800000000"}[u]+")", a, b), typ: v.typ}
	}
	// Months: whole ones, where the last day of a month counts as whichever later day the other has.
	per := map[string]string{"month": "1", "quarter": "3", "year": "12"}[u]
	return value{sql: v.template("(date_sub('month', CAST($1 AS TIMESTAMP), CAST($2 AS TIMESTAMP)) // "+per+")", a, b), typ: v.typ}
}

func toISO(v *invocation) value {
	t := v.args[0].typ
	n := map[Kind]int{Date: 16, Timestamp: 22, TimestampZoned: 28}[t.Kind]
	if t.Precision > 0 {
		n += 1 + t.Precision
	}
	v.typ = VarcharOf(n)
	if t.Kind == Date {
		return v.out("CAST($1 AS VARCHAR)")
	}
	w := v.wall(0)
	text := "replace(" + timestampTextSQL(w.sql, t.Precision) + ", ' ', 'T')"
	if t.Kind == TimestampZoned {
		switch _, named, _ := parseZone(t.Zone); {
		case t.Zone == "UTC":
			text = "(" + text + " || 'Z')"
		case named != nil:
			v.unsupported(v.call.pos, "to_iso8601 in a zone with a name")
		default:
			text = "(" + text + " || " + quote(t.Zone) + ")"
		}
	}
	return value{sql: text, typ: v.typ}
}

// fromISO reads an ISO 8601 timestamp. A literal may have any zone; in data only UTC is known before the query runs, another fails then.
func fromISO(v *invocation) value {
	if s, ok := v.args[0].text(); ok {
		p, ok := parseTimestamp(s)
		if !ok || p.hasTime && !p.iso {
			v.fail(v.at(0), "Invalid format: \"%s\"", s)
		}
		p.precision = 3
		if p.zone == "" {
			p.zone = "UTC"
		}
		return v.zonedValue(v.at(0), p)
	}
	form := `[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,6})?)?(Z|[+-]00:?00)?)?`
	sql := v.template("CASE WHEN $1 IS NULL THEN NULL WHEN regexp_full_match($1, "+quote(form)+") THEN "+
		"CAST(replace(replace(regexp_replace($1, '(Z|[+-]00:?00)$', ''), 'T', ' '), ',', '.') AS TIMESTAMP) "+
		"WHEN regexp_full_match($1, '[0-9W.,:TZ+-]+') THEN "+raise("a time in ISO 8601's rarer forms, or with another offset than UTC, is "+notYet, TypeTimestamp)+
		" ELSE "+raiseText("'Invalid format: ' || $1", TypeTimestamp)+" END", v.args[0])
	return value{sql: v.precision(value{sql: sql, typ: TimestampOf(6)}, 3), typ: v.typ}
}

func (v *invocation) strftime(format string) value {
	w := v.wall(0)
	return value{sql: v.template("strftime($1, $2)", w, value{sql: quote(format), typ: TypeVarchar, easy: true}), typ: v.typ}
}

func (v *invocation) strptime(format string, t Type) value {
	format = strings.ReplaceAll(format, "%-", "%") // both read one digit as well as two
	// Parts that the format lacks are those of 1970-01-01; to DuckDB they are those of 1900-01-01.
	text := v.args[0]
	if !strings.Contains(format, "%Y") && !strings.Contains(format, "%y") {
		if strings.Contains(format, "%G") || strings.Contains(format, "%V") {
			v.unsupported(v.call.pos, "a date by its week")
		}
		format = "%Y " + format
		text = value{sql: "('1970 ' || " + text.sql + ")", typ: TypeVarchar}
	}
	sql := v.template("strptime($1, $2)", text, value{sql: quote(format), typ: TypeVarchar, easy: true})
	return value{sql: castTo(sql, t), typ: t}
}

// mysqlFormat is the i-th argument, a format of MySQL's letters, in strftime's.
func mysqlFormat(v *invocation, i int) string {
	text := v.literal(i)
	letters := map[byte]string{'a': "%a", 'b': "%b", 'c': "%-m", 'd': "%d", 'e': "%-d", 'f': "%f", 'H': "%H", 'h': "%I", 'I': "%I", 'i': "%M", 'j': "%j", 'k': "%-H",
		'l': "%-I", 'M': "%B", 'm': "%m", 'p': "%p", 'r': "%I:%M:%S %p", 'S': "%S", 's': "%S", 'T': "%H:%M:%S", 'v': "%V", 'W': "%A", 'x': "%G", 'Y': "%Y", 'y': "%y", '%': "%%"}
	var b strings.Builder
	for j := 0; j < len(text); j++ {
		if text[j] != '%' {
			b.WriteByte(text[j])
			continue
		}
		j++
		if j == len(text) {
			v.fail(v.at(i), "Invalid format: '%s'", text)
		}
		s, ok := letters[text[j]]
		if !ok {
			v.fail(v.at(i), "%%%c not supported in date format string", text[j])
		}
		b.WriteString(s)
	}
	return b.String()
}

// jodaFormat is the i-th argument, a format of Joda's letters, in strftime's.
func jodaFormat(v *invocation, i int) string {
	text := v.literal(i)
	letters := map[string]string{"yyyy": "%Y", "YYYY": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d", "HH": "%H", "H": "%-H",
		"hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "SSS": "%g", "EEEE": "%A", "EEE": "%a", "EE": "%a", "E": "%a", "a": "%p", "DDD": "%j",
		"ww": "%V", "xxxx": "%G", "e": "%u"}
	var b strings.Builder
	for j := 0; j < len(text); {
		c := text[j]
		switch {
		case c == '\'':
			end := strings.IndexByte(text[j+1:], '\'')
			if end < 0 {
				v.fail(v.at(i), "Invalid format: '%s'", text)
			}
			if end == 0 {
				b.WriteByte('\'')
			} else {
				b.WriteString(strings.ReplaceAll(text[j+1:j+1+end], "%", "%%"))
			}
			j += end + 2
		case letter(c):
			n := j
			for n < len(text) && text[n] == c {
				n++
			}
			s, ok := letters[text[j:n]]
			if !ok {
				v.unsupported(v.at(i), "'"+text[j:n]+"' in a date format")
			}
			b.WriteString(s)
			j = n
		case c == '%':
			b.WriteString("%%")
			j++
		default:
			b.WriteByte(c)
			j++
		}
	}
	return b.String()
}
