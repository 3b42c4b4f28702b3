package ingest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/disk/disktest"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// The crash tests run this test binary again as a server that works until it kills itself (SIGKILL: nothing is run, nothing is flushed) at
// a given step, and then look at what the folder holds. What it acknowledged it has written to standard output before.
const (
	crashDir   = "LOCH_TEST_CRASH_DIR"
	crashPoint = "LOCH_TEST_CRASH_POINT" // a point's name and how often it must be passed
	crashRound = "LOCH_TEST_CRASH_ROUND"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := crashingServer(dir, os.Getenv(crashPoint), os.Getenv(crashRound)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killer ends the process when a point is passed for the nth time.
type killer struct {
	point string
	left  atomic.Int64
}

func (k *killer) pass(point string) {
	if (k.point == "any" || k.point == point) && k.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it arrives
	}
}

// hook names the steps of log and index as points.
func (k *killer) hook(op, name string) (int, error) {
	switch filepath.Ext(name) {
	case ".wal":
		k.pass("log " + op)
	case ".run":
		k.pass("run " + op)
	default:
		k.pass(strings.TrimSuffix(filepath.Base(name), ".new") + " " + op)
	}
	return 0, nil
}

type killingTables struct {
	*lake.Lake
	*killer
}

func (t *killingTables) Write(ctx context.Context, id string, rows []lake.Row) (lake.Files, error) {
	t.pass("before write")
	files, err := t.Lake.Write(ctx, id, rows)
	t.pass("after write")
	return files, err
}

func (t *killingTables) Commit(ctx context.Context, id string, files lake.Files, applied int64) error {
	t.pass("before commit")
	err := t.Lake.Commit(ctx, id, files, applied)
	t.pass("after commit")
	return err
}

// killingObjects and killingMeta name the steps within a commit: data files, manifests, lists and metadata being put, and the swap that makes them the table.
type killingObjects struct {
	objstore.Store
	*killer
}

func (o *killingObjects) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	o.pass("before put")
	err := o.Store.Put(ctx, key, r, size, onlyNew)
	o.pass("after put")
	return err
}

type killingMeta struct {
	meta.DB
	*killer
}

func (m *killingMeta) SwapTable(ctx context.Context, storeID, old, location string, applied int64, leaves ...[]byte) error {
	m.pass("before swap")
	err := m.DB.SwapTable(ctx, storeID, old, location, applied, leaves...)
	m.pass("after swap")
	return err
}

var crashTargets = []Target{everything(1), everything(2)}

func crashConfig(c *Config) { c.ChunkRows, c.IndexKeys = 15, 20 }

// crashEvents are the events of one of a round's deliveries. Half of them the round before has sent, too.
func crashEvents(round, n int) []ev {
	return append(ids(fmt.Sprintf("%d-%d-", round, n), 6), ids(fmt.Sprintf("%d-%d-", round-1, n), 6)...)
}

const crashDeliveries = 8

func crashingServer(dir, point, roundText string) error {
	ctx := context.Background()
	at := strings.LastIndexByte(point, ' ')
	name, count := point[:at], point[at+1:]
	round, err := strconv.Atoi(roundText)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		return err
	}
	k := &killer{point: name}
	k.left.Store(n)
	s, err := tryStartOver(ctx, dir, crashTargets, func(c *Config) {
		crashConfig(c)
		c.FS = &disktest.FS{FS: disk.OS, Hook: k.hook}
		c.Tables = &killingTables{c.Tables.(*lake.Lake), k}
	}, func(db meta.DB, objects objstore.Store) (meta.DB, objstore.Store) {
		return &killingMeta{db, k}, &killingObjects{objects, k}
	})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	// In two halves, each of which is in the tables before the next begins: so every step is passed as often as the tests ask, though one commit may take all the chunks that are ready.
	for half := range 2 {
		for g := range 2 {
			wg.Go(func() {
				for i := half*crashDeliveries/2 + g; i < (half+1)*crashDeliveries/2; i += 2 {
					events := crashEvents(round, i)
					d, err := fileOf(ctx, events)
					if err == nil && i%3 == 0 {
						d.Payload, d.Encoding = nil, ""
					}
					d.Live, d.Scope = true, home
					if err == nil {
						_, err = s.Accept(ctx, d)
					}
					mu.Lock()
					if err != nil {
						failed = err
					} else {
						fmt.Println("accepted", i) // one write: it is there whole or not at all
					}
					mu.Unlock()
				}
			})
		}
		if wg.Wait(); failed == nil {
			failed = s.Flush(ctx)
		}
		if failed != nil {
			return failed
		}
	}
	return s.Close(ctx)
}

// crashRun starts the server, waits for its end, and gives the deliveries that it acknowledged and whether it was killed.
func crashRun(t *testing.T, dir, point string, round int) (accepted []int, killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashPoint+"="+point, crashRound+"="+strconv.Itoa(round))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		killed = true
	} else if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "accepted %d", &n); err == nil {
			accepted = append(accepted, n)
		}
	}
	return accepted, killed
}

// crashVerify opens the folder and looks whether every acknowledged event is in each store once, and no event twice.
func crashVerify(t *testing.T, dir string, acknowledged map[string]bool) {
	t.Helper()
	s := start(t, dir, crashTargets, crashConfig)
	flush(t, s.Ingest)
	for _, target := range crashTargets {
		byID := map[string]int{}
		for k, n := range s.rows(t, target.StoreID) {
			id, _, _ := strings.Cut(k, " ")
			byID[id] += n
			if n > 1 {
				t.Errorf("%s is stored %d times", k, n)
			}
		}
		for id := range acknowledged {
			if byID[id] != 1 {
				t.Errorf("%s was acknowledged and is stored %d times", id, byID[id])
			}
		}
	}
	s.stop(t)
}

func crash(t *testing.T, points ...string) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round, point := range points {
		accepted, killed := crashRun(t, dir, point, round)
		t.Logf("%s: killed %v, %d acknowledged", point, killed, len(accepted))
		if !killed && !strings.HasPrefix(point, "any ") {
			t.Errorf("%s was never passed", point)
		}
		for _, n := range accepted {
			for _, e := range crashEvents(round, n) {
				acknowledged[e.id] = true
			}
		}
	}
	crashVerify(t, dir, acknowledged)
}

// TestKillAtEveryStep kills at each named step between accept and commit.
func TestKillAtEveryStep(t *testing.T) {
	for _, point := range []string{
		"log create 1", "log write 1", "log write 3", "log sync 1", "log sync 3", "before write 1", "before write 3", "after write 1", "after write 4",
		"before put 3", "after put 3", "before put 6", "after put 8", "after put 12", "before swap 1", "before swap 4", "after swap 1", "after swap 4",
		"before commit 1", "before commit 3", "after commit 1", "after commit 3", "run create 1", "run write 1", "run sync 1", "run sync 2",
		"manifest write 1", "manifest rename 1", "manifest rename 2",
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			crash(t, point)
		})
	}
}

// TestKillAnywhere kills at random steps of every kind, several times in a row, over what the kill before left.
func TestKillAnywhere(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range 4 {
		var points []string
		for range 5 {
			points = append(points, fmt.Sprint("any ", 1+r.IntN(300)))
		}
		t.Run(fmt.Sprintf("seed %d run %d", seed, i), func(t *testing.T) {
			t.Parallel()
			crash(t, points...)
		})
	}
}
