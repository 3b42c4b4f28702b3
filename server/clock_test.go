package server

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
)

// wrong is a clock that runs right, but for what it is off.
type wrong struct{ by atomic.Int64 }

func (w *wrong) set(d time.Duration) { w.by.Store(int64(d)) }
func (w *wrong) now() time.Time      { return time.Now().Add(time.Duration(w.by.Load())) }

// seen counts the store's events through the API.
func (s *sender) seen(t *testing.T) int {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	sql, n := "SELECT count(*) FROM "+s.store, -1
	_, err := s.client.Query(t.Context(), model.StartQueryRequest{QueryStatement: &sql}, nil, func([]string) error { return nil }, func(row []client.Cell) (err error) {
		n, err = strconv.Atoi(row[0].Text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestWrongClock sets the server's clock back and ahead while it works, by little and by much, with callers whose clocks go with it and callers whose do not.
func TestWrongClock(t *testing.T) {
	clock := &wrong{}
	s := newSender(t, open(t, Config{CommitInterval: 10 * time.Millisecond, Now: clock.now}), "kept")
	right := *s.client
	s.client.Now = clock.now // on the same machine
	s.mustSend(t, 10)
	if n := s.seen(t); n != 10 {
		t.Fatalf("%d events seen", n)
	}
	for _, by := range []time.Duration{-10 * time.Second, -2 * time.Hour, -300 * 24 * time.Hour, 10 * time.Second, 2 * time.Hour, 30 * 24 * time.Hour, 0} {
		clock.set(by)
		s.mustSend(t, 10)
		// The same again is known, whatever the clock says.
		var out model.PutAuditEventsResponse
		if err := s.client.PutAuditEvents(t.Context(), s.channel, events(0, 10), &out); err != nil || len(out.Successful) != 10 {
			t.Errorf("%s: sent again: %v", by, err)
		}
		if n := s.seen(t); n != s.sent {
			t.Errorf("%s: %d events seen of %d", by, n, s.sent)
		}
		// A caller with the right time is refused beyond five minutes, and told both times.
		asked := clock.now()
		err := right.PutAuditEvents(t.Context(), s.channel, events(1_000_000+s.sent, 1), &out)
		if by > -5*time.Minute && by < 5*time.Minute {
			if err != nil {
				t.Errorf("%s: a caller with the right time gets %v", by, err)
			}
			s.sent++
			continue
		}
		refused, _ := errors.AsType[*client.Error](err)
		if refused == nil || refused.Code != "InvalidSignatureException" || !hour(refused.Message, asked, clock.now()) {
			t.Errorf("%s: a caller with the right time gets %v", by, err)
		}
	}
	s.check(t)
}

// hour tells whether a message names the hour of one of the times: a new one may begin meanwhile.
func hour(message string, times ...time.Time) bool {
	return slices.ContainsFunc(times, func(t time.Time) bool { return strings.Contains(message, t.UTC().Format("20060102T15")) })
}

// TestClockFarAhead: of a clock that jumps by years the server says that it is not believed; nothing is removed, turned away or hidden from queries, and
// all is seen when the clock is right again.
func TestClockFarAhead(t *testing.T) {
	clock := &wrong{}
	s := newSender(t, open(t, Config{CommitInterval: 10 * time.Millisecond, Now: clock.now}), "kept")
	s.client.Now = clock.now
	s.mustSend(t, 10)
	if n := s.seen(t); n != 10 {
		t.Fatalf("%d events seen", n)
	}
	clock.set(20 * 365 * 24 * time.Hour)
	s.mustSend(t, 10) // of a time long past, by the clock
	if n := s.seen(t); n != 20 {
		t.Errorf("%d events of 20 are seen while the clock is twenty years ahead", n)
	}
	s.awaitHealth(t, http.StatusOK, "ok\n", "warning: nothing is removed: the clock says")
	if err := s.retention.Round(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.registry.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	clock.set(0)
	if n := s.seen(t); n != 20 {
		t.Errorf("%d events seen of 20", n)
	}
	s.check(t)
}
