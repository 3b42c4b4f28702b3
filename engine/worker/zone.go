package worker

import (
	"fmt"
	"time"
	_ "time/tzdata" // a confined child cannot read the machine's
)

// zone is where the values of a timestamp with time zone lie. DuckDB's values are instants alone; the statement says the zone.
type zone struct {
	name string
	loc  *time.Location
}

// loadZone finds an IANA name or reads an offset such as "-05:30"; "" is UTC.
func loadZone(name string) (*zone, error) {
	if name == "" || name == "UTC" {
		return nil, nil
	}
	if name[0] == '+' || name[0] == '-' {
		t, err := time.Parse("-07:00", name)
		if err != nil {
			return nil, fmt.Errorf("time zone %q: %w", name, err)
		}
		return &zone{name, t.Location()}, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	return &zone{name, loc}, nil
}

// offset is how many microseconds the zone's clocks are ahead of UTC at an instant.
func (z *zone) offset(micros int64) int64 {
	_, seconds := time.UnixMicro(micros).In(z.loc).Zone()
	return int64(seconds) * 1_000_000
}

// setZone gives a column and its parts their zone.
func (c *column) setZone(z *zone) {
	c.zone = z
	for _, p := range c.parts {
		p.setZone(z)
	}
}
