package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/objstore/s3fault"
	"github.com/lochlake/loch/objstore/s3test"
	"github.com/lochlake/loch/verify"
)

// sender is a server with a store for events from outside AWS, and what was sent to it.
type sender struct {
	*Server
	client  *client.Client
	store   string // ID
	channel string // ARN
	secret  string // of secretly

	mu   sync.Mutex
	sent int
}

// newSender makes a store and a channel on the server.
func newSender(t *testing.T, s *Server, name string) *sender {
	t.Helper()
	c, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	field, source, kind := "eventCategory", "Custom", "EVENT_DATA_STORE"
	off := false
	var store model.CreateEventDataStoreResponse
	err = c.Call(t.Context(), "CreateEventDataStore", model.CreateEventDataStoreRequest{Name: &name, TerminationProtectionEnabled: &off,
		AdvancedEventSelectors: []model.AdvancedEventSelector{{FieldSelectors: []model.AdvancedFieldSelector{{Field: &field, Equals: []string{"ActivityAuditLog"}}}}}}, &store)
	if err != nil {
		t.Fatal(err)
	}
	var channel model.CreateChannelResponse
	err = c.Call(t.Context(), "CreateChannel", model.CreateChannelRequest{Name: &name, Source: &source, Destinations: []model.Destination{{Type: &kind, Location: store.EventDataStoreArn}}}, &channel)
	if err != nil {
		t.Fatal(err)
	}
	arn := *store.EventDataStoreArn
	return &sender{Server: s, client: c, store: arn[strings.LastIndexByte(arn, '/')+1:], channel: *channel.ChannelArn}
}

// begun is when the tests began: the same event has the same text each time.
var begun = time.Now().UTC().Format(time.RFC3339)

// events are n events, the first of which has the number from.
func events(from, n int) (in struct {
	AuditEvents []model.AuditEvent `json:"auditEvents"`
}) {
	for i := range n {
		id := fmt.Sprint("event-", from+i)
		data := fmt.Sprintf(`{"version":"1.0","UID":%q,"userIdentity":{"type":"USER","principalId":"p"},"eventTime":%q,"eventName":"Probe","eventSource":"faults.example","recipientAccountId":"111122223333"}`, id, begun)
		in.AuditEvents = append(in.AuditEvents, model.AuditEvent{Id: &id, EventData: &data})
	}
	return in
}

// send sends n more events in one call, and counts them where it is answered with success.
func (s *sender) send(ctx context.Context, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out model.PutAuditEventsResponse
	if err := s.client.PutAuditEvents(ctx, s.channel, events(s.sent, n), &out); err != nil {
		return err
	}
	if len(out.Successful) != n || len(out.Failed) > 0 {
		return fmt.Errorf("%d of %d events were taken", len(out.Successful), n)
	}
	s.sent += n
	return nil
}

