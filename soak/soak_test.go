package main

import (
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// TestTwentyKills soaks a server for a short while: what make soak does at length.
func TestTwentyKills(t *testing.T) {
	bin := t.TempDir()
	loch := filepath.Join(bin, "loch")
	if out, err := exec.Command("go", "build", "-o", loch, "../cmd/loch").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	gateway, err := filepath.Abs("../build/bin/versitygw")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"disk", "s3"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "s3" {
				if _, err := os.Stat(gateway); err != nil {
					t.Skipf("no S3 server: run `make tools`: %v", err)
				}
				if err := os.Symlink(gateway, gatewayOf(loch)); err != nil {
					t.Fatal(err)
				}
			}
			dir, err := os.MkdirTemp("", "loch-soak-test-")
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err = soak(t.Context(), loch, dir, []string{kind}, 10*time.Second, 10, rand.Uint64(), &out)
			t.Log("\n" + out.String())
			if err != nil {
				t.Fatal(err) // the folder stays, for who looks into it
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestKindsAreSaid: that S3 is left out is said.
func TestKindsAreSaid(t *testing.T) {
	loch := filepath.Join(t.TempDir(), "loch")
	var said strings.Builder
	if got := kinds(loch, &said); !slices.Equal(got, []string{"disk"}) || !strings.Contains(said.String(), "NOT SOAKED: S3") {
		t.Errorf("%v, %q", got, said.String())
	}
	if err := os.WriteFile(gatewayOf(loch), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	said.Reset()
	if got := kinds(loch, &said); !slices.Equal(got, []string{"disk", "s3"}) || said.Len() > 0 {
		t.Errorf("%v, %q", got, said.String())
	}
}

// TestLedger: the greatest that was ever known of an event is what counts.
func TestLedger(t *testing.T) {
	l := newLedger()
	a, b := newItem("a", []byte("1")), newItem("b", []byte("2"))
	l.note([]item{a, b}, unknown)
	l.note([]item{a}, acked)
	l.note([]item{a, b}, refused)
	if got := l.counts(); got[acked] != 1 || got[unknown] != 1 || got[refused] != 0 {
		t.Errorf("%v", got)
	}
}

// TestHoldFinds: what the checks are for is found, each with its name.
func TestHoldFinds(t *testing.T) {
	dir := t.TempDir()
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := lake.Open(t.Context(), lake.Config{Objects: objects, Meta: db})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &store{"kept", uuid.NewString(), newLedger()}
	err = db.CreateStore(t.Context(), meta.EventDataStore{Scope: meta.Scope{Account: account, Region: "us-east-1"}, ID: s.id, Name: s.name, Kind: uint8(event.CloudTrail), Created: time.Now(), Updated: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CreateTable(t.Context(), s.id, event.CloudTrail); err != nil {
		t.Fatal(err)
	}
	text := func(id string) []byte {
		return []byte(`{"eventVersion":"1.08","eventID":"` + id + `","eventName":"A","eventSource":"s3.amazonaws.com","eventTime":"2026-01-01T00:00:00Z"}`)
	}
	var rows []lake.Row
	decoder := event.NewDecoder()
	for i, id := range []string{"good", "twice", "twice", "stranger", "refused", "changed"} {
		e, err := decoder.Decode(text(id))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, lake.Row{Event: &e, Envelope: lake.Envelope{Writer: uuid.NewString(), Epoch: 1, Sequence: 1, Position: int32(i)}})
	}
	files, err := l.Write(t.Context(), s.id, rows)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(t.Context(), s.id, files, 1); err != nil {
		t.Fatal(err)
	}
	for id, f := range map[string]fate{"good": acked, "twice": unknown, "refused": refused, "lost": acked, "never came": unknown} {
		s.ledger.note([]item{newItem(id, text(id))}, f)
	}
	s.ledger.note([]item{newItem("changed", text("other"))}, acked)
	r := &run{kind: "test", out: &strings.Builder{}}
	if err := r.hold(t.Context(), l, s); err != nil {
		t.Fatal(err)
	}
	found := strings.Join(r.findings, "\n")
	for _, want := range []string{"event twice 2 times", "event stranger, which nobody sent", "event refused, which was refused", "event changed with another text", "lost event " + newItem("lost", nil).id.String()} {
		if !strings.Contains(found, want) {
			t.Errorf("not found: %s", want)
		}
	}
	if len(r.findings) != 5 {
		t.Errorf("findings:\n%s", found)
	}
}

// TestDocumentedTests: the tests that docs/reliability.md names are there.
func TestDocumentedTests(t *testing.T) {
	page, err := os.ReadFile("../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(page), -1) {
		named[m] = true
	}
	if len(named) < 30 {
		t.Errorf("the page names %d tests", len(named))
	}
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != ".." && (d.Name() == "build" || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir // no code of ours, and what other tests and tools make and remove meanwhile
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			delete(named, string(m[1]))
		}
		return err
	})
	if err != nil || len(named) > 0 {
		t.Errorf("not there: %v, %v", slices.Sorted(maps.Keys(named)), err)
	}
}
