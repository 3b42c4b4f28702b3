package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/disk/disktest"
)

// metric is the line of a metric without labels.
func (s *Server) metric(t *testing.T, name string) string {
	t.Helper()
	resp, err := http.Get(s.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, name+" ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// once calls for the next n events and does not try again, as send does.
func (s *sender) once(t *testing.T, n int) (status int, code, body string) {
	t.Helper()
	in, err := json.Marshal(events(s.sent, n))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/PutAuditEvents?channelArn="+url.QueryEscape(s.channel), bytes.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(in)
	if err := s.client.Sign(t.Context(), req, "cloudtrail-data", hex.EncodeToString(sum[:])); err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("x-amzn-ErrorType"), string(said)
}

// TestSickDisk: the disk under a running server turns read-only, or does not sync any more, and is well again. While it is sick, calls are answered with ServiceUnavailable, and health and metric
// say why; what was accepted before is there, once, and events that were refused and sent again are, too. It comes back though nobody calls.
func TestSickDisk(t *testing.T) {
	for _, sick := range []struct {
		name  string
		errno syscall.Errno
		ops   []string // that fail
	}{
		{"read-only", syscall.EROFS, []string{"create", "open for writing", "rename", "remove", "mkdir", "write", "truncate"}},
		{"fsync fails", syscall.EIO, []string{"sync", "syncdir"}},
	} {
		t.Run(sick.name, func(t *testing.T) {
			t.Parallel()
			var broken atomic.Bool
			var failed atomic.Int64
			under := &disktest.FS{FS: disk.OS, Hook: func(op, _ string) (int, error) {
				if !broken.Load() || !slices.Contains(sick.ops, op) {
					return 0, nil
				}
				failed.Add(1)
				return 0, sick.errno
			}}
			said := &heard{}
			// Nothing is committed unless it is asked for: what was accepted is in the log alone.
			s := newSender(t, open(t, Config{CommitInterval: time.Hour, NoCompaction: true, Disk: under, Log: said.logger()}), "kept")
			for round := range 2 {
				for range 3 {
					s.mustSend(t, 10)
				}
				broken.Store(true)
				for range 3 {
					if status, code, body := s.once(t, 10); status != http.StatusServiceUnavailable || code != "ServiceUnavailable" || !strings.Contains(body, "cannot store events now") {
						t.Errorf("events that the disk does not take are answered with %d %s %s", status, code, body)
					}
				}
				if status, body := s.healthz(t); status != http.StatusServiceUnavailable || body != "events are refused: the durable log takes none\n" {
					t.Errorf("health: %d %s", status, body)
				}
				if got := s.metric(t, "loch_log_failed"); got != "loch_log_failed 1" {
					t.Errorf("metric: %q", got)
				}
				if failed.Swap(0) == 0 || !strings.Contains(said.String(), "the durable log refuses events: it cannot be written") || !strings.Contains(said.String(), sick.errno.Error()) {
					t.Errorf("the log does not tell of it:\n%s", said)
				}
				broken.Store(false)
				s.awaitHealth(t, http.StatusOK, "ok\n")
				s.mustSend(t, 20) // those that were refused among them
				if got := s.metric(t, "loch_log_failed"); got != "loch_log_failed 0" {
					t.Errorf("metric: %q", got)
				}
				if n := strings.Count(said.String(), "the durable log takes events again"); n != round+1 {
					t.Errorf("the log tells %d times that it is over", n)
				}
			}
			s.check(t)
		})
	}
}
