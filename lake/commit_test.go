package lake

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/apache/iceberg-go/table"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

func metadataFiles(t *testing.T, b *bed, store, suffix string) (n int) {
	t.Helper()
	err := b.objects.List(t.Context(), "tables/"+store+"/metadata/", "", func(o objstore.Object) error {
		if strings.HasSuffix(o.Key, suffix) {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Writes go on in parallel, commits come in order; what was committed is there after a restart, and metadata stays small.
func TestManyCommits(t *testing.T) {
	b := openBed(t)
	synced, err := objstore.OpenLocal(filepath.Join(b.dir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	b.objects = synced
	b.reopen(t)
	store := b.store(t, event.CloudTrail)
	const commits, perFile = 70, 3
	results := make(chan Files, 4)
	var wg sync.WaitGroup
	var next sync.Mutex
	made := 0
	for range 4 {
		wg.Go(func() {
			for {
				next.Lock()
				n := made
				made++
				next.Unlock()
				if n >= commits {
					return
				}
				var rows []Row
				for i := range perFile {
					rows = append(rows, sparseRow(n*perFile+i, day0+int64(n)))
				}
				f, err := b.Write(t.Context(), store, rows)
				if err != nil {
					t.Error(err)
					return
				}
				results <- f
			}
		})
	}
	go func() { wg.Wait(); close(results) }()
	applied := int64(0)
	for f := range results {
		applied++
		if err := b.Commit(t.Context(), store, f, applied); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		if got, err := b.Applied(t.Context(), store); err != nil || got != commits {
			t.Fatalf("applied %d, %v", got, err)
		}
		p := b.mustPlan(t, store)
		if len(p.Files) != commits || p.Rows != commits*perFile {
			t.Fatalf("%d files of %d rows", len(p.Files), p.Rows)
		}
		seen := map[string]bool{}
		for _, f := range p.Files {
			for _, r := range stored(t, f.Local) {
				seen[r["eventid"].(string)] = true
			}
		}
		if len(seen) != commits*perFile {
			t.Fatalf("%d distinct events", len(seen))
		}
	}
	check()
	b.reopen(t)
	check()
	if n := metadataFiles(t, b, store, ".metadata.json"); n > 15 {
		t.Errorf("%d metadata files lie about", n)
	}
	if n := metadataFiles(t, b, store, ".avro"); n > 140 {
		t.Errorf("%d manifests and lists lie about", n)
	}
	b.mustCommit(t, store, []Row{sparseRow(1, day0)}, commits+1)
}

// A running plan's snapshot outlives expiry; when the plan is released it goes.
func TestPinsOutliveExpiry(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	b.mustCommit(t, store, []Row{sparseRow(0, day0)}, 1)
	p := b.mustPlan(t, store)
	for n := range 2*b.expireEvery + b.keep {
		b.mustCommit(t, store, []Row{sparseRow(n, day0)}, int64(n+2))
	}
	state, err := b.table(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	tbl, _ := state.now()
	if tbl.SnapshotByID(p.Snapshot) == nil {
		t.Error("the snapshot of a running plan is gone")
	}
	if n := len(tbl.Metadata().Snapshots()); n > b.keep+b.expireEvery {
		t.Errorf("%d snapshots are kept", n)
	}
	fsys, err := b.tableFiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.cache = newLRU[[]byte](1 << 20) // what was removed must not be found in memory
	fsys, _ = b.tableFiles(t.Context())
	for _, s := range tbl.Metadata().Snapshots() {
		ms, err := s.Manifests(fsys)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			for _, err := range m.Entries(fsys, true) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := b.DropTable(t.Context(), store); !errors.Is(err, ErrBusy) {
		t.Errorf("dropped under a running plan: %v", err)
	}
	p.Release()
	for n := range 2 * b.expireEvery {
		b.mustCommit(t, store, []Row{sparseRow(n, day0)}, int64(n+1000))
	}
	if tbl, _ = state.now(); tbl.SnapshotByID(p.Snapshot) != nil {
		t.Error("the snapshot of a released plan is still there")
	}
	if err := b.DropTable(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(b.dir, "objects", "tables", store, "*", "*"))
	left = slices.DeleteFunc(left, func(p string) bool { fi, err := os.Stat(p); return err != nil || fi.IsDir() })
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := b.Plan(t.Context(), store, nil); err == nil {
		t.Error("a dropped table can be planned")
	}
}

// TestManifestMerges: commits merge manifests now and then, never those that are large enough, and each file stays in one of them. What a commit is told about merging is not
// written to the table.
func TestManifestMerges(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	const (
		commits = 120
		every   = 10
		bytes   = 40 << 10 // a manifest of one file has 10 kB, most of it the schema
	)
	manifests := func() (sizes []int64, oldest string) {
		state, err := b.table(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		tbl, _ := state.now()
		for _, key := range []string{table.ManifestMergeEnabledKey, table.ManifestMinMergeCountKey, table.ManifestTargetSizeBytesKey} {
			if v, ok := tbl.Metadata().Properties()[key]; ok {
				t.Fatalf("the table has %s = %s", key, v)
			}
		}
		fsys, err := b.tableFiles(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ms, err := tbl.CurrentSnapshot().Manifests(fsys)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, m := range ms {
			sizes, oldest = append(sizes, m.Length()), m.FilePath()
			for e, err := range m.Entries(fsys, true) {
				if err != nil {
					t.Fatal(err)
				}
				if path := e.DataFile().FilePath(); seen[path] {
					t.Fatalf("%s is in two manifests", path)
				} else {
					seen[path] = true
				}
			}
		}
		if p := b.mustPlan(t, store); len(seen) != p.TableFiles {
			t.Fatalf("%d files in manifests, of %d", len(seen), p.TableFiles)
		} else {
			p.Release()
		}
		return sizes, oldest
	}
	large := "" // the oldest, once a few dozen files are in it
	for n := range commits {
		b.mergeEvery, b.manifestBytes = every, bytes
		b.mustCommit(t, store, []Row{sparseRow(n, day0)}, int64(n+1))
		if n == commits/2 {
			b.reopen(t)
		}
		sizes, oldest := manifests()
		if slices.Max(sizes) > bytes {
			t.Fatalf("a manifest of %d bytes", slices.Max(sizes))
		}
		if n > every && len(sizes) > 2*every+n/every {
			t.Fatalf("%d manifests after %d commits", len(sizes), n+1)
		}
		if n >= commits-2*every {
			if large == "" {
				large = oldest
			}
			if oldest != large || sizes[len(sizes)-1] < bytes/2 {
				t.Fatalf("the oldest manifest, of %d bytes, was rewritten", sizes[len(sizes)-1])
			}
		}
	}
}

// Other readers have time to finish: what an expired snapshot had goes later.
func TestExpiredFilesStayAWhile(t *testing.T) {
	b := openBed(t)
	b.grace = time.Hour
	store := b.store(t, event.CloudTrail)
	commit := func(from, to int) {
		for n := from; n < to; n++ {
			b.mustCommit(t, store, []Row{sparseRow(n, day0)}, int64(n+1))
		}
	}
	n := b.keep + 2*b.expireEvery
	commit(0, n)
	if lists := metadataFiles(t, b, store, ".avro"); lists < 2*n {
		t.Errorf("%d manifests and lists of %d commits are left", lists, n)
	}
	b.grace = 0
	commit(n, n+b.expireEvery)
	if lists := metadataFiles(t, b, store, ".avro"); lists >= 2*n {
		t.Errorf("%d manifests and lists of %d commits are left", lists, n+b.expireEvery)
	}
}

// Empty commits record the sequence alone, and never lower it.
func TestAppliedAlone(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	for _, c := range []struct{ commit, want int64 }{{5, 5}, {4, 5}, {9, 9}} {
		if err := b.Commit(t.Context(), store, Files{}, c.commit); err != nil {
			t.Fatal(err)
		}
		b.reopen(t)
		if got, err := b.Applied(t.Context(), store); err != nil || got != c.want {
			t.Fatalf("after %d: applied %d, %v", c.commit, got, err)
		}
	}
	b.mustCommit(t, store, []Row{sparseRow(1, day0)}, 3)
	if got, _ := b.Applied(t.Context(), store); got != 9 {
		t.Errorf("applied went back to %d", got)
	}
}

// faultyDB loses answers: the swap happens, and its caller is told that it failed. Or it fails before.
type faultyDB struct {
	meta.DB
	before, after bool
	deaf          bool // nor can the row be read
}

var errLost = errors.New("connection lost")

func (f *faultyDB) SwapTable(ctx context.Context, id, old, location string, applied int64, leaves ...[]byte) error {
	if f.before {
		f.before = false
		return errLost
	}
	err := f.DB.SwapTable(ctx, id, old, location, applied, leaves...)
	if f.after {
		f.after = false
		f.deaf = true
		return errLost
	}
	return err
}

func (f *faultyDB) Table(ctx context.Context, id string) (meta.Table, error) {
	if f.deaf {
		f.deaf = false
		return meta.Table{}, errLost
	}
	return f.DB.Table(ctx, id)
}

// A commit whose end is not known is tried again, and its files are in the table once.
func TestCommitTriedAgain(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			b := openBed(t)
			faulty := &faultyDB{DB: b.db}
			b.db = faulty
			b.reopen(t)
			store := b.store(t, event.CloudTrail)
			b.mustCommit(t, store, []Row{sparseRow(0, day0)}, 1)
			f, err := b.Write(t.Context(), store, []Row{sparseRow(1, day0), sparseRow(2, day0)})
			if err != nil {
				t.Fatal(err)
			}
			faulty.before, faulty.after = when == "before", when == "after"
			if err := b.Commit(t.Context(), store, f, 2); !errors.Is(err, errLost) {
				t.Fatalf("commit: %v", err)
			}
			if err := b.Commit(t.Context(), store, f, 2); err != nil {
				t.Fatal(err)
			}
			if p := b.mustPlan(t, store); p.Rows != 3 || len(p.Files) != 2 {
				t.Errorf("%d rows in %d files", p.Rows, len(p.Files))
			}
			if got, _ := b.Applied(t.Context(), store); got != 2 {
				t.Errorf("applied %d", got)
			}
		})
	}
}

// Somebody else moved the table: the commit goes on top of what it finds.
func TestCommitAfterAnother(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	other, err := Open(t.Context(), Config{Objects: b.objects, Meta: b.db})
	if err != nil {
		t.Fatal(err)
	}
	for n, l := range []*Lake{b.Lake, other, b.Lake, other} {
		f, err := l.Write(t.Context(), store, []Row{sparseRow(n, day0)})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Commit(t.Context(), store, f, int64(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	b.reopen(t)
	if p := b.mustPlan(t, store); p.Rows != 4 {
		t.Errorf("%d rows", p.Rows)
	}
}

// A batch of 3,000 days makes 3,000 files, one after another, in one commit.
func TestManyDays(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	const days = 3000
	rows := make([]Row, 2*days)
	for i := range rows {
		rows[i] = sparseRow(i, int64(i%days-1000)*24*hour+5) // before 1970 too
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	b.mustCommit(t, store, rows, 1)
	p := b.mustPlan(t, store, Predicate{"eventtime", Less, []Value{{Num: -500 * 24 * hour}}})
	if p.TableFiles != days || p.TableRows != 2*days || len(p.Files) != 500 {
		t.Fatalf("%d of %d files, %d rows", len(p.Files), p.TableFiles, p.TableRows)
	}
	for _, f := range p.Files[:3] {
		if got := stored(t, f.Local); len(got) != 2 {
			t.Errorf("%d rows in %s", len(got), f.Key)
		}
	}
}

// A table made by an older version gets the columns that it lacks; older files answer NULL, newer versions' tables are refused.
func TestSchemaGrows(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	ctx := t.Context()
	state, err := b.table(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	// Take the last top-level column away, as if it had not been there.
	base, _ := state.now()
	whole := base.Schema()
	swap := func(updates ...table.Update) {
		t.Helper()
		cat := &commitCatalog{lake: b.Lake, storeID: store}
		if _, _, err := cat.CommitTable(ctx, table.Identifier{store}, nil, updates); err != nil {
			t.Fatal(err)
		}
	}
	old, err := whole.Select(true, slices.DeleteFunc(names(), func(n string) bool { return n == "_conflict" || n == "annotation" })...)
	if err != nil {
		t.Fatal(err)
	}
	swap(table.NewAddSchemaUpdate(old), table.NewSetCurrentSchemaUpdate(-1))
	b.reopen(t)
	if state, err = b.table(ctx, store); err != nil {
		t.Fatal(err)
	}
	now, _ := state.now()
	if !now.Schema().Equals(whole) {
		t.Errorf("schema is\n%s", now.Schema())
	}
	b.mustCommit(t, store, []Row{sparseRow(1, day0)}, 1)

	// A field that this version does not know.
	strange, err := icebergSchema(event.Schema(event.Activity))
	if err != nil {
		t.Fatal(err)
	}
	swap(table.NewAddSchemaUpdate(strange), table.NewSetCurrentSchemaUpdate(-1))
	b.reopen(t)
	if _, err := b.Plan(ctx, store, nil); err == nil || !strings.Contains(err.Error(), "schema cannot change") {
		t.Errorf("a strange schema: %v", err)
	}
}

func names() (out []string) {
	for _, c := range event.Schema(event.CloudTrail).Columns {
		if !c.Computed {
			out = append(out, c.Name)
		}
	}
	return out
}

func TestCreateAndDrop(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	b.mustCommit(t, store, []Row{sparseRow(1, day0)}, 4)
	if err := b.CreateTable(t.Context(), store, event.CloudTrail); err != nil {
		t.Fatal(err)
	}
	if p := b.mustPlan(t, store); p.Rows != 1 {
		t.Error("making the table again emptied it")
	}
	if n := metadataFiles(t, b, store, ".metadata.json"); n != 2 {
		t.Errorf("%d metadata files", n)
	}
	for _, id := range []string{"", "../x", "not-a-uuid"} {
		if b.CreateTable(t.Context(), id, event.CloudTrail) == nil || b.DropTable(t.Context(), id) == nil {
			t.Errorf("store ID %q passes", id)
		}
	}
	if err := b.CreateTable(t.Context(), store, 99); err == nil {
		t.Error("a kind without schema passes")
	}
	if _, err := b.Write(t.Context(), store, []Row{{Event: &event.Record{Kind: event.Insight}}}); err == nil {
		t.Error("an event of another kind is written")
	}
}

func TestIdentities(t *testing.T) {
	b := openBed(t)
	for _, kind := range []event.Kind{event.CloudTrail, event.Activity} {
		t.Run(kind.String(), func(t *testing.T) {
			store := b.store(t, kind)
			rng := rand.New(rand.NewPCG(2, uint64(kind)))
			want := map[string]string{}
			for c := range 3 {
				rows := randomRows(rng, kind, 2100, 2)
				for i := range rows {
					rows[i].Sequence = int64(c*1000 + i)
					if rows[i].Sequence <= 1500 {
						continue
					}
					r := rows[i].Event
					id := "none"
					if v, _, ok := r.Value(event.Schema(kind).Must("eventid")); ok {
						id = string(v)
					}
					want[fmt.Sprintf("%x", sum(r.Text))] = fmt.Sprint(id, rows[i].Provenance, rows[i].Sequence, r.Time)
				}
				b.mustCommit(t, store, rows, int64(c*1000+2099))
			}
			err := b.Identities(t.Context(), store, 1500, func(s *Stored) error {
				id := "none"
				if s.EventID != nil {
					id = string(s.EventID)
				}
				key := fmt.Sprintf("%x", s.Hash)
				if got := fmt.Sprint(id, string(s.Provenance), s.Sequence, s.Time); want[key] != got {
					return fmt.Errorf("row %s: got %s, want %s", key, got, want[key])
				}
				delete(want, key)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(want) > 0 {
				t.Errorf("%d rows were not given", len(want))
			}
			stop := errors.New("stop")
			if err := b.Identities(t.Context(), store, -1, func(*Stored) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("error of fn: %v", err)
			}
		})
	}
}

// No generation of a table stays in memory when the next has come, whatever made that: a store commits tens of thousands of times a day.
func TestGenerationsAreForgotten(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.Activity)
	var seen []weak.Pointer[table.Table]
	for n := range 70 { // expiry comes after 32
		b.mustCommit(t, store, randomRows(rand.New(rand.NewPCG(6, uint64(n))), event.Activity, 5, 1), int64(n+1))
		s, err := b.table(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := s.now()
		seen = append(seen, weak.Make(now))
	}
	runtime.GC()
	kept := 0
	for _, w := range seen {
		if w.Value() != nil {
			kept++
		}
	}
	runtime.KeepAlive(b)
	if kept != 1 {
		t.Errorf("%d generations of a table are in memory", kept)
	}
}
