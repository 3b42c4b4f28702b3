package functions

import (
	"strings"
	"sync"
	"time"
)

// Days and milliseconds of the proleptic Gregorian calendar, as Joda's ISO chronology counts them. A wall clock's time is in milliseconds since
// 1970-01-01 00:00, whatever the zone.

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// civil is the date of a day counted from 1970-01-01.
func civil(days int64) (y int64, m, d int) {
	t := time.Unix(days*86400, 0).UTC()
	return int64(t.Year()), int(t.Month()), t.Day()
}

// dayOf is the day of a date, from 1970-01-01.
func dayOf(y int64, m, d int) int64 {
	return floorDiv(time.Date(int(y), time.Month(m), d, 0, 0, 0, 0, time.UTC).Unix(), 86400)
}

func daysIn(y int64, m int) int { return int(dayOf(y, m+1, 1) - dayOf(y, m, 1)) }

// weekday is 1 for Monday, 7 for Sunday.
func weekday(days int64) int { return int(floorMod(days+3, 7)) + 1 }

// firstWeek is the Monday of the first week of a week year: the one that 4 January lies in.
func firstWeek(y int64) int64 {
	d := dayOf(y, 1, 4)
	return d - int64(weekday(d)-1)
}

// weekOf is the week year and the week of a day.
func weekOf(days int64) (year int64, week int) {
	y, _, _ := civil(days)
	switch {
	case days < firstWeek(y):
		y--
	case days >= firstWeek(y+1):
		y++
	}
	return y, int((days-firstWeek(y))/7) + 1
}

// zones keeps the time zones that were looked up. There are few names, and of those that are none only a bounded number is kept.
var zones = struct {
	sync.RWMutex
	known map[string]*time.Location
}{known: map[string]*time.Location{}}

// zoneOf reads a zone as Trino writes it: UTC, an offset such as +05:30, or a name with a slash.
func zoneOf(name string) *time.Location {
	if name == "UTC" || name == "Z" {
		return time.UTC
	}
	if len(name) == 6 && (name[0] == '+' || name[0] == '-') && name[3] == ':' {
		n := 0
		for _, i := range []int{1, 2, 4, 5} {
			c := int(name[i]) - '0'
			if c < 0 || c > 9 {
				return nil
			}
			n = n*10 + c
		}
		minutes := n/100*60 + n%100
		if n%100 > 59 || minutes > 14*60 {
			return nil
		}
		if minutes == 0 {
			return time.UTC
		}
		if name[0] == '-' {
			minutes = -minutes
		}
		return time.FixedZone(strings.Clone(name), minutes*60)
	}
	zones.RLock()
	loc, ok := zones.known[name]
	zones.RUnlock()
	if ok {
		return loc
	}
	name = strings.Clone(name)
	if strings.Contains(name, "/") && !strings.HasPrefix(name, "Etc/") {
		if l, err := time.LoadLocation(name); err == nil {
			loc = l
		}
	}
	zones.Lock()
	if len(zones.known) < 2000 {
		zones.known[name] = loc
	}
	zones.Unlock()
	return loc
}

// offsetAt is a zone's offset in milliseconds at an instant.
func offsetAt(loc *time.Location, instant int64) int64 {
	_, offset := time.UnixMilli(instant).In(loc).Zone()
	return int64(offset) * second
}

// nextChange is when a zone's offset changes next after an instant; far away where it never does.
func nextChange(loc *time.Location, instant int64) int64 {
	_, end := time.UnixMilli(instant).In(loc).ZoneBounds()
	if end.IsZero() {
		return 1 << 62
	}
	return end.UnixMilli()
}

// instantOf is when a zone's clock shows a time. A time that the clock leaps over is moved on by the leap. Of two such instants it is the second east of
// Greenwich and the first west of it, as Joda's convertLocalToUTC has it.
func instantOf(loc *time.Location, wall int64) int64 {
	guess := offsetAt(loc, wall)
	offset := offsetAt(loc, wall-guess)
	if guess != offset && guess < 0 && nextChange(loc, wall-guess) != nextChange(loc, wall-offset) {
		offset = guess
	}
	return wall - offset
}

// instantNear is instantOf for a time that was computed from another instant's: the offset there stays, where the clock has it then too.
func instantNear(loc *time.Location, wall, from int64) int64 {
	if offset := offsetAt(loc, from); offsetAt(loc, wall-offset) == offset {
		return wall - offset
	}
	return instantOf(loc, wall)
}
