// Package api speaks the AWS wire protocols: it verifies and decodes requests, validates them by the service model, calls the rooms that
// carry them out and writes answers and errors. It knows no storage formats.
package api

import (
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
}
