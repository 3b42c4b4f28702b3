package functions

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A date format is a row of elements, each of which writes and reads one part of a text. There are two notations: Joda's letters, and MySQL's.

type elementKind int

const (
	literal  elementKind = iota
	number               // of at least min and at most max digits
	twoDigit             // of a year
	fraction             // of a second
	month                // its name
	weekdayName
	halfday
	offset // +0000
	offsetColon
	zoneID
	zoneName
	era
	century
)

type element struct {
	kind     elementKind
	field    field
	min, max int
	signed   bool
	text     string // of a literal
	long     bool   // the whole name
	pivot    int64  // of two digits: the year in the middle of those that are meant
	lenient  bool   // more digits or fewer are a whole year
}

var months = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
var weekdays = [...]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// joda reads a pattern of Joda's letters.
func joda(pattern string) ([]element, error) {
	if pattern == "" {
		return nil, errors.New("Invalid pattern specification: Pattern is null or empty")
	}
	tokens := jodaTokens(pattern)
	var list []element
	for i, t := range tokens {
		if t[0] == '\'' {
			list = append(list, element{kind: literal, text: t[1:]})
			continue
		}
		n := len(t)
		numeric := false // whether the next one is a number
		if i+1 < len(tokens) {
			next := tokens[i+1]
			numeric = strings.ContainsRune("cCxyYdhHmsSDFwWkKe", rune(next[0])) || next[0] == 'M' && len(next) <= 2
		}
		num := func(f field, most int) { list = append(list, element{kind: number, field: f, min: n, max: most}) }
		switch t[0] {
		case 'y', 'Y', 'x':
			f := map[byte]field{'y': fieldYear, 'Y': fieldYearOfEra, 'x': fieldWeekyear}[t[0]]
			if n == 2 {
				now, _, _ := civil(time.Now().Unix() / 86400)
				list = append(list, element{kind: twoDigit, field: f, pivot: now - 30, lenient: !numeric})
				continue
			}
			most := 9
			if numeric {
				most = n
			}
			list = append(list, element{kind: number, field: f, min: n, max: max(most, n), signed: f != fieldYearOfEra})
		case 'M':
			if n >= 3 {
				list = append(list, element{kind: month, field: fieldMonth, long: n > 3})
				continue
			}
			num(fieldMonth, 2)
		case 'd':
			num(fieldDay, 2)
		case 'D':
			num(fieldDayOfYear, 3)
		case 'w':
			num(fieldWeek, 2)
		case 'e':
			num(fieldWeekday, 1)
		case 'E':
			list = append(list, element{kind: weekdayName, field: fieldWeekday, long: n > 3})
		case 'a':
			list = append(list, element{kind: halfday, field: fieldHalfday})
		case 'H':
			num(fieldHour, 2)
		case 'k':
			num(fieldClockHour, 2)
		case 'K':
			num(fieldHalfHour, 2)
		case 'h':
			num(fieldHalfClock, 2)
		case 'm':
			num(fieldMinute, 2)
		case 's':
			num(fieldSecond, 2)
		case 'S':
			list = append(list, element{kind: fraction, min: n, max: n})
		case 'z':
			list = append(list, element{kind: zoneName, long: n > 3})
		case 'Z':
			list = append(list, element{kind: []elementKind{offset, offsetColon, zoneID}[min(n, 3)-1]})
		case 'G':
			list = append(list, element{kind: era})
		case 'C':
			list = append(list, element{kind: century, min: n})
		default:
			return nil, fmt.Errorf("Illegal pattern component: %s", t)
		}
	}
	return list, nil
}

// jodaTokens cuts a pattern into runs of one letter and texts, which begin with a quote.
func jodaTokens(pattern string) []string {
	var list []string
	letter := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
	for i := 0; i < len(pattern); {
		j := i
		if letter(pattern[i]) {
			for j < len(pattern) && pattern[j] == pattern[i] {
				j++
			}
			list = append(list, pattern[i:j])
			i = j
			continue
		}
		text, quoted := "'", false
		for ; j < len(pattern); j++ {
			switch c := pattern[j]; {
			case c == '\'' && j+1 < len(pattern) && pattern[j+1] == '\'':
				text += "'"
				j++
				continue
			case c == '\'':
				quoted = !quoted
				continue
			case !quoted && letter(c):
			default:
				text += pattern[j : j+1]
				continue
			}
			break
		}
		if len(text) > 1 {
			list = append(list, text)
		}
		i = j
	}
	return list
}

