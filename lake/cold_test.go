package lake

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/event"
)

// counted counts the copies that a mover makes, and fails those of its choice.
type counted struct {
	Mover
	copies int
	fail   error
}

func (c *counted) CopyCold(ctx context.Context, key string) (string, error) {
	if c.fail != nil {
		return "", c.fail
	}
	c.copies++
	return c.Mover.CopyCold(ctx, key)
}

// cold gives a bed with a folder for old objects, and what moves them there.
func (b *bed) cold(t *testing.T) (dir string, m *counted, c *cooler) {
	t.Helper()
	objects := b.objects.(lax)
	dir = t.TempDir()
	if err := objects.UseCold(dir); err != nil {
		t.Fatal(err)
	}
	m = &counted{Mover: objects}
	return dir, m, b.cooler(Cold{Mover: m, Days: 30, Share: 1})
}

func (m *cooler) must(t *testing.T) {
	t.Helper()
	if err := m.round(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// parquets counts the data files below a folder, links not counted.
func parquets(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(path, ".parquet") {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func isLink(t *testing.T, path string) bool {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Mode()&fs.ModeSymlink != 0
}

// Files of old days move when they are merged and no plan has their old place; plans, later merges and removals find them where they are.
func TestOldDaysMove(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	dir, m, c := b.cold(t)
	store := b.store(t, event.CloudTrail)
	for n := range 4 {
		b.mustCommit(t, store, randomRows(rand.New(rand.NewPCG(4, uint64(n))), event.CloudTrail, 30, 2), int64(n+1))
	}
	now := time.Now().UTC()
	b.mustCommit(t, store, []Row{sparseRow(1, now.UnixMicro())}, 5)
	before := b.contents(t, store)
	c.must(t)
	if m.copies != 0 {
		t.Fatalf("%d files were moved that are still to be merged", m.copies)
	}
	b.compactFully(t, store)

	held := b.mustPlan(t, store)
	c.must(t)
	files := len(held.Files) - 1 // today's stays
	if m.copies != files || parquets(t, dir) != files {
		t.Fatalf("%d copies of %d old files, %d are there", m.copies, files, parquets(t, dir))
	}
	during := b.mustPlan(t, store)
	for i, f := range during.Files {
		if f.Key != held.Files[i].Key {
			t.Fatal("plans have their files in another order")
		}
		if isLink(t, held.Files[i].Local) {
			t.Errorf("%s was moved under a plan that has it", f.Key)
		}
		today := strings.Contains(f.Key, now.Format(time.DateOnly))
		if (f.Local == held.Files[i].Local) != today {
			t.Errorf("a new plan has %s at %s", f.Key, f.Local)
		}
	}
	for _, p := range []*Plan{held, during} {
		if !maps.Equal(before, contents(t, p)) {
			t.Error("rows changed during the move")
		}
	}
	c.must(t)
	held.Release()
	c.must(t) // the other plan has the copies, so it is not waited for
	for _, f := range held.Files {
		if isLink(t, f.Local) == strings.Contains(f.Key, now.Format(time.DateOnly)) {
			t.Errorf("%s is at the wrong place", f.Key)
		}
	}
	if !maps.Equal(before, contents(t, during)) || !maps.Equal(before, b.contents(t, store)) {
		t.Error("rows changed after the move")
	}
	if m.copies != files {
		t.Errorf("%d copies of %d files", m.copies, files)
	}
	during.Release()

	// A restart knows them.
	b.reopen(t)
	b.compacting(t)
	c = b.cooler(c.Cold)
	c.must(t)
	if m.copies != files {
		t.Errorf("%d files were moved again", m.copies-files)
	}
	// Merged with what came late, the new file moves, and the old one goes from where it is.
	for n := range 3 {
		b.mustCommit(t, store, randomRows(rand.New(rand.NewPCG(5, uint64(n))), event.CloudTrail, 60, 2), int64(n+6))
	}
	before = b.contents(t, store)
	b.compactFully(t, store)
	c.must(t)
	for range 2 {
		if err := b.forget(t.Context(), store); err != nil {
			t.Fatal(err)
		}
	}
	p := b.mustPlan(t, store)
	if n := parquets(t, dir); n != len(p.Files)-1 {
		t.Errorf("%d files are in colder storage, the table has %d old ones", n, len(p.Files)-1)
	}
	if !maps.Equal(before, contents(t, p)) {
		t.Error("rows changed after a later merge")
	}
	p.Release()
	if err := b.RemoveOrphans(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(before, b.contents(t, store)) {
		t.Error("rows changed after orphans went")
	}
	if err := b.DropTable(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if n := parquets(t, dir) + parquets(t, filepath.Join(b.dir, "objects")); n != 0 {
		t.Errorf("%d files are left of a dropped table", n)
	}
}

// inPlace moves objects without another path, as a bucket's storage classes do.
type inPlace struct{ moved map[string]int }

func (p *inPlace) IsCold(_ context.Context, key string) (bool, error) { return p.moved[key] > 0, nil }

func (p *inPlace) CopyCold(_ context.Context, key string) (string, error) {
	p.moved[key]++
	return "", nil
}

func (p *inPlace) MoveCold(context.Context, string) error {
	return errors.New("there is no second step")
}

func TestMovesInPlace(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	store := b.store(t, event.CloudTrail)
	b.mustCommit(t, store, randomRows(rand.New(rand.NewPCG(6, 1)), event.CloudTrail, 200, 1), 1)
	b.mustCommit(t, store, []Row{sparseRow(1, day0+40*86400_000_000)}, 2)
	p := &inPlace{map[string]int{}}
	c := b.cooler(Cold{Mover: p, Days: 30, Share: 1, Unmerged: true, Least: 40 << 10})
	held := b.mustPlan(t, store) // is not waited for: what it has stays
	for range 2 {
		c.must(t)
	}
	for _, f := range held.Files {
		if want := int(bit(f.Size >= 40<<10)); p.moved[f.Key] != want {
			t.Errorf("%s of %d bytes was moved %d times", f.Key, f.Size, p.moved[f.Key])
		}
	}
	if len(p.moved) != 1 {
		t.Errorf("%d of %d files were moved", len(p.moved), len(held.Files))
	}
	// A restart asks, and moves nothing twice.
	c = b.cooler(c.Cold)
	c.must(t)
	for key, n := range p.moved {
		if n != 1 {
			t.Errorf("%s was moved %d times", key, n)
		}
	}
}

// Beside commits, merges and removals no row is lost, and what a plan has at a path is the same file for as long as the plan is held: a query's process may open no other.
func TestMovesBesideOthers(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	_, _, c := b.cold(t)
	c.Unmerged = true // files are moved just when they are merged
	store := b.store(t, event.CloudTrail)
	ctx, stop := context.WithCancel(t.Context())
	var g errgroup.Group
	for _, work := range []func() error{
		func() error { _, err := b.Compact(ctx, store); return err },
		func() error { return c.round(ctx) },
		func() error { return b.forget(ctx, store) },
	} {
		g.Go(func() error {
			for ctx.Err() == nil {
				if err := work(); err != nil && ctx.Err() == nil {
					return err
				}
			}
			return nil
		})
	}
	want := map[string]int{}
	check := func() {
		p := b.mustPlan(t, store)
		defer p.Release()
		was := make([]fs.FileInfo, len(p.Files))
		stat := func(i int) fs.FileInfo {
			fi, err := os.Stat(p.Files[i].Local)
			if err != nil {
				t.Fatal(err)
			}
			return fi
		}
		for i := range p.Files {
			was[i] = stat(i)
		}
		got := map[string]int{}
		for i, f := range p.Files {
			for _, r := range stored(t, f.Local) {
				got[r["eventjson"].(string)]++
			}
			if !os.SameFile(was[i], stat(i)) {
				t.Errorf("%s is another file by now", f.Key)
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("%d texts committed, %d are there", len(want), len(got))
		}
	}
	for n := range 12 {
		rows := randomRows(rand.New(rand.NewPCG(8, uint64(n))), event.CloudTrail, 15, 2)
		for i := range rows {
			want[string(rows[i].Event.Text)]++
		}
		b.mustCommit(t, store, rows, int64(n+1))
		check()
	}
	stop()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	b.compactFully(t, store)
	c.must(t)
	check()
}

func TestMovesThatFail(t *testing.T) {
	b := openBed(t)
	b.compacting(t)
	dir, m, c := b.cold(t)
	c.Unmerged = true
	store := b.store(t, event.CloudTrail)
	for n := range coldAtOnce + 4 {
		b.mustCommit(t, store, []Row{sparseRow(n, day0)}, int64(n+1))
	}
	before := b.contents(t, store)
	m.fail = errors.New("the disk is full")
	if err := c.round(t.Context()); !errors.Is(err, m.fail) || !strings.Contains(err.Error(), store) {
		t.Errorf("a full disk: %v", err)
	}
	m.fail = nil
	// No more than so many copies wait for a plan to end.
	held := b.mustPlan(t, store)
	c.must(t)
	c.must(t)
	if m.copies != coldAtOnce {
		t.Errorf("%d copies wait", m.copies)
	}
	held.Release()
	c.must(t)
	if n := parquets(t, dir); n != coldAtOnce+4 || m.copies != n {
		t.Errorf("%d files in colder storage of %d, after %d copies", n, coldAtOnce+4, m.copies)
	}
	if !maps.Equal(before, b.contents(t, store)) {
		t.Error("rows changed")
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	b.RunCold(ctx, c.Cold) // returns
}
