package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/tlog"
)

// forged is metadata in which the leaves of a whole log wait.
type forged struct {
	store  string
	leaves [][]byte
}

func (f *forged) Leaves(context.Context, string, int) (out []meta.Leaf, err error) {
	for i, l := range f.leaves {
		out = append(out, meta.Leaf{Serial: int64(i), Data: l})
	}
	return out, nil
}

func (f *forged) PendingLogs(context.Context) ([]string, error) { return []string{f.store}, nil }

func (f *forged) PublishedLeaves(context.Context, string, int64) error { f.leaves = nil; return nil }

func (f *forged) LogSize(context.Context, string) (int64, error) { return 1 << 20, nil }

// published are the leaves that the log's checkpoint covers.
func (b *bed) published() (leaves [][]byte) {
	b.t.Helper()
	log := tlog.Reader{Objects: b.objects, StoreID: b.store}
	signed, err := log.Checkpoint(b.t.Context())
	b.ok(err)
	cp, err := proof.ParseCheckpoint(signed)
	b.ok(err)
	b.ok(log.Leaves(b.t.Context(), cp.Size, func(_ uint64, l []byte) error { leaves = append(leaves, bytes.Clone(l)); return nil }))
	return leaves
}

// forge puts another log in the log's place, as who has a key can.
func (b *bed) forge(by proof.Key, leaves [][]byte) {
	b.t.Helper()
	b.restore(nil, tlog.Prefix+b.store+"/")
	s := tlog.Open(tlog.Config{Meta: &forged{b.store, leaves}, Objects: b.objects, Key: by, Every: time.Hour})
	b.ok(s.Close(b.t.Context()))
}

// says gives the finding about an object whose problem contains the text.
func says(r Report, object, problem string) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Object == object && strings.Contains(f.Problem, problem) })
}

// Whoever replaces the signing key can make every log anew, and all of it verifies by that key: only what the verifier remembers tells.
func TestAnotherKeyIsFound(t *testing.T) {
	b := newBed(t)
	b.commit(3, 10)
	b.flush()
	b.ok(b.logs.Close(t.Context()))
	seen := Seen{}
	run := func(by proof.Key, opt Options) Report {
		t.Helper()
		opt.Objects, opt.Meta, opt.Key, opt.Lake = b.objects, b.db, by.Public(), "/lake"
		r, err := Run(t.Context(), opt)
		b.ok(err)
		return r
	}
	if r := run(key, Options{Seen: seen}); len(r.Findings) > 0 || len(seen[b.store]) != 1 || seen[b.store][0].Key != key.Public().String() {
		t.Fatal(r.Findings, seen)
	}
	first := maps.Clone(seen)
	other := proof.NewKey(make([]byte, proof.SeedSize))
	b.forge(other, b.published())
	where := tlog.Prefix + b.store + "/checkpoint"
	for range 2 { // that it was found once accepts nothing
		if r := run(other, Options{Seen: seen, Full: true}); !says(r, where, "another key than the last time: it was "+key.Public().String()) || !reflect.DeepEqual(seen, first) {
			t.Fatal(r.Findings, seen)
		}
	}
	if r := run(other, Options{Seen: seen, Accept: key.Public()}); !says(r, where, "another key") {
		t.Error("another key is accepted than the one that was named:", r.Findings)
	}
	if r := run(key, Options{Seen: seen, Accept: other.Public()}); !says(r, where, "signature") {
		t.Error("by the old key:", r.Findings)
	}
	// Under a new key too, the leaves must be those of the last time.
	leaves := b.published()
	b.forge(other, leaves[:len(leaves)-1])
	if r := run(other, Options{Seen: seen, Accept: other.Public()}); !says(r, where, "set back") {
		t.Error("a log set back under a new key:", r.Findings)
	}
	b.forge(other, leaves)
	if r := run(other, Options{Seen: seen, Accept: other.Public()}); len(r.Findings) > 0 || len(seen[b.store]) != 1 || seen[b.store][0].Key != other.Public().String() {
		t.Fatal("with the new key named:", r.Findings, seen)
	}
	if r := run(other, Options{Full: true}); len(r.Findings) > 0 {
		t.Error(r.Findings)
	}
	b.forge(key, leaves)
	if r := run(key, Options{Seen: seen}); !says(r, where, "another key") {
		t.Error("the old key in the new one's place:", r.Findings)
	}
}

