package functions

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"sync"
)

// dates are the functions over dates and times that go by formats and zones. A zone is written as Trino writes it.
func dates(d definer) {
	d.failing("loch_format_datetime(timestamp, varchar, varchar) varchar", func(a Row, r *Result) error {
		list, err := jodaFormats.of(a.At(2).Text())
		if err != nil {
			return err
		}
		zone := a.At(1).Text()
		if zone == "" { // a timestamp without one
			for _, e := range list {
				if e.kind == offset || e.kind == offsetColon || e.kind == zoneID || e.kind == zoneName {
					return errors.New("format_datetime for TIMESTAMP type, cannot use 'Z' nor 'z' in format, as this type does not contain TZ information")
				}
			}
			zone = "UTC"
		}
		return r.written(list, a.At(0).Int(), zone)
	})
	d.failing("loch_date_format(timestamp, varchar) varchar", func(a Row, r *Result) error {
		list, err := mysqlFormats.of(a.At(1).Text())
		if err != nil {
			return err
		}
		return r.written(list, a.At(0).Int(), "UTC")
	})
	d.failing("loch_date_parse(varchar, varchar) timestamp", func(a Row, r *Result) error {
		list, err := mysqlFormats.of(a.At(1).Text())
		if err != nil {
			return err
		}
		m, err := parse(list, a.At(0).Text())
		return r.moment(m, err, false)
	})
	jodaMoment := func(a Row) (moment, error) {
		list, err := jodaFormats.of(a.At(1).Text())
		if err != nil {
			return moment{}, err
		}
		return parse(list, a.At(0).Text())
	}
	// An instant, and beside it the zone that the text names.
	d.failing("loch_parse_datetime(varchar, varchar) timestamp", func(a Row, r *Result) error {
		m, err := jodaMoment(a)
		return r.moment(m, err, true)
	})
	d.failing("loch_parse_zone(varchar, varchar) varchar", func(a Row, r *Result) error {
		m, err := jodaMoment(a)
		return r.zone(m, err)
	})
	d.failing("loch_iso_timestamp(varchar) timestamp", func(a Row, r *Result) error {
		m, err := isoTimestamp(a.At(0).Text())
		return r.moment(m, err, true)
	})
	d.failing("loch_iso_zone(varchar) varchar", func(a Row, r *Result) error {
		m, err := isoTimestamp(a.At(0).Text())
		return r.zone(m, err)
	})
	d.failing("loch_iso_date(varchar) date", func(a Row, r *Result) error {
		var m moment
		text := a.At(0).Text()
		n, ok := isoDate(text, &m)
		if !ok || n < len(text) {
			return malformed(text, n)
		}
		t, err := m.wall()
		if err == nil {
			r.Int(floorDiv(t, day))
		}
		return err
	})
	d.failing("loch_wall(timestamp, varchar) timestamp", func(a Row, r *Result) error {
		loc := zoneOf(a.At(1).Text())
		if loc == nil {
			return fmt.Errorf("'%s' is not a known time zone", a.At(1).Text())
		}
		us := a.At(0).Int()
		r.Int(us + 1000*offsetAt(loc, floorDiv(us, 1000)))
		return nil
	})
	d.failing("loch_instant(timestamp, varchar) timestamp", func(a Row, r *Result) error {
		loc := zoneOf(a.At(1).Text())
		if loc == nil {
			return fmt.Errorf("'%s' is not a known time zone", a.At(1).Text())
		}
		us := a.At(0).Int()
		r.Int(1000*instantOf(loc, floorDiv(us, 1000)) + floorMod(us, 1000))
		return nil
	})
	d.failing("loch_instant_near(timestamp, varchar, timestamp) timestamp", func(a Row, r *Result) error {
		loc := zoneOf(a.At(1).Text())
		if loc == nil {
			return fmt.Errorf("'%s' is not a known time zone", a.At(1).Text())
		}
		us := a.At(0).Int()
		r.Int(1000*instantNear(loc, floorDiv(us, 1000), floorDiv(a.At(2).Int(), 1000)) + floorMod(us, 1000))
		return nil
	})
	d.failing("loch_parse_duration(varchar) bigint", parseDuration)
}

// written writes a format's text of a number of microseconds.
func (r *Result) written(list []element, us int64, zone string) error {
	var err error
	if r.Scratch, err = write(r.Scratch[:0], list, floorDiv(us, 1000), zone); err == nil {
		r.Bytes(r.Scratch)
	}
	return err
}

// moment is what was read, as microseconds: an instant where zoned is set, else what the clock shows.
func (r *Result) moment(m moment, err error, zoned bool) error {
	if err != nil {
		return err
	}
	t, err := m.wall()
	if err != nil {
		return err
	}
	if zoned && m.zone != "" {
		t = instantOf(zoneOf(m.zone), t)
	}
	r.Int(t * 1000)
	return nil
}

func (r *Result) zone(m moment, err error) error {
	if err != nil {
		return err
	}
	if m.zone == "" {
		m.zone = "UTC"
	}
	r.Text(m.zone)
	return nil
}

var duration = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*$`) })

// parseDuration reads a number and a unit as milliseconds.
func parseDuration(a Row, r *Result) error {
	text := a.At(0).Text()
	m := duration().FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("duration is not a valid data duration string: %s", text)
	}
	unit, ok := map[string]float64{"ns": 1e-6, "us": 1e-3, "ms": 1, "s": second, "m": minute, "h": hour, "d": day}[m[2]]
	if !ok {
		return fmt.Errorf("Unknown time unit: %s", m[2])
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if n *= unit; err != nil || n > 1<<53 {
		return fmt.Errorf("duration is too large: %s", text)
	}
	r.Int(int64(math.Floor(n + 0.5)))
	return nil
}
