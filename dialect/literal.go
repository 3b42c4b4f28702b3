package dialect

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the zones' rules must not depend on the machine
)

// Literals of the types that Go has no type of its own for.
type (
	micros int64 // a timestamp: microseconds since the Unix epoch, UTC
	days   int64 // a date: days since the Unix epoch
	millis int64 // an interval day to second
	months int64 // an interval year to month
)

func stringValue(s string) value {
	return value{sql: quote(s), typ: VarcharOf(len([]rune(s))), lit: s, easy: len(s) < 200}
}

func integerValue(n int64, t Type) value {
	return value{sql: castTo(itoa64(n), t), typ: t, lit: n, easy: true}
}

func (e *env) number(x *numberLit) value {
	switch x.kind {
	case tokInteger:
		text, sign := x.text, ""
		if text[0] == '-' {
			text, sign = text[1:], "-"
		}
		if len(text) < 2 || text[0] != '0' || digit(text[1]) || text[1] == '_' {
			text = strings.TrimLeft(strings.ReplaceAll(text, "_", ""), "0")
			if text == "" {
				text = "0"
			}
		}
		n, err := strconv.ParseInt(sign+text, 0, 64)
		if err != nil {
			e.fail(x.pos, "Invalid numeric literal: %s", x.text)
		}
		if n >= math.MinInt32 && n <= math.MaxInt32 {
			return integerValue(n, TypeInteger)
		}
		return integerValue(n, TypeBigint)
	case tokDecimal:
		return e.decimal(x.pos, x.text)
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(x.text, "_", ""), 64)
	if err != nil {
		e.fail(x.pos, "Invalid numeric literal: %s", x.text)
	}
	return value{sql: "CAST('" + strconv.FormatFloat(f, 'g', -1, 64) + "' AS DOUBLE)", typ: TypeDouble, lit: f, easy: true}
}

var decimalText = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)$`)

func (e *env) decimal(pos int, s string) value {
	text := strings.ReplaceAll(s, "_", "")
	if !decimalText.MatchString(text) {
		e.fail(pos, "'%s' is not a valid DECIMAL literal", s)
	}
	sign := ""
	if text[0] == '-' || text[0] == '+' {
		sign, text = strings.Trim(text[:1], "+"), text[1:]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	whole = strings.TrimLeft(whole, "0")
	p := max(1, len(whole)+len(fraction))
	if p > 38 {
		e.fail(pos, "Invalid numeric literal: %s", s)
	}
	t := DecimalOf(p, len(fraction))
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return value{sql: castTo("'"+sign+whole+"'", t), typ: t, easy: true, lit: decimalLit(sign + whole)}
}

// decimalLit is a decimal literal's text.
type decimalLit string

// timestampValue is a timestamp literal.
func timestampValue(m micros, precision int) value {
	return value{sql: "TIMESTAMP '" + microText(m) + "'", typ: TimestampOf(precision), lit: m, easy: true}
}

func microText(m micros) string {
	return time.UnixMicro(int64(m)).UTC().Format("2006-01-02 15:04:05.000000")
}

func dateValue(d days) value {
	return value{sql: "DATE '" + time.Unix(int64(d)*86400, 0).UTC().Format("2006-01-02") + "'", typ: TypeDate, lit: d, easy: true}
}

var timestampText = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})(?:([ T])(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,12}))?)?)?\s*(\S+)?$`)

// parsedTimestamp is what a timestamp's text says.
type parsedTimestamp struct {
	wall      time.Time // in UTC, whatever the zone
	precision int
	zone      string // "" where it has none
	hasTime   bool
	iso       bool // a T stood between date and time
	finer     bool // more than 6 fractional digits say something
}

func parseTimestamp(s string) (p parsedTimestamp, ok bool) {
	m := timestampText.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return p, false
	}
	n := [7]int{}
	for i, g := range []int{1, 2, 3, 5, 6, 7} {
		if m[g] != "" {
			n[i], _ = strconv.Atoi(m[g])
		}
	}
	fraction := m[8]
	digits := len(fraction)
	if digits > 6 {
		p.finer = strings.Trim(fraction[6:], "0") != ""
		fraction = fraction[:6]
	}
	us, _ := strconv.Atoi((fraction + "000000")[:6])
	p.wall = time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], us*1000, time.UTC)
	if p.wall.Year() != n[0] || int(p.wall.Month()) != n[1] || p.wall.Day() != n[2] || n[3] > 23 || n[4] > 59 || n[5] > 59 || n[0] < 1 {
		return p, false
	}
	p.precision, p.zone, p.hasTime, p.iso = digits, m[9], m[4] != "", m[4] == "T"
	return p, true
}

