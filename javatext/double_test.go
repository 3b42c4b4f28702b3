package javatext_test

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/lochlake/loch/javatext"
)

func TestDoubleLikeJava(t *testing.T) {
	for _, tt := range []struct {
		f    float64
		want string
	}{{math.SmallestNonzeroFloat64, "4.9E-324"}, {2e-323, "2.0E-323"}, {math.MaxFloat64, "1.7976931348623157E308"}, {1e7, "1.0E7"}, {9999999, "9999999.0"}, {1e-3, "0.001"},
		{9.999e-4, "9.999E-4"}, {100, "100.0"}, {-1.5e300, "-1.5E300"}, {2e23, "2.0E23"}, {123456789012345680, "1.2345678901234568E17"}} {
		if got := string(javatext.AppendDouble(nil, tt.f, 64)); got != tt.want {
			t.Errorf("%g: got %s, want %s", tt.f, got, tt.want)
		}
	}
	if got := string(javatext.AppendDouble(nil, math.SmallestNonzeroFloat32, 32)); got != "1.4E-45" {
		t.Error(got)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		back, err := strconv.ParseFloat(string(javatext.AppendDouble(nil, f, 64)), 64)
		if err != nil || back != f {
			t.Fatalf("%g became %g, %v", f, back, err)
		}
	})
}
