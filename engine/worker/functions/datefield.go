package functions

import (
	"errors"
	"slices"
)

// field is one of the fields that a clock's and a calendar's time is read and written by.
type field int

// The fields in the order in which what was read of them is set: by the span that a field counts within, the longest first, and of two with one span the
// longer first.
const (
	fieldYear field = iota
	fieldWeekyear
	fieldYearOfEra
	fieldMonth
	fieldWeek
	fieldDayOfYear
	fieldDay
	fieldWeekday
	fieldHalfday
	fieldHour
	fieldClockHour // 1 to 24
	fieldHalfHour  // 0 to 11
	fieldHalfClock // 1 to 12
	fieldMinute
	fieldSecond
	fieldFraction // milliseconds
)

// get reads a field of a wall clock's time.
func (f field) get(t int64) int64 {
	days, clock := floorDiv(t, day), floorMod(t, day)
	y, m, d := civil(days)
	switch f {
	case fieldYear:
		return y
	case fieldYearOfEra:
		if y < 1 {
			return 1 - y
		}
		return y
	case fieldWeekyear:
		w, _ := weekOf(days)
		return w
	case fieldMonth:
		return int64(m)
	case fieldWeek:
		_, w := weekOf(days)
		return int64(w)
	case fieldDayOfYear:
		return days - dayOf(y, 1, 1) + 1
	case fieldDay:
		return int64(d)
	case fieldWeekday:
		return int64(weekday(days))
	case fieldHalfday:
		return clock / (12 * hour)
	case fieldHour:
		return clock / hour
	case fieldClockHour:
		return (clock/hour+23)%24 + 1
	case fieldHalfHour:
		return clock / hour % 12
	case fieldHalfClock:
		return (clock/hour+11)%12 + 1
	case fieldMinute:
		return clock / minute % 60
	case fieldSecond:
		return clock / second % 60
	}
	return clock % second
}

var errField = errors.New("Invalid format: a field's value is out of its range")

// set changes a field of a wall clock's time and leaves the others; floor puts what is smaller than the field to its beginning.
func (f field) set(t, n int64, floor bool) (int64, error) {
	days, clock := floorDiv(t, day), floorMod(t, day)
	y, m, d := civil(days)
	in := func(low, high int64) bool { return n >= low && n <= high }
	ok := true
	switch f {
	case fieldYear, fieldYearOfEra:
		if ok = in(-9999, 99999) && (f == fieldYear || n > 0); ok {
			if days = dayOf(n, m, min(d, daysIn(n, m))); floor {
				days, clock = dayOf(n, 1, 1), 0
			}
		}
	case fieldWeekyear:
		if ok = in(-9999, 99999); ok {
			_, w := weekOf(days)
			w = min(w, weeksIn(n))
			if days = firstWeek(n) + int64(w-1)*7 + int64(weekday(days)-1); floor {
				days, clock = firstWeek(n), 0
			}
		}
	case fieldMonth:
		if ok = in(1, 12); ok {
			if days = dayOf(y, int(n), min(d, daysIn(y, int(n)))); floor {
				days, clock = dayOf(y, int(n), 1), 0
			}
		}
	case fieldWeek:
		w, _ := weekOf(days)
		if ok = in(1, int64(weeksIn(w))); ok {
			if days = firstWeek(w) + (n-1)*7 + int64(weekday(days)-1); floor {
				days, clock = firstWeek(w)+(n-1)*7, 0
			}
		}
	case fieldDayOfYear:
		ok = in(1, dayOf(y+1, 1, 1)-dayOf(y, 1, 1))
		days = dayOf(y, 1, 1) + n - 1
	case fieldDay:
		ok = in(1, int64(daysIn(y, m)))
		days = dayOf(y, m, 1) + n - 1
	case fieldWeekday:
		ok = in(1, 7)
		days += n - int64(weekday(days))
	case fieldHalfday:
		ok = in(0, 1)
		if clock = clock%(12*hour) + n*12*hour; floor {
			clock = n * 12 * hour
		}
	case fieldHour, fieldClockHour:
		if ok = in(0, 23) || f == fieldClockHour && in(1, 24); f == fieldClockHour {
			ok = in(1, 24)
			n %= 24
		}
		if clock = clock%hour + n*hour; floor {
			clock = n * hour
		}
	case fieldHalfHour, fieldHalfClock:
		if ok = in(0, 11); f == fieldHalfClock {
			ok = in(1, 12)
			n %= 12
		}
		if clock = clock/(12*hour)*(12*hour) + clock%hour + n*hour; floor {
			clock -= clock % hour
		}
	case fieldMinute:
		ok = in(0, 59)
		if clock = clock/hour*hour + clock%minute + n*minute; floor {
			clock -= clock % minute
		}
	case fieldSecond:
		ok = in(0, 59)
		if clock = clock/minute*minute + clock%second + n*second; floor {
			clock -= clock % second
		}
	case fieldFraction:
		clock = clock/second*second + n
	}
	if !ok {
		return 0, errField
	}
	if floor && f >= fieldDayOfYear && f <= fieldWeekday {
		clock = 0
	}
	return days*day + clock, nil
}

func weeksIn(y int64) int { return int((firstWeek(y+1) - firstWeek(y)) / 7) }

// moment is what was read of a text: fields, and perhaps an offset or a zone.
type moment struct {
	fields []fieldValue
	zone   string // "" where none was read
}

type fieldValue struct {
	field field
	value int64
}

func (m *moment) save(f field, n int64) { m.fields = append(m.fields, fieldValue{f, n}) }

// wall is the time that the fields make together. What they leave open is the beginning of what they say; of a month or a day alone the year is 2000.
func (m *moment) wall() (int64, error) {
	slices.SortStableFunc(m.fields, func(a, b fieldValue) int { return int(a.field) - int(b.field) })
	if len(m.fields) > 0 {
		switch m.fields[0].field {
		case fieldMonth, fieldWeek, fieldDayOfYear, fieldDay, fieldWeekday:
			m.fields = append([]fieldValue{{fieldYear, 2000}}, m.fields...)
		}
	}
	t := int64(0)
	var err error
	for _, f := range m.fields {
		if t, err = f.field.set(t, f.value, true); err != nil {
			return 0, err
		}
	}
	for i, f := range m.fields {
		if t, err = f.field.set(t, f.value, i == len(m.fields)-1); err != nil {
			return 0, err
		}
	}
	return t, nil
}
