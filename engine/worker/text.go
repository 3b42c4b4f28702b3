package worker

import (
	"math/big"
	"strconv"
)

// The text forms of values are those in which Trino's clients print them, which are Java's: Double.toString and
// Float.toString of Java 19 and later, ISO dates, maps as {key=value} and rows as {name=value}.

// appendDecimal writes an unscaled decimal with scale digits after the point.
func appendDecimal(dst []byte, unscaled int64, scale int) []byte {
	if unscaled < 0 {
		dst = append(dst, '-')
	}
	u := uint64(unscaled)
	if unscaled < 0 {
		u = -u
	}
	var buf [20]byte
	return appendScaled(dst, strconv.AppendUint(buf[:0], u, 10), scale)
}

// appendBigDecimal is appendDecimal for 128 bits.
func appendBigDecimal(dst []byte, hi int64, lo uint64, scale int) []byte {
	n := bigInt(hi, lo)
	if n.Sign() < 0 {
		dst = append(dst, '-')
		n.Neg(n)
	}
	return appendScaled(dst, n.Append(nil, 10), scale)
}

// appendScaled puts the point into a number's digits.
func appendScaled(dst, digits []byte, scale int) []byte {
	if scale == 0 {
		return append(dst, digits...)
	}
	if len(digits) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-scale:]...)
}

// bigInt makes a number of the halves of a 128-bit two's complement integer.
func bigInt(hi int64, lo uint64) *big.Int {
	n := big.NewInt(hi)
	n.Lsh(n, 64)
	return n.Add(n, new(big.Int).SetUint64(lo))
}

// appendDate writes the day that lies days after the Unix epoch, as Java's LocalDate does.
func appendDate(dst []byte, days int64) []byte {
	// Days to civil date in the proleptic Gregorian calendar, by eras of 400 years that begin on 1 March.
	z := days + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day := doy - (153*mp+2)/5 + 1
	month := mp + 3
	if mp >= 10 {
		month = mp - 9
	}
	year := yoe + era*400
	if month <= 2 {
		year++
	}
	switch {
	case year > 9999:
		dst = append(dst, '+')
	case year < 0:
		dst = append(dst, '-')
		year = -year
	}
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, month, 2)
	dst = append(dst, '-')
	return appendPadded(dst, day, 2)
}

// appendPadded writes n, which is not negative, with at least width digits.
func appendPadded(dst []byte, n int64, width int) []byte {
	if width == 2 && n < 100 {
		return append(dst, byte('0'+n/10), byte('0'+n%10))
	}
	for limit := pow10(width - 1); limit > 1 && n < limit; limit /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, n, 10)
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

const (
	nanosPerSecond = 1_000_000_000
	nanosPerDay    = 24 * 3600 * nanosPerSecond
)

// appendTimestamp writes days since the epoch and nanoseconds in the day, rounded half up to precision digits, as Trino
// casts to a shorter timestamp.
func appendTimestamp(dst []byte, days, nanos int64, precision int) []byte {
	nanos = roundNanos(nanos, precision)
	if nanos >= nanosPerDay {
		days, nanos = days+1, nanos-nanosPerDay
	}
	dst = appendDate(dst, days)
	dst = append(dst, ' ')
	return appendClock(dst, nanos, precision)
}

// roundNanos rounds half up to precision digits of the second.
func roundNanos(nanos int64, precision int) int64 {
	if precision >= 9 {
		return nanos
	}
	unit := pow10(9 - precision)
	return (nanos + unit/2) / unit * unit
}

// appendClock writes hours, minutes, seconds and precision digits.
func appendClock(dst []byte, nanos int64, precision int) []byte {
	s := nanos / nanosPerSecond
	dst = appendPadded(dst, s/3600, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, s/60%60, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, s%60, 2)
	if precision == 0 {
		return dst
	}
	dst = append(dst, '.')
	frac := nanos % nanosPerSecond
	if precision <= 9 {
		return appendPadded(dst, frac/pow10(9-precision), precision)
	}
	dst = appendPadded(dst, frac, 9)
	for range precision - 9 {
		dst = append(dst, '0')
	}
	return dst
}

// appendDayTime writes an interval day to second of so many microseconds: "2 03:04:05.678".
func appendDayTime(dst []byte, micros int64) []byte {
	millis := micros / 1000
	u := uint64(millis)
	if millis < 0 {
		dst = append(dst, '-')
		u = -u
	}
	const day = 24 * 3600 * 1000
	dst = strconv.AppendUint(dst, u/day, 10)
	dst = append(dst, ' ')
	return appendClock(dst, int64(u%day)*1_000_000, 3)
}

// appendYearMonth writes an interval year to month: "1-2".
func appendYearMonth(dst []byte, months int64) []byte {
	if months < 0 {
		dst = append(dst, '-')
		months = -months
	}
	dst = strconv.AppendInt(dst, months/12, 10)
	dst = append(dst, '-')
	return strconv.AppendInt(dst, months%12, 10)
}

const hexDigits = "0123456789abcdef"

// appendBinary writes bytes as pairs of hexadecimal digits with spaces between.
func appendBinary(dst, b []byte) []byte {
	for i, c := range b {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// appendUUID writes a UUID of DuckDB's 128-bit form, whose top bit is flipped so that UUIDs sort as numbers.
func appendUUID(dst []byte, hi int64, lo uint64) []byte {
	h := uint64(hi) ^ 1<<63
	for i := range 32 {
		switch i {
		case 8, 12, 16, 20:
			dst = append(dst, '-')
		}
		word, at := h, i
		if i >= 16 {
			word, at = lo, i-16
		}
		dst = append(dst, hexDigits[word>>(60-4*at)&15])
	}
	return dst
}
