package api

import (
	"net/http"
	"testing"
	"time"
)

func TestPreferredWait(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  time.Duration
	}{
		{nil, usualWait},
		{[]string{"wait=0"}, 0},
		{[]string{"wait=1"}, time.Second},
		{[]string{"respond-async, Wait = 5"}, 5 * time.Second},
		{[]string{"respond-async", "wait=7;x=y"}, 7 * time.Second},
		{[]string{"wait=3600"}, 20 * time.Second},
		{[]string{"wait"}, usualWait},
		{[]string{"wait=-1"}, usualWait},
		{[]string{"wait=99999999999999999999"}, usualWait},
		{[]string{"waiting=3"}, usualWait},
	} {
		if got := preferredWait(http.Header{"Prefer": c.lines}); got != c.want {
			t.Errorf("%q: %v, not %v", c.lines, got, c.want)
		}
	}
}
