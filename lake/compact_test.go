package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/objstore"
)

// compacting readies a bed for compaction without waits, with row groups so small that files have several.
func (b *bed) compacting(t testing.TB) {
	t.Helper()
	b.compaction = Compaction{Dir: t.TempDir(), Share: 1}
	b.group = bounds{rows: 64, bytes: groupBytes}
	b.keepReplaced, b.orphanAge = 0, 0
}

// compactFully compacts until nothing is left to do, and gives how many jobs that were.
func (b *bed) compactFully(t testing.TB, store string) (jobs int) {
	t.Helper()
	for {
		worked, err := b.Compact(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		if !worked {
			return jobs
		}
		if jobs++; jobs > 100 {
			t.Fatal("compaction does not come to an end")
		}
	}
}

// contents counts the rows of a plan by all that is in them.
func contents(t testing.TB, p *Plan) map[string]int {
	t.Helper()
	rows := map[string]int{}
	var n int64
	for _, f := range p.Files {
		got := stored(t, f.Local)
		if int64(len(got)) != f.Rows {
			t.Fatalf("file %s: %d rows, %d by the table", f.Key, len(got), f.Rows)
		}
		for _, r := range got {
			rows[fmt.Sprint(r)]++
			n++
		}
	}
	if n != p.Rows {
		t.Fatalf("%d rows, %d by the plan", n, p.Rows)
	}
	return rows
}

func (b *bed) contents(t testing.TB, store string) map[string]int {
	t.Helper()
	p := b.mustPlan(t, store)
	defer p.Release()
	return contents(t, p)
}

func TestCompactionKeepsRows(t *testing.T) {
	b := openBed(t)
	rapid.Check(t, func(rt *rapid.T) {
		b.compacting(t)
		b.group.rows = rapid.SampledFrom([]int{7, 64, 1000}).Draw(rt, "rows of a group")
		kind := rapid.SampledFrom(event.Kinds()).Draw(rt, "kind")
		store := b.store(t, kind)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		for n := range rapid.IntRange(1, 4).Draw(rt, "batches") {
			rows := randomRows(rng, kind, 1+rng.IntN(12), 2)
			b.mustCommit(t, store, rows, int64(n+1))
			if rapid.Bool().Draw(rt, "compact between") {
				before := b.contents(t, store)
				b.compactFully(t, store)
				if after := b.contents(t, store); !maps.Equal(before, after) {
					rt.Fatalf("%d different rows before, %d after", len(before), len(after))
				}
			}
		}
		before := b.contents(t, store)
		b.compactFully(t, store)
		p := b.mustPlan(t, store)
		defer p.Release()
		if after := contents(t, p); !maps.Equal(before, after) {
			rt.Fatalf("%d different rows before, %d after", len(before), len(after))
		}
		// The largest of a day may outweigh the rest by far, else there is one file left.
		if len(p.Files) > 2*3 {
			rt.Fatalf("%d files are left of two days", len(p.Files))
		}
	})
}

// Bounds and filters of a merged file rule out nothing that is there.
func TestMergedFilesPrune(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	store := b.store(t, event.CloudTrail)
	var rows []Row
	for i := range 600 {
		rows = append(rows, sparseRow(i, day0+int64(i)))
	}
	for n, part := range slices.Collect(slices.Chunk(rows, 50)) {
		b.mustCommit(t, store, part, int64(n+1))
	}
	b.compactFully(t, store)
	p := b.mustPlan(t, store)
	if len(p.Files) != 1 {
		t.Fatalf("%d files are left", len(p.Files))
	}
	ts := event.Schema(event.CloudTrail)
	for i := range rows {
		for _, path := range []string{"eventid", "sourceipaddress", "useridentity.accesskeyid", "useridentity.arn"} {
			v, _, _ := rows[i].Event.Value(ts.Must(path))
			if got := b.mustPlan(t, store, Predicate{Path: path, Op: Equal, Values: []Value{{Text: string(v)}}}); len(got.Files) != 1 {
				t.Fatalf("%s = %s rules out the file that has it", path, v)
			}
		}
	}
	ruled := 0
	for i := 10_000; i < 11_000; i++ {
		v, _, _ := sparseRow(i, 0).Event.Value(ts.Must("sourceipaddress"))
		if len(b.mustPlan(t, store, Predicate{Path: "sourceipaddress", Op: Equal, Values: []Value{{Text: string(v)}}}).Files) == 0 {
			ruled++
		}
	}
	if ruled < 800 {
		t.Errorf("of 1000 addresses that are not there, %d are ruled out", ruled)
	}
	if got := b.mustPlan(t, store, Predicate{Path: "_sequence", Op: Greater, Values: []Value{{Num: 599}}}); len(got.Files) != 0 {
		t.Error("a bound of the merged file is too wide")
	}
}

// What a plan holds stays until it is released; then what was replaced goes, and nothing else.
func TestReplacedFilesGo(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	store := b.store(t, event.CloudTrail)
	for n := range 9 {
		b.mustCommit(t, store, randomRows(rand.New(rand.NewPCG(1, uint64(n))), event.CloudTrail, 20, 1), int64(n+1))
	}
	old := b.mustPlan(t, store)
	before := contents(t, old)
	b.compactFully(t, store)
	if err := b.forget(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if after := contents(t, old); !maps.Equal(before, after) {
		t.Error("a plan's rows changed while it was held")
	}
	old.Release()
	for range 2 { // garbage is removed once its grace is over
		if err := b.forget(t.Context(), store); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.objectsUnder(t, "tables/"+store+"/data/")); n != 1 {
		t.Errorf("%d data files are there", n)
	}
	if after := b.contents(t, store); !maps.Equal(before, after) {
		t.Error("rows changed")
	}
	if applied, err := b.Applied(t.Context(), store); err != nil || applied != 9 {
		t.Errorf("applied %d, %v", applied, err)
	}
	if err := b.RemoveOrphans(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	b.reopen(t)
	if after := b.contents(t, store); !maps.Equal(before, after) {
		t.Error("rows changed after orphans went")
	}
}

func (b *bed) objectsUnder(t testing.TB, prefix string) (keys []string) {
	t.Helper()
	if err := b.objects.List(t.Context(), prefix, "", func(o objstore.Object) error {
		keys = append(keys, o.Key)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return keys
}

var errCrash = errors.New("crash")

// crashing is a store in which everything fails after so many changes, as for a process that was killed.
type crashing struct {
	objstore.Store
	left int
}

func (c *crashing) change() error {
	if c.left--; c.left < 0 {
		return errCrash
	}
	return nil
}

func (c *crashing) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	if err := c.change(); err != nil {
		return err
	}
	return c.Store.Put(ctx, key, r, size, onlyNew)
}

func (c *crashing) Delete(ctx context.Context, key string) error {
	if err := c.change(); err != nil {
		return err
	}
	return c.Store.Delete(ctx, key)
}

// A kill at any step leaves the table right, and what it left behind is removed.
func TestCompactionCrashes(t *testing.T) {
	for steps := 0; ; steps++ {
		b := openBed(t)
		b.compacting(t)
		store := b.store(t, event.CloudTrail)
		for n := range 3 {
			b.mustCommit(t, store, randomRows(rand.New(rand.NewPCG(2, uint64(n))), event.CloudTrail, 6, 2), int64(n+1))
		}
		before := b.contents(t, store)
		sound := b.objects
		b.objects = &crashing{sound, steps}
		b.reopen(t)
		b.compacting(t)
		_, err := b.Compact(t.Context(), store)
		if err == nil {
			if err = b.forget(t.Context(), store); err == nil {
				err = b.forget(t.Context(), store)
			}
		}
		crashed := err != nil
		if crashed && !errors.Is(err, errCrash) {
			t.Fatalf("after %d steps: %v", steps, err)
		}

		b.objects = sound
		b.reopen(t)
		b.compacting(t)
		if after := b.contents(t, store); !maps.Equal(before, after) {
			t.Fatalf("after %d steps rows changed", steps)
		}
		b.compactFully(t, store)
		for range 2 {
			if err := b.forget(t.Context(), store); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.RemoveOrphans(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		if after := b.contents(t, store); !maps.Equal(before, after) {
			t.Fatalf("after %d steps and all cleaned up rows changed", steps)
		}
		if n := len(b.objectsUnder(t, "tables/"+store+"/data/")); n != 2 {
			t.Fatalf("after %d steps and all cleaned up there are %d data files", steps, n)
		}
		if !crashed {
			if steps < 5 {
				t.Errorf("only %d steps could fail", steps)
			}
			return
		}
	}
}

// Commits go on while files are merged, and none is lost.
func TestCompactionBesideCommits(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	store := b.store(t, event.CloudTrail)
	want := map[string]int{}
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := b.Compact(ctx, store); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for n := range 30 {
		rows := randomRows(rand.New(rand.NewPCG(3, uint64(n))), event.CloudTrail, 15, 2)
		for i := range rows {
			want[string(rows[i].Event.Text)]++
		}
		b.mustCommit(t, store, rows, int64(n+1))
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b.compactFully(t, store)
	got := map[string]int{}
	for _, f := range b.mustPlan(t, store).Files {
		for _, r := range stored(t, f.Local) {
			got[r["eventjson"].(string)]++
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d texts committed, %d are there", len(want), len(got))
	}
}

// A source that is damaged is found before anything takes its place.
func TestDamagedSourceStays(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	store := b.store(t, event.CloudTrail)
	for n := range 3 {
		b.mustCommit(t, store, randomRows(rand.New(rand.NewPCG(4, uint64(n))), event.CloudTrail, 40, 1), int64(n+1))
	}
	path := b.mustPlan(t, store).Files[0].Local
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/3] ^= 0x55
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for range giveUp {
		if _, err := b.Compact(t.Context(), store); err == nil {
			t.Fatal("a damaged file was merged")
		}
	}
	if worked, err := b.Compact(t.Context(), store); err != nil || worked {
		t.Errorf("it is tried for ever: %v", err)
	}
	if n := len(b.mustPlan(t, store).Files); n != 3 {
		t.Errorf("%d files", n)
	}
}

// Days are merged when many files have gathered, or when nothing came for a while, and then no more.
func TestMerges(t *testing.T) {
	files := func(sizes ...int64) (list []*dataFile) {
		for i, s := range sizes {
			list = append(list, &dataFile{File: File{Key: fmt.Sprint(i), Size: s << 10, Rows: s}})
		}
		return list
	}
	const large = targetBytes >> 10
	for _, c := range []struct {
		quiet bool
		sizes []int64
		want  string
	}{
		{false, []int64{5, 5, 5, 5, 5, 5, 5}, ""},
		{false, []int64{5, 5, 5, 5, 5, 5, 5, 5}, "8"},
		{false, []int64{5, 5, 5, 5, 5, 5, 5, 5, 1000}, "8"},
		{false, []int64{5, 5, 5, 5, 5, 5, 5, 5, 40}, "9"},
		{true, []int64{5}, ""},
		{true, []int64{5, 20}, "2"},
		{true, []int64{5, 21}, ""},
		{true, []int64{5, 5, 5, 5, 80, 320}, "6"},
		{true, []int64{large, large}, ""},
		{true, []int64{large/2 - 1, large/2 - 1, large/2 - 1}, "2"},
		{false, slices.Repeat([]int64{5}, 600), "256 256 88"},
	} {
		var got []string
		for _, g := range merges(files(c.sizes...), c.quiet, groupRows) {
			got = append(got, fmt.Sprint(len(g)))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("quiet %v, %v: groups of %q files, want %q", c.quiet, c.sizes, s, c.want)
		}
	}
}

// A quiet day is one whose files stay the same for a while.
func TestDueWaits(t *testing.T) {
	s := &tableState{}
	list := []*dataFile{{File: File{Key: "a", Size: 10, Rows: 1}}, {File: File{Key: "b", Size: 10, Rows: 1}}}
	now := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		after time.Duration
		more  int64
		want  int
	}{{0, 0, 0}, {time.Minute, 0, 0}, {time.Minute, 1, 0}, {119 * time.Second, 0, 0}, {time.Second, 0, 1}} {
		now = now.Add(c.after)
		list[1].Size += c.more
		if got := len(s.due(list, now, 2*time.Minute, groupRows)); got != c.want {
			t.Errorf("at %v: %d groups, want %d", now, got, c.want)
		}
	}
}

// far is a store whose objects are not files of this machine.
type far struct{ objstore.Store }

func (far) LocalPath(string) string { return "" }

// Files of a remote store are merged the same way.
func TestCompactionFromAfar(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.Activity)
	for n := range 4 {
		b.mustCommit(t, store, randomRows(rand.New(rand.NewPCG(5, uint64(n))), event.Activity, 50, 1), int64(n+1))
	}
	before := b.contents(t, store)
	near := b.objects
	b.objects = far{near}
	b.reopen(t)
	b.compacting(t)
	b.compactFully(t, store)
	if left, err := os.ReadDir(b.compaction.Dir); err != nil || len(left) > 0 {
		t.Errorf("%d files are left behind, %v", len(left), err)
	}
	b.objects = near
	b.reopen(t)
	p := b.mustPlan(t, store)
	if after := contents(t, p); len(p.Files) != 1 || !maps.Equal(before, after) {
		t.Errorf("%d files, %d different rows before, %d after", len(p.Files), len(before), len(after))
	}
}

// The loop merges by itself, and ends when it is told to.
func TestCompactionRuns(t *testing.T) {
	b := openBed(t)
	store := b.store(t, event.CloudTrail)
	for n := range crowd {
		b.mustCommit(t, store, []Row{sparseRow(n, day0)}, int64(n+1))
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/left", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.RunCompaction(ctx, Compaction{Dir: dir, Every: time.Millisecond}) }()
	for {
		p := b.mustPlan(t, store)
		p.Release()
		if len(p.Files) == 1 {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d files are left behind, %v", len(left), err)
	}
}
