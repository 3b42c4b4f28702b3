package main

import (
	"fmt"
	"strconv"
	"strings"
)

// bytesFlag is a size on the command line: a number of bytes, or one with a unit of 1,000 (KB, MB, GB, TB) or 1,024 (KiB, MiB, GiB, TiB).
type bytesFlag int64

var units = []struct {
	suffix string
	factor float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// UnmarshalText reads a size.
func (b *bytesFlag) UnmarshalText(text []byte) error {
	s := string(text)
	for _, u := range units {
		number, ok := strings.CutSuffix(strings.ToLower(s), strings.ToLower(u.suffix))
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || f < 0 || f*u.factor > 1<<62 {
			break
		}
		*b = bytesFlag(f * u.factor)
		return nil
	}
	return fmt.Errorf("%q is no size such as 512MB or 2GiB", s)
}
