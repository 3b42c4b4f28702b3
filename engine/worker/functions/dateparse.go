package functions

import (
	"fmt"
	"strings"
)

// parse reads a whole text by a format.
func parse(list []element, text string) (m moment, err error) {
	at := 0
	for _, e := range list {
		n, ok := e.read(text, at, &m)
		if !ok {
			return m, malformed(text, at)
		}
		at = n
	}
	if at < len(text) {
		return m, malformed(text, at)
	}
	return m, nil
}

func malformed(text string, at int) error {
	switch {
	case at >= len(text):
		return fmt.Errorf("Invalid format: %q is too short", text)
	case at == 0:
		return fmt.Errorf("Invalid format: %q", text)
	}
	return fmt.Errorf("Invalid format: %q is malformed at %q", text, text[at:])
}

// read reads an element at a place of a text and answers where it ends.
func (e *element) read(text string, at int, m *moment) (end int, ok bool) {
	rest := text[at:]
	switch e.kind {
	case literal:
		return at + len(e.text), len(rest) >= len(e.text) && strings.EqualFold(rest[:len(e.text)], e.text)
	case number:
		n, length := digitsOf(rest, e.max, e.signed)
		m.save(e.field, n)
		return at + length, length > 0
	case twoDigit:
		return e.readTwoDigits(rest, at, m)
	case fraction:
		n, length := int64(0), 0
		for ; length < min(len(rest), e.max) && rest[length] >= '0' && rest[length] <= '9'; length++ {
			if length < 3 {
				n = n*10 + int64(rest[length]-'0')
			}
		}
		for i := length; i < 3; i++ {
			n *= 10
		}
		m.save(fieldFraction, n)
		return at + length, length > 0
	case month, weekdayName, halfday:
		names := []string{"AM", "PM"}
		switch e.kind {
		case month:
			names = months[:]
		case weekdayName:
			names = weekdays[:]
		}
		for _, short := range []bool{false, true} { // the longest name first
			for i, name := range names {
				if short {
					name = name[:min(3, len(name))]
				}
				if got := rest[:min(len(name), len(rest))]; got == name || got == strings.ToLower(name) || got == strings.ToUpper(name) {
					if e.kind != halfday {
						i++
					}
					m.save(e.field, int64(i))
					return at + len(name), true
				}
			}
		}
		return at, false
	case offset, offsetColon:
		zone, length := readOffset(rest)
		m.zone = zone
		return at + length, length > 0
	case zoneID:
		length := 0
		for length < len(rest) && !strings.ContainsRune(" ,;()[]'\"", rune(rest[length])) {
			length++
		}
		for ; length > 0; length-- {
			if zoneOf(rest[:length]) != nil {
				m.zone = strings.Clone(rest[:length])
				return at + length, true
			}
		}
		return at, false
	}
	return at, false // names of zones, eras and centuries: Loch writes them only
}

// digitsOf reads a number of at most so many digits, before which a sign may stand.
func digitsOf(text string, most int, signed bool) (n int64, length int) {
	negative, i := false, 0
	if signed && len(text) > 1 && (text[0] == '-' || text[0] == '+') && text[1] >= '0' && text[1] <= '9' {
		negative, i = text[0] == '-', 1
		most++
	}
	start := i
	for ; i < min(len(text), most) && text[i] >= '0' && text[i] <= '9'; i++ {
		n = n*10 + int64(text[i]-'0')
	}
	if i == start || i-start > 18 {
		return 0, 0
	}
	if negative {
		n = -n
	}
	return n, i
}

func (e *element) readTwoDigits(rest string, at int, m *moment) (end int, ok bool) {
	digit := func(i int) bool { return i < len(rest) && rest[i] >= '0' && rest[i] <= '9' }
	if e.lenient {
		n, length := digitsOf(rest, 9, true)
		if length != 2 || !digit(0) {
			m.save(e.field, n)
			return at + length, length > 0
		}
	}
	if !digit(0) || !digit(1) {
		return at, false
	}
	n := int64(rest[0]-'0')*10 + int64(rest[1]-'0')
	low := e.pivot - 50
	t := floorMod(low, 100)
	if n < t {
		n += 100
	}
	m.save(e.field, n+low-t)
	return at + 2, true
}

