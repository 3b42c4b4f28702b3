package lake

import (
	"testing"
	"time"
)

// TestFullLoad: compaction halves its share by what the process used since it last looked, not by what it used before.
func TestFullLoad(t *testing.T) {
	p := pace{}
	at := time.Unix(0, 0)
	for _, step := range []struct {
		after, used time.Duration
		full        bool
	}{
		{100 * time.Millisecond, time.Hour, false}, // the first look: nothing to compare with
		{100 * time.Millisecond, 160 * time.Millisecond, true},
		{100 * time.Millisecond, 140 * time.Millisecond, false},
		{100 * time.Millisecond, 200 * time.Millisecond, true},
		{time.Second, 200 * time.Millisecond, false},
	} {
		at = at.Add(step.after)
		if full := p.full(at, p.cpu+step.used, 2); full != step.full {
			t.Errorf("%v of two cores' time in %v: full %v", step.used, step.after, full)
		}
	}
	if used, err := processCPU(); err != nil || used <= 0 {
		t.Errorf("this process used %v: %v", used, err)
	}
}
