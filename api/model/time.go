package model

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Time is a timestamp on the wire of AWS JSON 1.1: seconds since the Unix epoch, with up to three decimals.
type Time struct{ time.Time }

// At makes a Time of t, and nil of the zero time, so that absent members stay absent.
func At(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}

// MarshalJSON writes seconds with milliseconds.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// UnmarshalJSON reads a number of seconds.
func (t *Time) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1e11 {
		return fmt.Errorf("timestamp %.40q is not a number of seconds", b)
	}
	t.Time = time.UnixMilli(int64(math.Round(f * 1000))).UTC()
	return nil
}
