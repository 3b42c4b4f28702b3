package e2e

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestQueriesThatDie has one query process killed and another run out of memory, while an import goes on and a third query is asked: these and the
// server take no notice.
func TestQueriesThatDie(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("query processes are found in /proc, which this system has not")
	}
	bin := build(t)
	first, second := t.TempDir(), t.TempDir()
	run(t, nil, bin, "generate", "--events", "5000", "--seed", "11", first)
	run(t, nil, bin, "generate", "--events", "5000", "--seed", "12", second)
	r := serve(t, bin, t.TempDir(), nil, "--query-memory", "64MB", "--query-temp", "32MB", "--query-slots", "3")
	createStore(t, r, "busy")
	before := importInto(t, r, bin, "--store", "busy", first).Counts.Stored

	ask := func(sql string) (wait func() (string, error)) {
		cmd := exec.Command(bin, "query", "--endpoint", r.endpoint, "--format", "csv", sql)
		cmd.Env = append(os.Environ(), r.env()...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() (string, error) { err := cmd.Wait(); return out.String(), err }
	}
	endless := ask("SELECT count(*) FROM busy a CROSS JOIN busy b CROSS JOIN busy c WHERE length(a.eventName) + length(b.eventName) + length(c.eventName) = 1")
	hungry := ask("SELECT count(DISTINCT a.eventID || b.eventID) FROM busy a CROSS JOIN busy b")

	// The process of the endless one is the one that works on while the hungry one's has failed.
	out, err := hungry()
	if err == nil || !strings.Contains(out, "memory") && !strings.Contains(out, "temporary") {
		t.Errorf("a query over its memory: %v, %s", err, out)
	}
	worker := busiest(t, r.dir)
	importing := make(chan summary, 1)
	go func() { importing <- importInto(t, r, bin, "--store", "busy", second) }()
	if err := syscall.Kill(worker, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	out, err = endless()
	if err == nil || !strings.Contains(out, "engine ended unexpectedly") && !strings.Contains(out, "ended from outside") {
		t.Errorf("a query whose process was killed: %v, %s", err, out)
	}
	s := <-importing
	want := strconv.FormatInt(before+s.Counts.Stored, 10)
	if got := values(t, r, bin, "SELECT count(*), count(DISTINCT eventID) FROM busy")[0]; s.Status != "COMPLETED" || got[0] != want || got[1] != want {
		t.Errorf("after all that the store has %v, not %s; the import: %+v", got, want, s)
	}
	resp, err := http.Get(r.endpoint + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	left, err := filepath.Glob(filepath.Join(r.dir, "engine", "*", "temp", "*"))
	if err != nil || len(left) != 0 {
		t.Error("queries that ended left temporary files:", left, err)
	}
}

// busiest is the query process of the server over a data folder that has used a second of processor time, once there is one.
func busiest(t *testing.T, dir string) int {
	t.Helper()
	dir, err := filepath.EvalSymlinks(filepath.Join(dir, "engine"))
	if err != nil {
		t.Fatal(err)
	}
	for {
		stats, err := filepath.Glob("/proc/[0-9]*/stat")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range stats {
			at, err := os.Readlink(filepath.Join(filepath.Dir(path), "cwd"))
			if err != nil || !strings.HasPrefix(at, filepath.Join(dir, "query-")) {
				continue // it has ended, or is another's, or the one that starts query processes
			}
			b, err := os.ReadFile(path)
			if err != nil {
				continue // it has ended
			}
			// pid (name) state ppid … utime is the 14th field, in hundredths of a second (proc(5)).
			_, rest, _ := strings.Cut(string(b), ") ")
			f := strings.Fields(rest)
			if len(f) < 12 {
				continue
			}
			if used, err := strconv.Atoi(f[11]); err == nil && used >= 100 {
				pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
				if err != nil {
					t.Fatal(err)
				}
				return pid
			}
		}
		select {
		case <-t.Context().Done():
			t.Fatal("no query process is at work")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
