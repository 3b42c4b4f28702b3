package functions

import (
	"math"
	"testing"
)

func TestRealText(t *testing.T) {
	for _, c := range []struct {
		x    float32
		want string
	}{
		{0, "0E0"}, {float32(math.Copysign(0, -1)), "-0E0"}, {1, "1.0E0"}, {-0.1, "-1.0E-1"}, {123.456, "1.23456E2"}, {1e7, "1.0E7"}, {1e-5, "1.0E-5"},
		{16777217, "1.677722E7"}, {8388608.5, "8.388608E6"}, {8388609.5, "8.38861E6"}, {9999999, "9.999999E6"}, {99999992, "9.999999E7"}, {1.1754944e-38, "1.175494E-38"}, {99999999, "1.0E8"},
		{math.MaxFloat32, "3.402823E38"}, {0.33333334, "3.333333E-1"}, {0.99999994, "9.999999E-1"},
		{float32(math.NaN()), "NaN"}, {float32(math.Inf(1)), "Infinity"}, {float32(math.Inf(-1)), "-Infinity"},
	} {
		if got := realText(c.x); got != c.want {
			t.Errorf("%v: %s, not %s", c.x, got, c.want)
		}
	}
}
