package functions

import (
	"testing"
	"time"
)

// What a format writes it reads again, for every field together and over the years that have each of the calendar's shapes.
func TestFormatsReadWhatTheyWrite(t *testing.T) {
	for _, pattern := range []string{"yyyy-MM-dd HH:mm:ss.SSS", "xxxx-'W'ww-e kk:mm:ss.SSS", "yyyy/DDD KK:mm:ss.SSS a", "EEEE, d MMMM yyyy h:m:s.SSS a", "yyyyMMdd'T'HHmmss.SSSZZ"} {
		list, err := joda(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for i := int64(0); i < 3000; i++ {
			at := i*(11*day+7*hour+13*minute+17*second+19) - 20000*day
			text, err := write(nil, list, at, "UTC")
			if err != nil {
				t.Fatal(err)
			}
			m, err := parse(list, string(text))
			if err != nil {
				t.Fatalf("%s: %v", pattern, err)
			}
			if got, err := m.wall(); err != nil || got != at {
				t.Fatalf("%s: %q is %d, not %d: %v", pattern, text, got, at, err)
			}
		}
	}
}

// No pattern and no text makes the readers fail otherwise than by an error.
func FuzzParse(f *testing.F) {
	f.Add("yyyy-MM-dd''HH z", "2026-01-02'03 UTC")
	f.Add("%Y %M %r %f%", "2026 May 1:2:3 PM 5")
	f.Add("xxxx ww e G C ZZZ", "-1 99 9 AD 20 Europe/Berlin")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		for _, read := range []func(string) ([]element, error){joda, mysql} {
			list, err := read(pattern)
			if err != nil {
				continue
			}
			if m, err := parse(list, text); err == nil {
				m.wall()
			}
			if out, err := write(nil, list, int64(len(text))*day, "UTC"); err == nil && len(out) > 1<<20 && len(pattern) < 1<<10 {
				t.Fatal(len(out))
			}
		}
		if m, err := isoTimestamp(text); err == nil {
			m.wall()
		}
	})
}

// The clock of a zone with a leap, both ways, as Joda has it.
func TestInstantOfAmbiguousTimes(t *testing.T) {
	at := func(text string) int64 {
		x, err := time.Parse(time.DateTime, text)
		if err != nil {
			t.Fatal(err)
		}
		return x.UnixMilli()
	}
	for _, tt := range []struct{ zone, wall, instant string }{
		{"Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25 01:30:00"}, {"Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29 01:30:00"},
		{"America/New_York", "2026-11-01 01:30:00", "2026-11-01 05:30:00"}, {"America/New_York", "2026-03-08 02:30:00", "2026-03-08 07:30:00"},
		{"+05:30", "2026-01-01 00:00:00", "2025-12-31 18:30:00"}, {"UTC", "2026-01-01 00:00:00", "2026-01-01 00:00:00"},
	} {
		if got := instantOf(zoneOf(tt.zone), at(tt.wall)); got != at(tt.instant) {
			t.Errorf("%s in %s is %s, not %s", tt.wall, tt.zone, time.UnixMilli(got).UTC(), tt.instant)
		}
	}
	for _, none := range []string{"", "Nowhere", "+25:00", "Etc/GMT+1", "../etc/passwd", "/etc/localtime", "Europe/../../etc/passwd"} {
		if zoneOf(none) != nil {
			t.Errorf("%q is a zone", none)
		}
	}
}
