package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func leafHashes(n int) (out []Hash) {
	for i := range n {
		out = append(out, LeafHash(fmt.Appendf(nil, "leaf %d", i)))
	}
	return out
}

// Roots and paths are those of another implementation of RFC 6962, for every leaf of every tree up to a size.
func TestTreesAreThoseOfRFC6962(t *testing.T) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	all := leafHashes(70)
	if Root(nil) != EmptyRoot || hex.EncodeToString(EmptyRoot[:4]) != "e3b0c442" {
		t.Error("root of the empty tree")
	}
	for n := 1; n <= len(all); n++ {
		h, err := tlog.StoredHashes(int64(n-1), fmt.Appendf(nil, "leaf %d", n-1), reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, h...)
		want, err := tlog.TreeHash(int64(n), reader)
		if err != nil {
			t.Fatal(err)
		}
		if got := Root(all[:n]); got != Hash(want) {
			t.Fatalf("root of %d leaves: %x, want %x", n, got, want)
		}
		for i := range n {
			theirs, err := tlog.ProveRecord(int64(n), int64(i), reader)
			if err != nil {
				t.Fatal(err)
			}
			path := Path(all[:n], uint64(i))
			if !slices.EqualFunc(path, theirs, func(a Hash, b tlog.Hash) bool { return a == Hash(b) }) {
				t.Fatalf("path of leaf %d of %d differs", i, n)
			}
			if got, err := RootFromPath(all[i], uint64(i), uint64(n), path); err != nil || got != Hash(want) {
				t.Fatalf("root from the path of leaf %d of %d: %x, %v", i, n, got, err)
			}
			if len(path) > 0 {
				if _, err := RootFromPath(all[i], uint64(i), uint64(n), path[1:]); err == nil {
					t.Fatal("a short path is taken")
				}
			}
			if _, err := RootFromPath(all[i], uint64(i), uint64(n), append(slices.Clone(path), Hash{})); err == nil {
				t.Fatal("a long path is taken")
			}
		}
	}
	if _, err := RootFromPath(all[0], 3, 3, nil); err == nil {
		t.Error("an index outside the tree is taken")
	}
}