// A remembered log that is nowhere any more is found: under the same key, under another, and where nothing of the lake is left but its name.
func TestRememberedLogsMustBeThere(t *testing.T) {
	b := newBed(t)
	b.commit(2, 6)
	b.flush()
	seen := Seen{}
	b.clean(false, seen)
	seen["11111111-0000-0000-0000-000000000000"] = []SeenLog{{Key: key.Public().String(), Size: 7, Lakes: []string{"/lake"}}}
	gone := func(objects objstore.Store, by proof.Key, seen Seen, lake string, logs []string) bool {
		t.Helper()
		r, err := Run(t.Context(), Options{Objects: objects, Key: by.Public(), Seen: maps.Clone(seen), Lake: lake, Logs: logs})
		b.ok(err)
		return says(r, tlog.Prefix+"11111111-0000-0000-0000-000000000000", "the log of 7 leaves that was here the last time is gone")
	}
	other := proof.NewKey(make([]byte, proof.SeedSize))
	empty, err := objstore.OpenLocal(filepath.Join(t.TempDir(), "lake"))
	b.ok(err)
	if !gone(b.objects, key, seen, "", nil) || !gone(b.objects, key, seen, "/other", nil) || !gone(b.objects, key, seen, "", []string{b.store}) {
		t.Error("a log of the same key that is gone is not found")
	}
	if !gone(empty, other, seen, "/lake", nil) || !gone(empty, other, seen, "/lake", []string{}) {
		t.Error("in a lake in which all is new, the log that was there is not found to be gone")
	}
	if gone(empty, other, seen, "/other", nil) {
		t.Error("a log of another lake is found to be gone")
	}
	b.ok(b.logs.Close(t.Context()))
	b.forge(other, b.published())
	if !gone(b.objects, other, seen, "/other", nil) {
		t.Error("a log that is gone is not found where another of its key has a new one")
	}

	// A server lists the logs of one account; the others are read by their tiles.
	b.forge(key, b.published())
	delete(seen, "11111111-0000-0000-0000-000000000000")
	unlisted := func(by proof.Key) Report {
		t.Helper()
		r, err := Run(t.Context(), Options{Objects: b.objects, Key: by.Public(), Seen: maps.Clone(seen), Logs: []string{}, Lake: "https://loch"})
		b.ok(err)
		return r
	}
	if r := unlisted(key); len(r.Findings) > 0 {
		t.Error(r.Findings)
	}
	leaves := b.published()
	where := tlog.Prefix + b.store + "/checkpoint"
	b.forge(key, leaves[:len(leaves)-1])
	if r := unlisted(key); !says(r, where, "set back") {
		t.Error("a log that is not listed is set back:", r.Findings)
	}
	changed := slices.Clone(leaves)
	changed[1] = bytes.Clone(changed[0])
	b.forge(key, changed)
	if r := unlisted(key); !says(r, where, "rewritten") {
		t.Error("a log that is not listed is rewritten:", r.Findings)
	}
	b.forge(other, leaves)
	seen[b.store][0].Lakes = []string{"https://loch"}
	if r := unlisted(other); !says(r, where, "another key") {
		t.Error("a log that is not listed has another key:", r.Findings)
	}
}

// Servers that have the same account have event histories of one ID: what is remembered of one says nothing of the other's, and is kept.
func TestHistoriesOfTwoServers(t *testing.T) {
	history, store := registry.HistoryID("111122223333"), "11111111-0000-4000-8000-000000000000"
	other := proof.NewKey(make([]byte, proof.SeedSize))
	as := func(by proof.Key, lake, id string, seen Seen) (found int, next Seen) {
		r := run{Options: Options{Key: by.Public(), Lake: lake, Seen: seen}}
		next = maps.Clone(seen)
		r.remember(next, id, SeenLog{Size: 9})
		return len(r.report.Findings), next
	}
	_, seen := as(key, "/one", history, Seen{})
	n, seen := as(other, "/two", history, seen)
	if n > 0 || len(seen[history]) != 2 {
		t.Fatal("of another server with the same account:", n, seen)
	}
	if n, again := as(key, "/one", history, seen); n > 0 || len(again[history]) != 2 {
		t.Error("the first again:", n, again)
	}
	if n, _ := as(other, "/one", history, seen); n > 0 {
		t.Error("a server that moved to where the other was has its own log:", n)
	}
	third := proof.NewKey(bytes.Repeat([]byte{200}, proof.SeedSize))
	if n, _ := as(third, "/one", history, seen); n == 0 {
		t.Error("another key in the same lake is not found")
	}
	_, seen = as(key, "/one", store, Seen{})
	if n, _ := as(other, "/two", store, seen); n == 0 {
		t.Error("another key of a store whose ID no other server has is not found")
	}
}

// What was written before keys were kept is read: also where it tells of two servers' logs of one ID.
func TestSeenOfBefore(t *testing.T) {
	b := newBed(t)
	b.commit(2, 6)
	b.flush()
	seen := Seen{}
	b.clean(false, seen)
	now := seen[b.store][0]
	other := proof.NewKey(make([]byte, proof.SeedSize))
	text := fmt.Sprintf(`{%q: {"size": %d, "root": %q}, %q: {"size": 999, "root": %q}}`,
		key.Public().Origin(b.store), now.Size, now.Root, other.Public().Origin(b.store), now.Root)
	var old Seen
	b.ok(json.Unmarshal([]byte(text), &old))
	b.clean(false, old) // the first is its own, whatever another server had
	if logs := old[b.store]; len(logs) != 2 || !reflect.DeepEqual(logs[0], now) {
		t.Errorf("%+v", logs)
	}
	again, err := json.Marshal(old)
	b.ok(err)
	var back Seen
	if err := json.Unmarshal(again, &back); err != nil || !reflect.DeepEqual(back, old) {
		t.Error(back, old, err)
	}
	b.ok(json.Unmarshal(fmt.Appendf(nil, `{%q: {"size": %d, "root": %q}}`, key.Public().Origin(b.store), now.Size+1, now.Root), &old))
	if r := b.verify(false, old); !says(r, tlog.Prefix+b.store+"/checkpoint", "set back") {
		t.Error("set back since then:", r.Findings)
	}
	b.ok(json.Unmarshal(fmt.Appendf(nil, `{%q: {"size": %d, "root": %q}}`, other.Public().Origin(b.store), now.Size, now.Root), &old))
	if r := b.verify(false, old); !says(r, tlog.Prefix+b.store+"/checkpoint", "another key") {
		t.Error("another key since then:", r.Findings)
	}
	for _, bad := range []string{`[]`, `{"x": {}}`, `{"loch/1/x": []}`, `{"x": [{"root": "1"}]}`} {
		if err := json.Unmarshal([]byte(bad), &old); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}