func (s *sender) mustSend(t *testing.T, n int) {
	t.Helper()
	if err := s.send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

// check flushes, and holds the store's table against what was sent, and the lake against its logs.
func (s *sender) check(t *testing.T) {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	err := s.lake.Identities(t.Context(), s.store, -1, func(r *lake.Stored) error {
		seen[string(r.EventID)]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != s.sent {
		t.Errorf("%d events were answered with success, the table has %d", s.sent, len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s is stored %d times", id, n)
		}
	}
	report, err := verify.Run(t.Context(), verify.Options{Objects: s.objects, Meta: s.db, Key: s.ProofKey(), Full: true})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("verify: %+v, %v", report.Findings, err)
	}
}

func (s *Server) healthz(t *testing.T) (int, string) {
	t.Helper()
	resp, err := http.Get(s.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// awaitHealth asks until the answer has all of the texts.
func (s *Server) awaitHealth(t *testing.T, status int, texts ...string) {
	t.Helper()
	for {
		got, body := s.healthz(t)
		all := got == status
		for _, text := range texts {
			all = all && strings.Contains(body, text)
		}
		if all {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("health: %d %s", got, body)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// heard keeps what a server logs.
type heard struct {
	mu sync.Mutex
	b  strings.Builder
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

func (h *heard) logger() *slog.Logger { return slog.New(slog.NewTextHandler(h, nil)) }

// commitFaults are the kinds that a commit meets. It reads nothing that is not in memory, and writes under names that are new: cut answers and lost races have tests of their own.
var commitFaults = slices.DeleteFunc(slices.Clone(s3fault.Kinds), func(k s3fault.Kind) bool { return k == s3fault.CutAnswer || k == s3fault.LostRace })

// TestS3Faults: while the object store fails in any way that a commit meets, events are taken and kept in the durable log, and the server says so; when it works again they
// are in their table, each once, by themselves.
func TestS3Faults(t *testing.T) {
	srv := s3test.Start(t)
	for _, kind := range commitFaults {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			bucket := srv.Bucket(t, "f-"+strings.ReplaceAll(string(kind), " ", "-"))
			proxy, err := s3fault.Start(srv.Endpoint)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { proxy.Close() })
			said := &heard{}
			stall := time.Duration(0) // a busy machine takes its time
			if kind == s3fault.Hang {
				stall = 3 * time.Second
			}
			s := newSender(t, open(t, Config{StoreURL: bucket + "/lake", CommitInterval: 20 * time.Millisecond, NoCompaction: true, Log: said.logger(),
				StoreS3: S3{Endpoint: proxy.URL, Region: srv.Region, PathStyle: true, AccessKey: srv.AccessKey, SecretKey: srv.SecretKey, Attempts: 2, Stall: stall}}), "kept")
			s.mustSend(t, 10)
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			proxy.Spoil(s3fault.Fault{Kind: kind})
			for range 3 {
				s.mustSend(t, 10)
			}
			s.awaitHealth(t, http.StatusOK, "store "+s.store+": events wait for their table", "fails since")
			if !strings.Contains(said.String(), "failed, and is tried again") {
				t.Error("the log does not tell of it")
			}
			if proxy.Spoilt() == 0 {
				t.Error("no request failed")
			}
			s.mustSend(t, 10)
			proxy.Mend()
			s.check(t)
			if _, body := s.healthz(t); body != "ok\n" {
				t.Errorf("health after all: %s", body)
			}
		})
	}
}

// TestS3FaultsAtRandom: commits, merges, transparency logs and replay go on while a part of the requests fails in all ways by turns.
func TestS3FaultsAtRandom(t *testing.T) {
	srv := s3test.Start(t)
	bucket := srv.Bucket(t, "random")
	proxy, err := s3fault.Start(srv.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	said := &heard{}
	cfg := Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", StoreURL: bucket + "/lake", CommitInterval: time.Millisecond, CompactionQuiet: time.Millisecond, CompactionEvery: time.Millisecond, CompactionShare: 1, AuditEventsRate: 1e6, Log: said.logger(),
		StoreS3: S3{Endpoint: proxy.URL, Region: srv.Region, PathStyle: true, AccessKey: srv.AccessKey, SecretKey: srv.SecretKey, Attempts: 2, Stall: 3 * time.Second}}
	first, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := newSender(t, first, "kept")
	for range 2 {
		for _, kind := range commitFaults {
			proxy.Spoil(s3fault.Fault{Kind: kind, Share: 0.3})
			for before := proxy.Spoilt(); proxy.Spoilt() < before+2; runtime.Gosched() {
				s.mustSend(t, 3)
			}
		}
	}
	proxy.Mend()
	for !strings.Contains(said.String(), "files merged") { // there are many of one day
		if t.Context().Err() != nil {
			t.Fatal("no files were merged")
		}
		s.mustSend(t, 3)
		time.Sleep(5 * time.Millisecond)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.NoCompaction = true // it would go on while the lake is verified
	s.Server = open(t, cfg)
	s.check(t)
}