// parseLenient reads the texts that a timestamp compares with in CloudTrail Lake: a date, a date and a time with a blank or a T, in UTC or with
// an offset.
func parseLenient(s string) (m micros, precision int, ok bool) {
	p, ok := parseTimestamp(s)
	if !ok || p.finer || p.zone != "" && !p.hasTime {
		return 0, 0, false
	}
	t := p.wall
	if p.zone != "" {
		offset, named, ok := parseZone(p.zone)
		if !ok || named != nil {
			return 0, 0, false
		}
		t = t.Add(-time.Duration(offset) * time.Minute)
	}
	return micros(t.UnixMicro()), p.precision, true
}

var offsetText = regexp.MustCompile(`^([+-])(\d{2}):?(\d{2})$`)

// parseZone reads a time zone: an offset in minutes, or a zone with a name.
func parseZone(zone string) (offset int, named *time.Location, ok bool) {
	switch zone {
	case "Z", "z", "UTC", "utc":
		return 0, nil, true
	}
	if m := offsetText.FindStringSubmatch(zone); m != nil {
		h, _ := strconv.Atoi(m[2])
		n, _ := strconv.Atoi(m[3])
		if h > 14 || n > 59 || h == 14 && n > 0 {
			return 0, nil, false
		}
		if offset = h*60 + n; m[1] == "-" {
			offset = -offset
		}
		return offset, nil, true
	}
	if !strings.Contains(zone, "/") || strings.HasPrefix(zone, "Etc/") {
		return 0, nil, false
	}
	loc, err := time.LoadLocation(zone)
	return 0, loc, err == nil
}

// zoneName is a zone as values of it are printed.
func (c *checker) zoneName(pos int, zone string) string {
	offset, named, ok := parseZone(zone)
	switch {
	case !ok:
		c.fail(pos, "'%s' is not a known time zone", zone)
	case named != nil:
		return zone
	case offset == 0:
		return "UTC"
	}
	return offsetName(offset)
}

func offsetName(offset int) string {
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	two := func(n int) string { return string([]byte{'0' + byte(n/10), '0' + byte(n%10)}) }
	return sign + two(offset/60) + ":" + two(offset%60)
}

// typedLiteral is TYPE 'text'.
func (e *env) typedLiteral(x *typedLit) value {
	switch x.typ.base {
	case "date":
		p, ok := parseTimestamp(x.value)
		if !ok || p.hasTime || p.zone != "" {
			e.fail(x.pos, "'%s' is not a valid date literal", x.value)
		}
		return dateValue(days(p.wall.Unix() / 86400))
	case "timestamp":
		p, ok := parseTimestamp(x.value)
		if !ok || p.iso {
			e.fail(x.pos, "'%s' is not a valid TIMESTAMP literal", x.value)
		}
		if p.finer {
			e.unsupported(x.pos, "a timestamp with more than 6 fractional digits")
		}
		if p.zone == "" {
			return timestampValue(micros(p.wall.UnixMicro()), p.precision)
		}
		return e.zonedValue(x.pos, p)
	case "time":
		return e.timeLiteral(x)
	case "decimal":
		return e.decimal(x.pos, strings.TrimSpace(x.value))
	case "char":
		n := len([]rune(x.value))
		return value{sql: quote(x.value), typ: CharOf(n), easy: n < 200}
	case "ipaddress":
		return e.addressLiteral(x)
	case "json":
		return e.call(&callExpr{node: x.node, name: []name{{node: x.node, text: "json_parse"}}, args: []expr{&stringLit{x.node, x.value}}})
	}
	t := e.typeOf(x.typ)
	return e.castValue(x.pos, stringValue(x.value), t, false)
}

