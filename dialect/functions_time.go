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
			defineBy("date_format("+t+", varchar) varchar", func(v *invocation) value {
				return value{sql: v.template(fallible("loch_date_format($1, $2)", TypeVarchar), v.millis(v.wall(0)), v.args[1]), typ: v.typ}
			})
			defineBy("format_datetime("+t+", varchar) varchar", func(v *invocation) value {
				zone := ""
				if t == "zoned" {
					v.local(v.at(0), v.args[0]) // the zone must be known
					zone = v.args[0].typ.Zone
					if format, ok := v.args[1].text(); strings.Contains(zone, "/") && (!ok || strings.Contains(format, "z")) {
						v.unsupported(v.at(1), "the name of a time zone in a text")
					}
				}
				return value{sql: v.template(fallible("loch_format_datetime($1, "+quote(zone)+", $2)", TypeVarchar), v.millis(v.args[0]), v.args[1]), typ: v.typ}
			})
			defineBy("to_unixtime("+t+") double", func(v *invocation) value {
				if a := v.args[0]; a.anyZone != "" {
					v.args[0].sql = a.anyZone
				}
				return v.out("(epoch_us($1) / 1000000.0::DOUBLE)")
			})
		}
	}
	define("date_parse(varchar, varchar) timestamp", fallible("loch_date_parse($1, $2)", TypeTimestamp))
	defineBy("parse_datetime(varchar, varchar) zoned", func(v *invocation) value {
		// The zone is what the text says, where the format asks for one.
		if format, ok := v.args[1].text(); !ok || strings.Contains(format, "Z") {
			v.typ.Zone = unknownZone
		}
		return v.out(fallible("loch_parse_datetime($1, $2)", TypeTimestamp))
	})
	defineBy("from_unixtime(double) zoned", func(v *invocation) value { return v.out(unixtime) })
	defineBy("from_unixtime(double, varchar) zoned", func(v *invocation) value {
		v.typ = zonedOf(3, v.zoneArgument(1))
		return v.out(unixtime)
	})
	defineBy("from_unixtime(double, bigint, bigint) zoned", func(v *invocation) value {
		h, ok := v.args[1].lit.(int64)
		m, ok2 := v.args[2].lit.(int64)
		if !ok || !ok2 {
			v.unsupported(v.at(1), "an offset that is no literal")
		}
		offset := h*60 + m
		if h < -14 || h > 14 || m < -59 || m > 59 || offset < -14*60 || offset > 14*60 {
			v.fail(v.at(1), "Invalid offset minutes %d", offset)
		}
		if v.typ.Zone = "UTC"; offset != 0 {
			v.typ.Zone = offsetName(int(offset))
		}
		return v.out(unixtime)
	})
	defineBy("from_iso8601_timestamp(varchar) zoned", fromISO)
	define("from_iso8601_date(varchar) date", fallible("loch_iso_date($1)", TypeDate))
	defineBy("timezone(zoned) varchar", func(v *invocation) value {
		v.local(v.at(0), v.args[0])
		return v.out("CASE WHEN $1 IS NOT NULL THEN " + quote(v.args[0].typ.Zone) + " END")
	})
	define("parse_duration(varchar) daysecond", fallible("loch_parse_duration($1)", TypeBigint))
	defineBy("at_timezone(zoned, varchar) zoned", func(v *invocation) value {
		return v.inZone(v.call.pos, v.args[0], v.zoneArgument(1))
	})
	defineBy("with_timezone(timestamp, varchar) zoned", func(v *invocation) value {
		t := zonedOf(v.args[0].typ.Precision, v.zoneArgument(1))
		if t.Zone == unknownZone {
			return value{sql: v.template(fallible("loch_instant($1, $2)", TypeTimestamp), v.args...), typ: t}
		}
		return value{sql: v.instant(v.args[0].sql, t.Zone), typ: t}
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

// byUnit writes a call whose first argument is a unit of time that fits the type.
func (v *invocation) byUnit(t Type, write func(unit string) value) value {
	fits := func(u string) bool { return dateUnits[u] && t.Kind != Time || clockUnits[u] > 0 && t.Kind != Date }
	kind := strings.ToUpper(kindNames[t.Kind])
	if text, ok := v.args[0].text(); ok {
		u := strings.ToLower(text)
		if !fits(u) {
			v.fail(v.at(0), "'%s' is not a valid %s field", u, kind)
		}
		return write(u)
	}
	// The unit is known when the query runs: each has its own branch. The other arguments are written once.
	outer := v.args
	v.args = nil
	for i, a := range outer {
		v.args = append(v.args, value{sql: "$" + itoa(i+1), typ: a.typ, easy: true})
	}
	var b strings.Builder
	b.WriteString("CASE WHEN $1 IS NULL THEN NULL")
	result := t
	for _, u := range []string{"millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"} {
		if fits(u) {
			r := write(u)
			result = r.typ
			b.WriteString(" WHEN lower($1) = '" + u + "' THEN " + r.sql)
		}
	}
	v.args = outer
	b.WriteString(" ELSE " + raiseText(quote("'")+" || $1 || "+quote("' is not a valid "+kind+" field"), result) + " END")
	return value{sql: v.template(b.String(), outer...), typ: result}
}

func truncate(v *invocation) value {
	t := v.args[1].typ
	return v.byUnit(t, func(u string) value {
		switch t.Kind {
		case Date:
			return value{sql: v.template("CAST(date_trunc('"+u+"', $1) AS DATE)", v.args[1]), typ: t}
		case Timestamp:
			return value{sql: v.template("date_trunc('"+u+"', $1)", v.args[1]), typ: t, easy: v.args[1].easy}
		}
		return value{sql: v.instantNear(v.template("date_trunc('"+u+"', $1)", v.wall(1)), t.Zone, v.args[1].sql), typ: t}
	})
}

func dateAdd(v *invocation) value {
	t := v.args[2].typ
	return v.byUnit(t, func(u string) value {
		r := v.addUnits(u)
		if u == "millisecond" && t.Precision < 3 {
			fine := t
			fine.Precision = 3
			return value{sql: v.precision(value{sql: r.sql, typ: fine}, t.Precision), typ: t}
		}
		return r
	})
}

func (v *invocation) addUnits(u string) value {
	t := v.args[2].typ
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
	return value{sql: v.instantNear(v.template(sql, v.wall(2), n), t.Zone, at.sql), typ: t}
}

// dateDiff counts the whole units between two moments.
func dateDiff(v *invocation) value {
	t, ok := common(v.args[1].typ, v.args[2].typ)
	if !ok {
		v.fail(v.call.pos, "date_diff over %s and %s", v.args[1].typ, v.args[2].typ)
	}
	if t.Kind == TimestampZoned && v.args[1].typ.Kind == TimestampZoned {
		t.Zone = v.args[1].typ.Zone // days are those of the first one's clock
	}
	return v.byUnit(t, func(u string) value { return v.difference(u, t) })
}

func (v *invocation) difference(u string, t Type) value {
	a, b := v.coerce(v.args[1], t), v.coerce(v.args[2], t)
	if n, clock := clockUnits[u]; clock {
		return value{sql: v.template("((epoch_us($2) - epoch_us($1)) // "+itoa64(n)+")", a, b), typ: v.typ}
	}
	if t.Kind == TimestampZoned {
		b.typ.Zone = t.Zone
		a.sql, b.sql = v.local(v.at(1), a), v.local(v.at(2), b)
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
			minutes := "((epoch_us($2) - epoch_us($1)) // 60000000)"
			text = v.template("("+text+" || CASE WHEN $1 = $2 THEN 'Z' ELSE CASE WHEN $1 > $2 THEN '-' ELSE '+' END || lpad(CAST(abs("+minutes+") // 60 AS VARCHAR), 2, '0') || ':' || "+
				"lpad(CAST(abs("+minutes+") % 60 AS VARCHAR), 2, '0') END)", v.args[0], w)
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
		_, named, known := parseZone(p.zone)
		if ok && p.hasTime && p.iso && !strings.Contains(s, " ") && named == nil && (known || p.zone == "") {
			if p.precision = 3; p.zone == "" {
				p.zone = "UTC"
			}
			return v.zonedValue(v.at(0), p)
		}
	}
	text := v.args[0]
	any := v.template(fallible("loch_iso_timestamp($1)", TypeTimestamp), text)
	sql := v.template("CASE WHEN $1 IS NULL THEN NULL WHEN "+fallible("loch_iso_zone($1)", TypeVarchar)+" = 'UTC' THEN $2 ELSE "+
		raise("a time with another offset than UTC, whose offset matters, is "+notYet, TypeTimestamp)+" END", text, value{sql: any, typ: TypeTimestamp, easy: true})
	return value{sql: sql, typ: v.typ, anyZone: any}
}

// millis is a timestamp rounded to milliseconds: formats know no more of it.
func (v *invocation) millis(a value) value {
	a.sql = v.precision(a, 3)
	return a
}

// unixtime is the instant of a number of seconds, to the millisecond.
const unixtime = "make_timestamp(CAST(floor($1 * 1000 + 0.5) AS BIGINT) * 1000)"

// zoneArgument is the zone that an argument says; one that is known only when the query runs is unknownZone.
func (v *invocation) zoneArgument(i int) string {
	if s, ok := v.args[i].text(); ok {
		return v.zoneName(v.at(i), s)
	}
	return unknownZone
}
