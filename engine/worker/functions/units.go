package functions

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// units are the functions that write numbers for people, or read what people wrote.
func units(d definer) {
	d.define("loch_real_text(real) varchar", func(a Row, r *Result) { r.Text(realText(float32(a.At(0).Double()))) })
	d.failing("loch_human_readable_seconds(double) varchar", humanSeconds)
	d.define("loch_format_number(bigint) varchar", func(a Row, r *Result) { r.Text(shortNumber(a.At(0).Int())) })
	d.define("loch_format_number_double(double) varchar", func(a Row, r *Result) { r.Text(shortNumber(javaLong(a.At(0).Double()))) })
	// A decimal(38, 0), as text.
	d.failing("loch_parse_data_size(varchar) varchar", dataSize)
}

// realText writes a real as Trino's cast does: its value rounded to seven digits, and an exponent. Reals below the least normal one Trino writes
// by other rules; they are not to be asked for.
func realText(f float32) string {
	x := float64(f)
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	case x == 0 && math.Signbit(x):
		return "-0E0"
	case x == 0:
		return "0E0"
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', 6, 64), "e")
	power, _ := strconv.Atoi(exponent) // FormatFloat wrote it
	if digits = strings.TrimRight(digits, "0"); strings.HasSuffix(digits, ".") {
		digits += "0"
	}
	return digits + "E" + strconv.Itoa(power)
}

// javaLong is Java's cast of a double to a long.
func javaLong(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// humanSeconds writes a number of seconds in weeks, days, hours, minutes and seconds. The sign is lost.
func humanSeconds(a Row, r *Result) error {
	f := math.Abs(a.At(0).Double())
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return errorf("Invalid argument found: %s", javaDouble(a.At(0).Double()))
	}
	seconds := javaLong(math.Floor(f + 0.5))
	var parts []string
	for _, unit := range []struct {
		name string
		size int64
	}{{"week", 604800}, {"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}} {
		n := seconds / unit.size
		seconds %= unit.size
		switch {
		case n == 1:
			parts = append(parts, "1 "+unit.name)
		case n > 1 || unit.size == 1 && parts == nil:
			parts = append(parts, strconv.FormatInt(n, 10)+" "+unit.name+"s")
		}
	}
	r.Text(strings.Join(parts, ", "))
	return nil
}

// shortNumber writes a number with a unit of thousands: at most two digits after the point below ten of it, and below zero; one below a hundred.
func shortNumber(n int64) string {
	f := float64(n)
	unit := ""
	for _, u := range []string{"K", "M", "B", "T", "Q"} {
		if math.Abs(f) < 1000 {
			break
		}
		f, unit = f/1000, u
	}
	digits := 0
	switch {
	case f < 10:
		digits = 2
	case f < 100:
		digits = 1
	}
	// Rounded half up from all the digits that the double has.
	text := strconv.FormatFloat(math.Abs(f), 'f', 60, 64)
	point := strings.IndexByte(text, '.')
	kept, _ := strconv.ParseInt(text[:point]+text[point+1:point+1+digits], 10, 64) // digits alone
	if text[point+1+digits] >= '5' {
		kept++
	}
	out := strconv.FormatInt(kept, 10)
	if digits > 0 {
		for len(out) <= digits {
			out = "0" + out
		}
		out = strings.TrimRight(out[:len(out)-digits]+"."+out[len(out)-digits:], "0")
		out = strings.TrimSuffix(out, ".")
	}
	if n < 0 {
		out = "-" + out
	}
	return out + unit
}

// dataSize reads a number with a unit, each 1,024 times the one before, as a number of bytes.
func dataSize(a Row, r *Result) error {
	text := a.At(0).Text()
	n := 0
	for n < len(text) && (text[n] >= '0' && text[n] <= '9' || text[n] == '.') {
		n++
	}
	invalid := errorf("Invalid data size: '%s'", text)
	power := -1
	for i, u := range []string{"B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"} {
		if text[n:] == u {
			power = i
		}
	}
	number := text[:n]
	if power < 0 || strings.Count(number, ".") > 1 || strings.Trim(number, ".") == "" || n > 1000 {
		return invalid
	}
	whole, fraction, _ := strings.Cut(number, ".")
	bytes, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return invalid
	}
	bytes.Lsh(bytes, uint(10*power))
	bytes.Quo(bytes, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(fraction))), nil))
	if len(bytes.String()) > 38 {
		return errorf("Value out of range: '%s' ('%sB')", text, bytes)
	}
	r.Text(bytes.String())
	return nil
}