// mysql reads a pattern of MySQL's letters, as far as Trino has them.
func mysql(pattern string) ([]element, error) {
	var list []element
	num := func(f field, least, most int) {
		list = append(list, element{kind: number, field: f, min: least, max: most})
	}
	text := func(s string) { list = append(list, element{kind: literal, text: s}) }
	half := element{kind: halfday, field: fieldHalfday}
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			j := i
			for j < len(pattern) && pattern[j] != '%' {
				j++
			}
			text(pattern[i:j])
			i = j - 1
			continue
		}
		if i++; i == len(pattern) {
			break
		}
		switch c := pattern[i]; c {
		case 'a', 'W':
			list = append(list, element{kind: weekdayName, field: fieldWeekday, long: c == 'W'})
		case 'b', 'M':
			list = append(list, element{kind: month, field: fieldMonth, long: c == 'M'})
		case 'c':
			num(fieldMonth, 1, 2)
		case 'm':
			num(fieldMonth, 2, 2)
		case 'd':
			num(fieldDay, 2, 2)
		case 'e':
			num(fieldDay, 1, 2)
		case 'f':
			list = append(list, element{kind: fraction, min: 6, max: 9})
		case 'H':
			num(fieldHour, 2, 2)
		case 'k':
			num(fieldHour, 1, 2)
		case 'h', 'I':
			num(fieldHalfClock, 2, 2)
		case 'l':
			num(fieldHalfClock, 1, 2)
		case 'i':
			num(fieldMinute, 2, 2)
		case 's', 'S':
			num(fieldSecond, 2, 2)
		case 'j':
			num(fieldDayOfYear, 3, 3)
		case 'p':
			list = append(list, half)
		case 'r', 'T':
			num(map[byte]field{'r': fieldHalfClock, 'T': fieldHour}[c], 2, 2)
			text(":")
			num(fieldMinute, 2, 2)
			text(":")
			num(fieldSecond, 2, 2)
			if c == 'r' {
				text(" ")
				list = append(list, half)
			}
		case 'v':
			num(fieldWeek, 2, 2)
		case 'x', 'Y':
			list = append(list, element{kind: number, field: map[byte]field{'x': fieldWeekyear, 'Y': fieldYear}[c], min: 4, max: 4, signed: true})
		case 'y':
			list = append(list, element{kind: twoDigit, field: fieldYear, pivot: 2020})
		case 'w', 'U', 'u', 'V', 'X', 'D':
			return nil, fmt.Errorf("%%%c not supported in date format string", c)
		default:
			r := []rune(pattern[i:])[0]
			text(string(r))
			i += len(string(r)) - 1
		}
	}
	return list, nil
}

// formats keeps patterns that were read. Only a bounded number of them is kept.
type formats struct {
	read  func(string) ([]element, error)
	mutex sync.RWMutex
	known map[string]formatOf
}

type formatOf struct {
	list []element
	err  error
}

var jodaFormats = formats{read: joda, known: map[string]formatOf{}}
var mysqlFormats = formats{read: mysql, known: map[string]formatOf{}}

func (f *formats) of(pattern string) ([]element, error) {
	f.mutex.RLock()
	known, ok := f.known[pattern]
	f.mutex.RUnlock()
	if ok {
		return known.list, known.err
	}
	pattern = strings.Clone(pattern)
	if known.list, known.err = f.read(pattern); known.err == nil && len(known.list) == 0 {
		known.err = errors.New("Both printing and parsing not supported")
	}
	f.mutex.Lock()
	if len(f.known) < 1000 {
		f.known[pattern] = known
	}
	f.mutex.Unlock()
	return known.list, known.err
}

var errZoneName = errors.New("the name of a time zone in a text is not supported yet")

// write writes an instant as a zone's clock shows it.
func write(b []byte, list []element, instant int64, zone string) ([]byte, error) {
	loc := zoneOf(zone)
	if loc == nil {
		return b, fmt.Errorf("'%s' is not a known time zone", zone)
	}
	shift := offsetAt(loc, instant)
	wall := instant + shift
	for _, e := range list {
		switch e.kind {
		case literal:
			b = append(b, e.text...)
		case number:
			b = padded(b, e.field.get(wall), e.min)
		case twoDigit:
			n := e.field.get(wall)
			b = padded(b, max(n, -n)%100, 2)
		case fraction:
			digits := strconv.FormatInt(1000+floorMod(wall, second), 10)[1:] + "000000"
			b = append(b, strings.Repeat("0", max(0, e.min-9))...)
			b = append(b, digits[:min(e.min, 9)]...)
		case month, weekdayName:
			name := ""
			if e.kind == month {
				name = months[e.field.get(wall)-1]
			} else {
				name = weekdays[e.field.get(wall)-1]
			}
			if !e.long {
				name = name[:3]
			}
			b = append(b, name...)
		case halfday:
			b = append(b, [2]string{"AM", "PM"}[e.field.get(wall)]...)
		case offset, offsetColon:
			sign, s := byte('+'), shift
			if s < 0 {
				sign, s = '-', -s
			}
			b = padded(append(b, sign), s/hour, 2)
			if e.kind == offsetColon {
				b = append(b, ':')
			}
			b = padded(b, s/minute%60, 2)
		case zoneID:
			b = append(b, zone...)
		case zoneName:
			switch {
			case zone == "UTC" && e.long:
				b = append(b, "Coordinated Universal Time"...)
			case strings.Contains(zone, "/"):
				return b, errZoneName
			default:
				b = append(b, zone...)
			}
		case era:
			b = append(b, map[bool]string{true: "AD", false: "BC"}[fieldYear.get(wall) > 0]...)
		case century:
			b = padded(b, fieldYearOfEra.get(wall)/100, e.min)
		}
	}
	return b, nil
}

// padded writes a number of at least so many digits.
func padded(b []byte, n int64, digits int) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	text := strconv.FormatInt(n, 10)
	b = append(b, strings.Repeat("0", max(0, digits-len(text)))...)
	return append(b, text...)
}
