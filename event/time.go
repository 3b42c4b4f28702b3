package event

import "time"

// The bounds of eventTime: from 1970 to the end of the year 2200, in microseconds since the Unix epoch.
const (
	minTime = 0
	maxTime = 7_289_654_400 * 1_000_000 // 2201-01-01T00:00:00Z
)

// ParseTime reads an ISO 8601 time, as CloudTrail writes them (2023-07-10T11:42:36Z) or with a fraction of a second, with an offset (+02:00, +0200,
// +02), with a space for the T, or without a zone, which then is UTC. It gives microseconds since the Unix epoch, at a resolution of
// milliseconds: finer digits are cut off, since columns are timestamp(3) to whoever asks, and a value must be what it prints as. The text keeps them.
func ParseTime(s []byte) (int64, bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ' && s[10] != 't') || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	year, month, day := pair(s)*100+pair(s[2:]), pair(s[5:]), pair(s[8:])
	hour, minute, second := pair(s[11:]), pair(s[14:]), pair(s[17:])
	if year < 1 || pair(s[2:]) < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 { // 60 is a leap second
		return 0, false
	}
	t := ((dayNumber(year, month, day)*24+int64(hour))*60+int64(minute))*60 + int64(second)
	micros, rest := int64(0), s[19:]
	if len(rest) > 0 && (rest[0] == '.' || rest[0] == ',') {
		n, unit := 1, int64(100_000)
		for ; n < len(rest) && rest[n]-'0' <= 9; n++ {
			if unit >= 1000 {
				micros += int64(rest[n]-'0') * unit
			}
			unit /= 10
		}
		if n == 1 {
			return 0, false
		}
		rest = rest[n:]
	}
	offset, ok := zone(rest)
	return (t-offset)*1_000_000 + micros, ok
}

// pair reads two digits, and gives a number below zero where they are none.
func pair(s []byte) int {
	a, b := s[0]-'0', s[1]-'0'
	if a > 9 || b > 9 {
		return -1000
	}
	return int(a)*10 + int(b)
}

// zone reads what follows the time of day, as seconds east of UTC.
func zone(s []byte) (int64, bool) {
	switch {
	case len(s) == 0:
		return 0, true
	case s[0] == 'Z' || s[0] == 'z':
		return 0, len(s) == 1
	case s[0] != '+' && s[0] != '-':
		return 0, false
	}
	var hours, minutes int
	switch {
	case len(s) == 3:
		hours = pair(s[1:])
	case len(s) == 5:
		hours, minutes = pair(s[1:]), pair(s[3:])
	case len(s) == 6 && s[3] == ':':
		hours, minutes = pair(s[1:]), pair(s[4:])
	default:
		return 0, false
	}
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	offset := int64(hours*3600 + minutes*60)
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// dayNumber counts days from 1970-01-01 in the proleptic Gregorian calendar. The year begins in March here, so that the leap day is its last.
func dayNumber(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	return int64(365*year+year/4-year/100+year/400+(153*(month-3)+2)/5+day-1) - 719468
}

// FormatTime writes microseconds since the Unix epoch as CloudTrail writes times, with a fraction only where there is one.
func FormatTime(micros int64) string {
	return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
}