func TestCheckpoints(t *testing.T) {
	const store = "11111111-2222-3333-4444-555555555555"
	key := NewKey(bytes.Repeat([]byte{7}, SeedSize))
	root := sha256.Sum256([]byte("root"))
	signed, err := key.Sign(store, 42, root)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := key.Sign(store, 42, root); err != nil || !bytes.Equal(signed, again) {
		t.Error("the same checkpoint has other bytes", err)
	}
	got, err := OpenCheckpoint(signed, key.Public(), store)
	if err != nil || got != (Checkpoint{key.Public().Origin(store), 42, root}) {
		t.Fatalf("%+v, %v", got, err)
	}
	// Any client of signed notes takes it by its vkey.
	v, err := note.NewVerifier(key.Public().VerifierKey(store))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(signed, note.VerifierList(v)); err != nil {
		t.Error(err)
	}
	for at := range signed {
		bad := bytes.Clone(signed)
		bad[at] ^= 1
		if c, err := OpenCheckpoint(bad, key.Public(), store); err == nil {
			t.Errorf("with byte %d changed it is %+v", at, c)
		}
	}
	if _, err := OpenCheckpoint(signed, key.Public(), strings.ReplaceAll(store, "1", "2")); err == nil {
		t.Error("taken for another store's")
	}
	if _, err := OpenCheckpoint(signed, NewKey(make([]byte, SeedSize)).Public(), store); err == nil {
		t.Error("taken for another key's")
	}
	for _, text := range []string{key.Public().String(), key.Public().VerifierKey(store), " " + key.Public().String() + "\n"} {
		if p, err := ParsePublicKey(text); err != nil || !bytes.Equal(p, key.Public()) {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "loch/a+b", "AAAA", key.Public().VerifierKey(store)[:80]} {
		if p, err := ParsePublicKey(text); err == nil {
			t.Errorf("%q is a key: %v", text, p)
		}
	}
}

func TestPaths(t *testing.T) {
	for got, want := range map[string]string{
		TilePath(0, 0, TileWidth):           "tile/0/000",
		TilePath(1, 1234067, TileWidth):     "tile/1/x001/x234/067",
		TilePath(2, 5, 3):                   "tile/2/005.p/3",
		EntriesPath(1000, 255):              "tile/entries/x001/000.p/255",
		Partials(EntriesPath(7, TileWidth)): "tile/entries/007.p/",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A leaf's envelope is injective: what differs in one member differs in the hash, also where the texts run into each other.
func TestEventsDiffer(t *testing.T) {
	base := Event{ID: "id", Writer: "w", Epoch: 1, Sequence: 2, Position: 3, Accepted: 4, Provenance: "p", Text: sha256.Sum256([]byte("{}"))}
	seen := map[Hash]int{}
	var h Hasher
	for i, change := range []func(*Event){
		func(*Event) {}, func(e *Event) { e.ID = "i" }, func(e *Event) { e.ID, e.Writer = "idw", "" }, func(e *Event) { e.ID, e.Writer = "i", "dw" }, func(e *Event) { e.Writer, e.Provenance = "wp", "" },
		func(e *Event) { e.Epoch = 2 }, func(e *Event) { e.Epoch, e.Sequence = 2, 1 }, func(e *Event) { e.Position = 4 }, func(e *Event) { e.Accepted = -4 }, func(e *Event) { e.Conflict = true },
		func(e *Event) { e.Text[0] ^= 1 }, func(e *Event) { e.Text[31] ^= 1 },
	} {
		e := base
		change(&e)
		leaf := h.Leaf(&e)
		if other, ok := seen[leaf]; ok {
			t.Errorf("change %d has the hash of change %d", i, other)
		}
		seen[leaf] = i
	}
	// The format is fixed: docs/proofs.md has this example.
	if got := fmt.Sprintf("%x", h.Leaf(&base)); got != exampleLeaf {
		t.Errorf("the example's leaf is %s", got)
	}
}

const exampleLeaf = "c2016b0ef8749914e7701ba58cda75b50473fac0895e0b508f09bec742ba8ba3"

func TestLeaves(t *testing.T) {
	want := Snapshot{ID: 7, Parent: 6, Metadata: &Object{"metadata/1", Digest{1}}, List: &Object{"metadata/l", Digest{2}}, Manifests: []Object{{"metadata/m", Digest{3}}}}
	for i := range 1000 {
		want.Added = append(want.Added, DataFile{Object{fmt.Sprintf("data/%d", i), Digest{4}}, 1, 2, Digest{5}})
		want.Removed = append(want.Removed, fmt.Sprintf("data/old-%d", i))
	}
	var got Snapshot
	parts := want.Split()
	for i, l := range parts {
		b, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeLeaf(b)
		if err != nil || back.Snapshot.Part != i+1 || back.Snapshot.Parts != len(parts) || back.Snapshot.ID != 7 || back.Snapshot.Parent != 6 {
			t.Fatal(err, back)
		}
		if i == 0 {
			got = *back.Snapshot
			continue
		}
		got.Added = append(got.Added, back.Snapshot.Added...)
		got.Removed = append(got.Removed, back.Snapshot.Removed...)
	}
	got.Part, got.Parts = 0, 0
	if fmt.Sprint(got.Added, got.Removed, got.Manifests, *got.List, *got.Metadata) != fmt.Sprint(want.Added, want.Removed, want.Manifests, *want.List, *want.Metadata) || len(parts) < 3 {
		t.Error("parts do not make the whole", len(parts))
	}
	hold := Hold{Change: "placed", ID: "7", At: "2026-01-02T03:04:05Z", By: "me", From: "2025-01-01T00:00:00Z", Reason: "case <7>"}
	b, err := Leaf{Hold: &hold}.Encode()
	if back, derr := DecodeLeaf(b); err != nil || derr != nil || *back.Hold != hold {
		t.Errorf("%s: %v, %v", b, err, derr)
	}
	for _, bad := range []string{`{}`, `{"v":1,"hold":{},"removal":{}}`, `{"v":1}`, `{"v":2,"batch":{}}`, `{"v":1,"batch":{},"store":{}}`, `{"v":1,"batch":{"x":1}}`, `{"v":1,"batch":{}} {}`, ``} {
		if l, err := DecodeLeaf([]byte(bad)); err == nil {
			t.Errorf("%s is %+v", bad, l)
		}
	}
}

// BenchmarkEvent is what an event costs: its envelope, its leaf, and its share of the tree.
func BenchmarkEvent(b *testing.B) {
	e := Event{ID: "87ad1395-71a5-4e03-b8b3-83d36b3eb527", Writer: "435d7769-005e-4df7-bc33-bb13fac35b12", Epoch: 1, Sequence: 2, Accepted: 1_700_000_000_000_000,
		Provenance: "s3://bucket/AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/01/111122223333_CloudTrail_us-east-1_20260101T0000Z_vzqC70PRrgHBcUDZ.json.gz"}
	var h Hasher
	var t Tree
	for b.Loop() {
		e.Position++
		t.Add(h.Leaf(&e))
	}
}
