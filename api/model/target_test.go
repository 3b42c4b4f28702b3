package model

import (
	"strings"
	"testing"
)

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"", "CloudTrail_20131101.StartQuery", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.StartQuery", "CloudTrail_20131101.", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		name, ok := ParseTarget(target)
		if ok && (name == "" || !strings.HasSuffix(target, "CloudTrail_20131101."+name)) {
			t.Errorf("%q names %q", target, name)
		}
	})
}