// zonedValue is a timestamp with the zone that it was written with.
func (e *env) zonedValue(pos int, p parsedTimestamp) value {
	zone := e.zoneName(pos, p.zone)
	offset, named, _ := parseZone(p.zone)
	t := p.wall.Add(-time.Duration(offset) * time.Minute)
	if named != nil {
		w := p.wall
		t = time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), w.Nanosecond(), named)
		if t.Hour() != w.Hour() {
			e.fail(pos, "%s does not exist in %s: the clock was put forward", w.Format("2006-01-02 15:04:05"), zone)
		}
	}
	v := timestampValue(micros(t.UnixMicro()), p.precision)
	v.typ = zonedOf(p.precision, zone)
	return v
}

var intervalTexts = map[string]*regexp.Regexp{
	"YEAR YEAR":     regexp.MustCompile(`^(\d+)$`),
	"YEAR MONTH":    regexp.MustCompile(`^(\d+)(?:-(\d+))?$`),
	"MONTH MONTH":   regexp.MustCompile(`^(\d+)$`),
	"DAY DAY":       regexp.MustCompile(`^(\d+)$`),
	"DAY HOUR":      regexp.MustCompile(`^(\d+)(?: (\d+))?$`),
	"DAY MINUTE":    regexp.MustCompile(`^(\d+)(?: (\d+)(?::(\d+))?)?$`),
	"DAY SECOND":    regexp.MustCompile(`^(\d+)(?: (\d+)(?::(\d+)(?::(\d+(?:\.\d{1,3})?))?)?)?$`),
	"HOUR HOUR":     regexp.MustCompile(`^(\d+)$`),
	"HOUR MINUTE":   regexp.MustCompile(`^(\d+)(?::(\d+))?$`),
	"HOUR SECOND":   regexp.MustCompile(`^(\d+)(?::(\d+)(?::(\d+(?:\.\d{1,3})?))?)?$`),
	"MINUTE MINUTE": regexp.MustCompile(`^(\d+)$`),
	"MINUTE SECOND": regexp.MustCompile(`^(\d+)(?::(\d+(?:\.\d{1,3})?))?$`),
	"SECOND SECOND": regexp.MustCompile(`^(\d+(?:\.\d{1,3})?)$`),
}

var intervalUnits = map[string]float64{"YEAR": 12, "MONTH": 1, "DAY": 86_400_000, "HOUR": 3_600_000, "MINUTE": 60_000, "SECOND": 1000}

func (e *env) interval(x *intervalLit) value {
	to := x.to
	if to == "" {
		to = x.from
	}
	re := intervalTexts[x.from+" "+to]
	if re == nil {
		e.fail(x.pos, "INTERVAL %s TO %s is not allowed", x.from, to)
	}
	text := strings.TrimSpace(x.value)
	negative := x.negative
	if strings.HasPrefix(text, "-") {
		negative, text = !negative, text[1:]
	}
	m := re.FindStringSubmatch(text)
	if m == nil {
		e.fail(x.pos, "'%s' is not a valid INTERVAL literal", x.value)
	}
	first := 0
	for i, f := range intervalFields {
		if f == x.from {
			first = i
		}
	}
	total := 0.0
	for i, part := range m[1:] {
		if part != "" {
			n, _ := strconv.ParseFloat(part, 64)
			total += n * intervalUnits[intervalFields[first+i]]
		}
	}
	if negative {
		total = -total
	}
	total = math.Round(total)
	if x.from == "YEAR" || x.from == "MONTH" {
		if math.Abs(total) > math.MaxInt32 {
			e.fail(x.pos, "'%s' is not a valid INTERVAL literal", x.value)
		}
		return monthsValue(months(total))
	}
	if math.Abs(total) > 1<<52 {
		e.fail(x.pos, "'%s' is not a valid INTERVAL literal", x.value)
	}
	return millisValue(millis(total))
}

func millisValue(n millis) value {
	return value{sql: castTo(itoa64(int64(n)), TypeBigint), typ: Type{Kind: IntervalDaySecond}, lit: n, easy: true}
}

func monthsValue(n months) value {
	return value{sql: castTo(itoa64(int64(n)), TypeInteger), typ: Type{Kind: IntervalYearMonth}, lit: n, easy: true}
}
