// Package javatext writes numbers as Java does, and so Trino's clients, casts and JSON.
package javatext

import (
	"math"
	"strconv"
)

// AppendDouble writes f as Java's Double.toString does since Java 19; bits is 64, or 32 for Float.toString.
func AppendDouble(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f == 0:
		if math.Signbit(f) {
			return append(dst, "-0.0"...)
		}
		return append(dst, "0.0"...)
	}
	if a := math.Abs(f); a >= 1e-3 && a < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		for _, c := range dst[start:] {
			if c == '.' {
				return dst
			}
		}
		return append(dst, ".0"...)
	}
	return AppendScientific(dst, f, bits)
}

// AppendScientific writes f, which is finite and not zero, with one digit before the point and an exponent: "1.25E-7", as Double.toString does for
// large and small numbers, and as Trino's cast to varchar does for all.
func AppendScientific(dst []byte, f float64, bits int) []byte {
	var buf [32]byte
	e := strconv.AppendFloat(buf[:0], f, 'e', -1, bits)
	if m := mantissa(e); m == len("1") || m == len("-1") && e[0] == '-' {
		// Where one digit suffices Java takes the closer of the one- and two-digit numbers, which differ only for the smallest subnormals.
		two := strconv.AppendFloat(nil, f, 'e', 1, bits)
		if back, err := strconv.ParseFloat(string(two), bits); err == nil && back == f {
			e = two
		}
	}
	m := mantissa(e)
	dst = append(dst, e[:m]...)
	if m <= 2 && (m == 1 || e[0] == '-') {
		dst = append(dst, ".0"...)
	}
	dst = append(dst, 'E')
	exp, _ := strconv.Atoi(string(e[m+1:]))
	return strconv.AppendInt(dst, int64(exp), 10)
}

// mantissa is how many bytes stand before the e.
func mantissa(e []byte) int {
	for i, c := range e {
		if c == 'e' {
			return i
		}
	}
	return len(e)
}

// AppendCast writes f as Trino's cast to varchar does: always with an exponent, and zero as 0E0.
func AppendCast(dst []byte, f float64, bits int) []byte {
	switch {
	case f == 0 && math.Signbit(f):
		return append(dst, "-0E0"...)
	case f == 0:
		return append(dst, "0E0"...)
	case math.IsNaN(f), math.IsInf(f, 0):
		return AppendDouble(dst, f, bits)
	}
	return AppendScientific(dst, f, bits)
}
