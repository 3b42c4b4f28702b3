package generate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func texts(t testing.TB, opt Options) [][]byte {
	t.Helper()
	g := New(opt)
	var out [][]byte
	last := time.Time{}
	for e, ok := g.Next(); ok; e, ok = g.Next() {
		if e.Time.Before(last) {
			t.Fatalf("event %d goes back in time: %v after %v", len(out), e.Time, last)
		}
		last = e.Time
		out = append(out, bytes.Clone(e.Text))
	}
	return out
}

func TestEventsAreValidRecords(t *testing.T) {
	opt := Options{Events: 20000, Seed: 1, Start: start, Attack: true}
	all := texts(t, opt)
	if len(all) != opt.Events {
		t.Fatalf("made %d events, want %d", len(all), opt.Events)
	}
	ids := map[string]bool{}
	names := map[string]int{}
	fromAttacker := 0
	var size int
	for i, b := range all {
		var e struct {
			EventVersion, EventTime, EventSource, EventName, AWSRegion, EventID, RecipientAccountID, EventCategory, SourceIPAddress string
			UserIdentity                                                                                                            map[string]any
		}
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("event %d: %v\n%s", i, err, b)
		}
		if strings.Contains(string(b), "{bucket}") || ids[e.EventID] || e.UserIdentity["type"] == nil || len(e.RecipientAccountID) != 12 {
			t.Fatalf("event %d is not well made: %s", i, b)
		}
		at, err := time.Parse(time.RFC3339, e.EventTime)
		if err != nil || at.Before(start) || at.After(start.AddDate(0, 0, 30)) {
			t.Fatalf("event %d: time %q, %v", i, e.EventTime, err)
		}
		ids[e.EventID] = true
		names[e.EventName]++
		size += len(b)
		if e.SourceIPAddress == AttackerIP {
			fromAttacker++
		}
	}
	if steps := len(attackSteps(New(opt).org)); fromAttacker != steps-4 {
		t.Errorf("%d events from the attacker's address, want all %d of the attack but the responders' 4", fromAttacker, steps)
	}
	if len(names) < 60 {
		t.Errorf("only %d kinds of call", len(names))
	}
	t.Logf("%d kinds of call, %d bytes an event", len(names), size/len(all))
}

func TestSameOptionsSameBytes(t *testing.T) {
	opt := Options{Events: 500, Seed: 9, Start: start, Attack: true}
	a, b := texts(t, opt), texts(t, opt)
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			t.Fatalf("event %d differs:\n%s\n%s", i, a[i], b[i])
		}
	}
	opt.Seed++
	if c := texts(t, opt); bytes.Equal(a[0], c[0]) {
		t.Error("another seed gives the same first event")
	}
}

func TestWizEvents(t *testing.T) {
	opt := Options{Events: 100, Seed: 3, Start: start, Attack: true}
	all := WizEvents(opt, 400)
	deleted := 0
	for i, e := range all {
		var d map[string]any
		if err := json.Unmarshal([]byte(e.Data), &d); err != nil {
			t.Fatalf("event %d: %v\n%s", i, err, e.Data)
		}
		for _, m := range []string{"version", "userIdentity", "eventSource", "eventName", "eventTime", "UID", "recipientAccountId"} {
			if d[m] == nil {
				t.Fatalf("event %d lacks %s: %s", i, m, e.Data)
			}
		}
		if d["eventName"] == "ConnectorDeletion" {
			deleted++
		}
		if i > 0 && e.Time.Before(all[i-1].Time) && d["eventName"] != "Login" {
			t.Fatalf("event %d goes back in time", i)
		}
	}
	if deleted != 1 {
		t.Errorf("%d connector deletions, want the attack's one", deleted)
	}
}

func TestWriteFiles(t *testing.T) {
	dir := t.TempDir()
	w, err := WriteFiles(t.Context(), dir, Options{Events: 5000, Seed: 1, Start: start}, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if w.Events != 5000 || w.Files < 10 {
		t.Errorf("wrote %+v", w)
	}
	t.Logf("%+v: %d gzip bytes an event", w, w.Bytes/int64(w.Events))
	if _, err := WriteFiles(t.Context(), dir, Options{Events: 5000, Seed: 1, Start: start}, FileOptions{}); err == nil {
		t.Error("a second run over the same folder overwrote files without a word")
	}
}

func BenchmarkNext(b *testing.B) {
	g := New(Options{Events: b.N, Seed: 1, Start: start})
	for b.Loop() {
		if _, ok := g.Next(); !ok {
			g = New(Options{Events: 1 << 20, Seed: 1, Start: start})
		}
	}
}
