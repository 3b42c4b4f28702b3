package server

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/lochlake/loch/objstore/s3fault"
	"github.com/lochlake/loch/tlog"
)

// TestTwoServersOnOneBucket: a bucket's lake is one server's. Another one does not start on it, and one that began while the bucket did not answer uses no table of it when it does.
func TestTwoServersOnOneBucket(t *testing.T) {
	p := newSpoiling(t, "shared")
	cfg := p.config(t)
	first := open(t, cfg)
	s := newSender(t, first, "kept")
	s.mustSend(t, 10)
	s.check(t)
	refused := func(cfg Config) {
		t.Helper()
		other, err := Open(t.Context(), cfg)
		if err == nil {
			t.Error("a second server started on the bucket")
			_ = other.Close(t.Context())
		} else if said := err.Error(); !strings.Contains(said, "another server's lake lies there") || !strings.Contains(said, s.ProofKey().String()) || !strings.Contains(said, "s3://shared/lake") {
			t.Errorf("a second server on the bucket: %v", err)
		}
	}
	refused(p.config(t))

	var late *Server
	p.during(t, s3fault.Fault{Kind: s3fault.Refused}, "a start beside a bucket that does not answer", func() {
		var err error
		if late, err = Open(t.Context(), p.config(t)); err != nil {
			t.Fatal(err)
		}
		late.awaitHealth(t, http.StatusOK, "tables are not used")
	})
	for range 2 { // it is told to whoever would use a table
		if err := late.guard.Check(t.Context(), ""); !errors.Is(err, tlog.ErrForeign) {
			t.Errorf("a bucket that is another's: %v", err)
		}
		late.awaitHealth(t, http.StatusOK, "the bucket holds another server's lake")
	}
	if err := late.Flush(t.Context()); !errors.Is(err, tlog.ErrForeign) {
		t.Errorf("logs are written in another's bucket: %v", err)
	}
	if err := late.Close(t.Context()); err != nil && !errors.Is(err, tlog.ErrForeign) { // which it is where the logs are on their way
		t.Errorf("the end: %v", err)
	}
	s.mustSend(t, 10)
	s.check(t)

	// A prefix of its own is another's place.
	beside := p.config(t)
	beside.StoreURL = p.bucket + "/lake2"
	second := newSender(t, open(t, beside), "kept")
	second.mustSend(t, 10)
	second.check(t)
}
