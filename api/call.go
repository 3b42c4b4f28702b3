// Package api speaks the AWS wire protocols: it verifies and decodes requests, validates them by the service model, calls the rooms that
// carry them out and writes answers and errors. It knows no storage formats.
package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/meta"
)

// Call is one request in hand.
type Call struct {
	Operation string // for example "StartQuery"; for Loch's own endpoints the pattern that they were registered under
	Caller    access.Caller
	Scope     meta.Scope // the caller's account, and the region that the signature names
	RequestID string
	SourceIP  string
	UserAgent string
	Time      time.Time // when the request came, UTC
	// Wait is how long the caller would rather wait than be told that there is nothing new: the preference "wait" of RFC 7240, of which at
	// most 20 seconds count, or a tenth of a second where there is none. DescribeQuery and GetQueryResults heed it.
	Wait time.Duration
}

const (
	maxWait   = 20 * time.Second       // bounds Call.Wait
	usualWait = 100 * time.Millisecond // too short for a person to feel; whoever polls without pause takes no core from the query that it asks for
)

// preferredWait reads the preference "wait" (RFC 7240, section 4.3), in whole seconds. What it cannot read is as if it were not there, as the RFC wants.
func preferredWait(h http.Header) time.Duration {
	for _, line := range h.Values("Prefer") {
		for p := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(p, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			value, _, _ = strings.Cut(value, ";")
			if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31); err == nil {
				return min(time.Duration(n)*time.Second, maxWait)
			}
			return usualWait
		}
	}
	return usualWait
}
