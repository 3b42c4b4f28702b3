package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/lake/laketest"
	"github.com/lochlake/loch/redaction"
	"github.com/lochlake/loch/verify"
)

// secretly sends an event whose name, principal and parameters hold the word secret, and gives the ID that the store has it under.
func (s *sender) secretly(t *testing.T, id string) {
	t.Helper()
	data := fmt.Sprintf(`{"version":"1.0","UID":%q,"userIdentity":{"type":"AAA-secret-type","principalId":"AAA-secret-principal"},"eventTime":%q,"eventName":"AAA-secret-name","eventSource":"AAA-secret-source","recipientAccountId":"111122223333","additionalEventData":{"k":"AAA-secret-value"}}`,
		id, time.Now().UTC().Truncate(time.Second).Format(time.RFC3339))
	if s.secret == "" {
		s.secret = data
	}
	var in struct {
		AuditEvents []model.AuditEvent `json:"auditEvents"`
	}
	in.AuditEvents = append(in.AuditEvents, model.AuditEvent{Id: &id, EventData: &s.secret})
	var out model.PutAuditEventsResponse
	if err := s.client.PutAuditEvents(t.Context(), s.channel, in, &out); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// ask runs a statement, and gives its query's ID and its state.
func (s *sender) ask(t *testing.T, sql string) (string, int) {
	t.Helper()
	n := 0
	_, err := s.client.Query(t.Context(), model.StartQueryRequest{QueryStatement: &sql}, nil, func([]string) error { return nil }, func([]client.Cell) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	var out model.ListQueriesResponse
	if err := s.client.Call(t.Context(), "ListQueries", model.ListQueriesRequest{EventDataStore: &s.store}, &out); err != nil {
		t.Fatal(err)
	}
	return *out.Queries[0].QueryId, n
}

func (s *sender) status(t *testing.T, query string) string {
	t.Helper()
	var out model.DescribeQueryResponse
	if err := s.client.Call(t.Context(), "DescribeQuery", model.DescribeQueryRequest{QueryId: &query}, &out); err != nil {
		t.Fatal(err)
	}
	return *out.QueryStatus
}

// idOf gives the ID that the store made of an event that came through the channel.
func (s *sender) idOf(t *testing.T, name string) (id string) {
	t.Helper()
	err := s.lake.Rows(t.Context(), s.store, nil, func(*lake.Kept) bool { return true }, func(k *lake.Kept, text []byte) error {
		if strings.Contains(string(text), name) {
			id = k.ID
		}
		return nil
	})
	if err != nil || id == "" {
		t.Fatal("no such event", err)
	}
	return id
}

// TestRedaction: an event is erased with the server's leave, with a reason and confirmed; what held it goes as soon as no query reads it, results and the durable log with it; and the same event sent
// again, also to an index that is made anew, is not stored again.
func TestRedaction(t *testing.T) {
	dir := t.TempDir()
	refuses := newSender(t, open(t, Config{Dir: t.TempDir()}), "strict")
	var out redaction.Answer
	code := func(err error) string {
		e, _ := errors.AsType[*client.Error](err)
		if e == nil {
			t.Fatalf("no error of the API: %v", err)
		}
		return e.Code
	}
	if err := refuses.client.Redact(t.Context(), "strict", "x", "case 12", "x", &out); code(err) != "RedactionNotAllowedException" {
		t.Error(err)
	}

	begin := func() *Server {
		t.Helper()
		cfg := Config{Dir: dir, Listen: "127.0.0.1:0", AllowRedaction: true}
		s, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	end := func(s *Server) {
		t.Helper()
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
	s := newSender(t, begin(), "audit")
	s.mustSend(t, 20)
	s.secretly(t, "the-event")
	s.mustSend(t, 20)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := s.idOf(t, "secret")
	before, n := s.ask(t, "SELECT eventData FROM audit")
	if n != 41 {
		t.Fatalf("%d rows", n)
	}
	if found := laketest.Holding(t, dir, "-secret-"); len(found) < 4 { // a data file, a manifest, the durable log, results
		t.Fatal("the test finds nothing where there is something:", found)
	}

	for reason, want := range map[[3]string]string{
		{"audit", id, " "}: "InvalidParameterException", {"audit", "", "case"}: "InvalidParameterException", {"audit", "none", "case"}: "EventNotFoundException",
		{"nothing", id, "case"}: "EventDataStoreNotFoundException", {redaction.HistoryStore, id, "case"}: "EventDataStoreNotFoundException",
	} {
		if err := s.client.Redact(t.Context(), reason[0], reason[1], reason[2], reason[1], &out); err == nil || want != code(err) {
			t.Errorf("%q: %v", reason, err)
		}
	}
	if err := s.client.Redact(t.Context(), "audit", id, "case 12", "", &out); err != nil || !out.Confirm || out.Erased != 0 || len(out.Events) != 1 || out.Events[0].Erased {
		t.Fatalf("without confirmation: %+v, %v", out, err)
	}
	if n := len(laketest.Holding(t, dir, "-secret-")); n < 4 {
		t.Error("something went without confirmation")
	}

	// While a plan reads the old snapshot, its files stay; the rest goes.
	plan, err := s.lake.Plan(t.Context(), s.store, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	out = redaction.Answer{}
	if err := s.client.Redact(ctx, "audit", id, "case 12", id, &out); err != nil || out.Erased != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	again := redaction.Answer{}
	redactAgain := func() {
		t.Helper()
		again = redaction.Answer{}
		if err := s.client.Redact(ctx, "audit", id, "case 12", id, &again); err != nil || again.Erased != 0 || len(again.Events) != 1 || !again.Events[0].Erased {
			t.Fatalf("again: %+v, %v", again, err)
		}
	}
	// A call waits for a few seconds, in which a busy machine may not be done with the rest.
	waits := func(in []string) bool {
		t.Helper()
		if slices.ContainsFunc(in, func(w string) bool { return strings.Contains(w, ": ") }) {
			t.Fatal("not for want of time:", in)
		}
		return len(in) > 0
	}
	for again.Waits = out.Waits; len(again.Waits) != 1; redactAgain() {
		if !waits(again.Waits) {
			t.Fatal("nothing waits for the plan")
		}
	}
	if waits(again.Waits); !strings.HasPrefix(again.Waits[0], "files of the table") {
		t.Error(again.Waits)
	}
	if got := s.redaction.Pending(); len(got) != 1 || got[0] != s.store {
		t.Error("pending:", got)
	}
	for _, f := range plan.Files {
		if _, err := os.Stat(f.Local); err != nil {
			t.Error("a file that a plan reads is gone:", err)
		}
	}
	if _, n := s.ask(t, "SELECT eventData.eventName FROM audit WHERE eventData.eventName IS NOT NULL"); n != 40 {
		t.Errorf("%d events are left", n)
	}
	if got := s.status(t, before); got != "FAILED" {
		t.Errorf("the query whose results are gone is %s", got)
	}
	plan.Release()
	for redactAgain(); waits(again.Waits); redactAgain() {
	}
	if got := s.redaction.Pending(); len(got) != 0 {
		t.Error("pending:", got)
	}
	if found := laketest.Holding(t, dir, "-secret-"); len(found) > 0 {
		t.Error("left:", found)
	}

	rows := func() (n int64) {
		t.Helper()
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		p, err := s.lake.Plan(t.Context(), s.store, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Release()
		return p.Rows
	}
	s.secretly(t, "the-event")
	if n := rows(); n != 41 {
		t.Errorf("sent again, there are %d rows", n)
	}
	end(s.Server)
	if err := os.RemoveAll(filepath.Join(dir, "identity")); err != nil {
		t.Fatal(err)
	}
	s.Server = begin()
	if s.client, err = s.Client(); err != nil {
		t.Fatal(err)
	}
	s.secretly(t, "the-event")
	if n := rows(); n != 41 {
		t.Errorf("sent again to an index that was made anew, there are %d rows", n)
	}

	// What an end leaves to be removed, the next start removes: the text came again with the two calls, and lies in the durable log.
	if len(laketest.Holding(t, filepath.Join(dir, "wal"), "-secret-")) == 0 {
		t.Fatal("the durable log does not hold what was sent again")
	}
	if err := s.db.SetValue(t.Context(), "redaction.pending", `["`+s.store+`"]`); err != nil {
		t.Fatal(err)
	}
	end(s.Server)
	s.Server = begin()
	defer end(s.Server)
	for text := ""; text != "[]"; {
		if text, err = s.db.Value(ctx, "redaction.pending"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // leaves the server time to work
	}
	if found := laketest.Holding(t, dir, "-secret-"); len(found) > 0 {
		t.Error("left:", found)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, err := verify.Run(t.Context(), verify.Options{Objects: s.objects, Meta: s.db, Key: s.ProofKey(), Full: true})
	if err != nil || len(report.Findings) > 0 || report.Erased != 1 {
		t.Errorf("verify: %+v, %v", report, err)
	}
}