// readOffset reads Z, or an offset of hours and minutes, with or without a colon. Seconds of an offset are read where they are none.
func readOffset(text string) (zone string, length int) {
	if text == "" {
		return "", 0
	}
	if text[0] == 'Z' || text[0] == 'z' {
		return "UTC", 1
	}
	if text[0] != '+' && text[0] != '-' {
		return "", 0
	}
	two := func(i, most int) (int, bool) {
		if i+1 >= len(text) || text[i] < '0' || text[i] > '9' || text[i+1] < '0' || text[i+1] > '9' {
			return 0, false
		}
		n := int(text[i]-'0')*10 + int(text[i+1]-'0')
		return n, n <= most
	}
	h, ok := two(1, 23)
	if !ok {
		return "", 0
	}
	n, i := 0, 3
	if i < len(text) && text[i] == ':' {
		if n, ok = two(4, 59); !ok {
			return "", 0
		}
		i = 6
	} else if k, ok := two(3, 59); ok {
		n, i = k, 5
	}
	if h == 0 && n == 0 {
		return "UTC", i
	}
	if h > 14 || h == 14 && n > 0 {
		return "", 0 // Trino has no zone that far away
	}
	return string([]byte{text[0], '0' + byte(h/10), '0' + byte(h%10), ':', '0' + byte(n/10), '0' + byte(n%10)}), i
}

// isoDate reads a date of ISO 8601: of the calendar, of a week, or the day of a year.
func isoDate(text string, m *moment) (length int, ok bool) {
	y, at := digitsOf(text, 9, true)
	if at == 0 {
		return 0, false
	}
	rest := text[at:]
	if strings.HasPrefix(rest, "-W") {
		w, n := digitsOf(rest[2:], 2, false)
		if n == 0 {
			return 0, false
		}
		m.save(fieldWeekyear, y)
		m.save(fieldWeek, w)
		at += 2 + n
		if d, n := digitsOf(strings.TrimPrefix(text[at:], "-"), 1, false); n > 0 && strings.HasPrefix(text[at:], "-") {
			m.save(fieldWeekday, d)
			at += 2
		}
		return at, true
	}
	m.save(fieldYear, y)
	if !strings.HasPrefix(rest, "-") {
		return at, true
	}
	d, n := digitsOf(rest[1:], 3, false)
	if n == 3 {
		m.save(fieldDayOfYear, d)
		return at + 4, true
	}
	if n == 0 {
		return at, true
	}
	m.save(fieldMonth, d)
	at += 1 + n
	if d, n := digitsOf(strings.TrimPrefix(text[at:], "-"), 2, false); n > 0 && strings.HasPrefix(text[at:], "-") {
		m.save(fieldDay, d)
		at += 1 + n
	}
	return at, true
}

// isoTimestamp reads a date, a time after a T, or both, and perhaps an offset.
func isoTimestamp(text string) (m moment, err error) {
	at := 0
	if !strings.HasPrefix(text, "T") {
		n, ok := isoDate(text, &m)
		if !ok {
			return m, malformed(text, 0)
		}
		at = n
	}
	if strings.HasPrefix(text[at:], "T") {
		at++
		fields := []field{fieldHour, fieldMinute, fieldSecond}
		for i, f := range fields {
			if i > 0 {
				if !strings.HasPrefix(text[at:], ":") {
					break
				}
				at++
			}
			v, n := digitsOf(text[at:], 2, false)
			if n == 0 {
				if i == 0 && at < len(text) { // a T alone, or before an offset
					break
				}
				if i > 0 {
					return m, malformed(text, at-1)
				}
				break
			}
			m.save(f, v)
			at += n
			if at < len(text) && (text[at] == '.' || text[at] == ',') {
				n, length := digitsOf(text[at+1:], 9, false)
				if length == 0 {
					return m, malformed(text, at)
				}
				ms := n * int64([]int{hour, minute, second}[i])
				for range length {
					ms /= 10
				}
				for j, part := range []int64{ms / minute, ms / second % 60, ms % second} {
					if j >= i {
						m.save([]field{fieldMinute, fieldSecond, fieldFraction}[j], part)
					}
				}
				at += 1 + length
				break
			}
		}
		if at < len(text) {
			zone, n := readOffset(text[at:])
			if n == 0 {
				return m, malformed(text, at)
			}
			m.zone = zone
			at += n
		}
	}
	if at < len(text) {
		return m, malformed(text, at)
	}
	return m, nil
}
