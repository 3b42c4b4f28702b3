//go:build linux

package engine

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// forkedEngine is an engine whose children are forked; a machine that refuses them is no Linux that Loch runs on in full.
func forkedEngine(t *testing.T) *DuckDB {
	d := newEngine(t, nil)
	for len(d.spares) == 0 { // one has been started; put back, it could find its place taken by the next
		time.Sleep(time.Millisecond)
	}
	if w := d.way(); !w.forked {
		t.Fatalf("children are started %s, not forked", w.name)
	}
	return d
}

// What forks of one process would have in common, if they were not told apart.
func TestForkedChildrenDrawTheirOwnLots(t *testing.T) {
	d := forkedEngine(t)
	seen := map[string]bool{}
	for range 5 {
		rows, err := ask(t, d, "SELECT random()::VARCHAR || ' ' || uuid()::VARCHAR", "varchar")
		if err != nil {
			t.Fatal(err)
		}
		if seen[rows[0][0]] {
			t.Errorf("%s came twice", rows[0][0])
		}
		seen[rows[0][0]] = true
	}
	for _, part := range []string{"random()::VARCHAR", "uuid()::VARCHAR"} {
		one, err := ask(t, d, "SELECT "+part, "varchar")
		other, err2 := ask(t, d, "SELECT "+part, "varchar")
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if one[0][0] == other[0][0] {
			t.Errorf("%s gave %s twice", part, one[0][0])
		}
	}
}

func TestNurseryThatDiesIsReplaced(t *testing.T) {
	d := forkedEngine(t)
	r := run{d: d, job: Job{SQL: "SELECT * FROM range(100000000)", Columns: []Column{{Type: "bigint"}}}}
	r.job.Limits = Limits{Memory: defaultMemory, Threads: 1, Temp: defaultTemp}
	killed := false
	r.sink = func([]Value) error {
		if !killed {
			killed = true
			d.starting.Lock()
			defer d.starting.Unlock()
			return syscall.Kill(d.nursery.cmd.Process.Pid, syscall.SIGKILL)
		}
		return nil
	}
	_, err := r.run(context.Background())
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Crashed {
		t.Fatalf("got %v", err)
	}
	for range 3 { // also the spares have died
		if rows, err := ask(t, d, "SELECT 1", "integer"); err != nil || rows[0][0] != "1" {
			t.Fatal(rows, err)
		}
	}
	if !d.way().forked {
		t.Error("children are not forked any more")
	}
}

func TestManyChildrenAtOnce(t *testing.T) {
	d := forkedEngine(t)
	children := make(chan *child)
	for range 20 {
		go func() {
			c, err := d.start()
			if err != nil {
				t.Error(err)
			}
			children <- c
		}()
	}
	pids := map[int]bool{}
	for range 20 {
		if c := <-children; c != nil {
			pids[c.pid()] = true
			defer c.end()
		}
	}
	if len(pids) != 20 {
		t.Errorf("%d children", len(pids))
	}
}

// A statement larger than its memory goes on in the child's own directory.
func TestForkedChildSpills(t *testing.T) {
	d := forkedEngine(t)
	rows, _, err := answer(t, d, Job{SQL: "SELECT count(*) FROM (SELECT DISTINCT md5(range::VARCHAR) FROM range(3000000))", Columns: []Column{{Type: "bigint"}},
		Limits: Limits{Memory: 64 << 20, Temp: 4 << 30, Threads: 2}})
	if err != nil || rows[0][0] != "3000000" {
		t.Fatal(rows, err)
	}
}

// A machine that refuses the best way to start a child gets the next, and one that cannot fork them executes them.
func TestChildrenAreStartedAsTheMachineAllows(t *testing.T) {
	d := forkedEngine(t)
	d.stop() // a spare that is being started now would come from a nursery of the old way, and the next from the same
	d.wg.Wait()
	d.starting.Lock()
	all := d.ways
	d.ways, d.proven = append([]*way{{"in a root that is not there", &syscall.SysProcAttr{Chroot: "/nonexistent"}, true}}, all[len(all)-1]), false
	d.nursery.close()
	d.nursery = nil
	d.starting.Unlock()
	c, err := d.start()
	if err != nil {
		t.Fatal(err)
	}
	c.end()
	if rows, err := ask(t, d, "SELECT 1", "integer"); err != nil || rows[0][0] != "1" {
		t.Fatal(rows, err)
	}
	if w := d.way(); w.forked || w != all[len(all)-1] {
		t.Errorf("children are started %s, forked: %v", w.name, w.forked)
	}
}
