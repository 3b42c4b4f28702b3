package worker

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDatesLikeTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sec := rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds") // years 1 to 9999
		at := time.Unix(sec, 0).UTC()
		days := sec / 86400
		if sec%86400 < 0 {
			days--
		}
		got := string(appendTimestamp(nil, days, (sec-days*86400)*nanosPerSecond, 3))
		if want := at.Format("2006-01-02 15:04:05.000"); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
	for days, want := range map[int64]string{2932897: "+10000-01-01", -719529: "-0001-12-31", -719528: "0000-01-01"} {
		if got := string(appendDate(nil, days)); got != want {
			t.Errorf("day %d: got %s, want %s", days, got, want)
		}
	}
}

func TestParseTypes(t *testing.T) {
	for in, want := range map[string]string{
		"varchar": "varchar", "VARCHAR(10)": "varchar(10)", "map(varchar, array(bigint))": "map(varchar,array(bigint))",
		"row(timestamp timestamp(3), \"A\"\"b\" double precision, interval day to second)": `row(timestamp:timestamp(3),A"b:double,interval day to second)`,
		"timestamp(3) with time zone": "timestamp with time zone(3)", "row(bigint, timestamp with time zone, time with time zone)": "row(bigint,timestamp with time zone,time with time zone)",
		"decimal(38, 10)": "decimal(38,10)", "row(a row(b integer))": "row(a:row(b:integer))", "interval year to month": "interval year to month",
		"": "!", "map(varchar)": "!", "array(": "!", "row()": "!", "varchar)": "!", "decimal(a)": "!", "interval": "!", "array(varchar, varchar)": "!",
	} {
		typ, err := parseTrinoType(in)
		got := "!"
		if err == nil {
			got = typ.spell()
		}
		if got != want {
			t.Errorf("%q: got %s (%v), want %s", in, got, err, want)
		}
	}
}

func (t *trinoType) spell() string {
	s := t.name
	for i, p := range t.params {
		s += map[bool]string{true: "(", false: ","}[i == 0] + strconv.Itoa(p)
	}
	for i, e := range t.elems {
		s += map[bool]string{true: "(", false: ","}[i == 0]
		if t.fields[i] != "" {
			s += t.fields[i] + ":"
		}
		s += e.spell()
	}
	if len(t.params)+len(t.elems) > 0 {
		s += ")"
	}
	return s
}

func FuzzParseType(f *testing.F) {
	f.Add("map(varchar, row(\"a b\" bigint, c timestamp(3) with time zone))")
	f.Add("row(\u0130 bigint)") // longer in lower case
	f.Add("row(interval day to second, x interval year to month)")
	f.Fuzz(func(t *testing.T, s string) {
		if typ, err := parseTrinoType(s); err == nil && typ.name == "" {
			t.Error("a type without a name")
		}
	})
}

func FuzzDecodeRows(f *testing.F) {
	f.Add([]byte{0, 2, 'a', 1}, uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		_ = DecodeRows(b, make([]Value, int(n)+1), func([]Value) error { return nil })
	})
}
