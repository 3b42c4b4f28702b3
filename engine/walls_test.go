package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/engine/worker"
)

// What a child looks like from outside while it runs a statement.
func TestWalls(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc here")
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
	d := newEngine(t, nil)
	r := run{d: d, job: Job{SQL: "SELECT * FROM range(100000)", Columns: []Column{{Type: "bigint"}}, Limits: Limits{Memory: defaultMemory, Threads: 2, Temp: 1 << 30}}}
	looked := false
	r.sink = func([]Value) error {
		if looked {
			return nil
		}
		looked = true
		proc := filepath.Join("/proc", strconv.Itoa(r.child.pid()))
		read := func(name string) string {
			b, err := os.ReadFile(filepath.Join(proc, name))
			if err != nil {
				t.Error(err)
			}
			return string(b)
		}
		if env := read("environ"); strings.Contains(env, "SECRET") {
			t.Error("the child has the server's environment")
		}
		if adj := strings.TrimSpace(read("oom_score_adj")); adj != "1000" {
			t.Errorf("oom_score_adj %s", adj)
		}
		if fds, err := os.ReadDir(filepath.Join(proc, "fd")); err != nil {
			t.Error(err)
		} else {
			for _, fd := range fds {
				// Above the answers' pipe are Go's own, for waiting and for the CPU limit; anything else would be another process's.
				if to, err := os.Readlink(filepath.Join(proc, "fd", fd.Name())); err == nil && len(fd.Name()) == 1 && fd.Name() <= "3" {
					continue
				} else if err == nil && !strings.HasPrefix(to, "anon_inode:[event") && !strings.HasPrefix(to, "/sys/fs/cgroup/") {
					t.Errorf("the child holds descriptor %s: %s", fd.Name(), to)
				}
			}
		}
		if cwd, err := os.Readlink(filepath.Join(proc, "cwd")); err != nil || cwd != r.child.temp() {
			t.Errorf("working directory %s, %v", cwd, err)
		}
		limits := map[string]string{}
		for line := range strings.Lines(read("limits")) {
			if len(line) > 26 {
				limits[strings.TrimSpace(line[:26])] = strings.Fields(line[26:])[0]
			}
		}
		if limits["Max core file size"] != "0" || limits["Max file size"] != strconv.Itoa(1<<30) || limits["Max data size"] != strconv.Itoa(defaultMemory+worker.Headroom) {
			t.Errorf("limits %v", limits)
		}
		if d.ways[0].attr.Cloneflags == 0 {
			t.Log("this machine refuses namespaces")
			return nil
		}
		mine, err := os.Readlink("/proc/self/ns/net")
		if err != nil {
			t.Error(err)
		}
		if its, err := os.Readlink(filepath.Join(proc, "ns/net")); err != nil || its == mine {
			t.Errorf("the child shares the network: %s, %v", its, err)
		}
		return nil
	}
	if _, err := r.run(context.Background()); err != nil || !looked {
		t.Fatal(err, looked)
	}
}

// parentArgument makes the test binary start an engine with an endless statement, tell the child's process id, and wait.
const parentArgument = "engine-test-parent"

func beParent() {
	d, err := NewDuckDB(Config{TempDir: os.Args[2], Spare: 1})
	if err == nil {
		r := run{d: d, job: Job{SQL: "SELECT * FROM range(100000000000)", Columns: []Column{{Type: "bigint"}}, Limits: Limits{Memory: defaultMemory, Threads: 1, Temp: 1 << 30}}}
		told := false
		r.sink = func([]Value) error {
			if !told {
				fmt.Println(r.child.pid())
				told = true
			}
			return nil
		}
		_, err = r.run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestNoChildOutlivesItsParent(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc here")
	}
	cmd := exec.Command(os.Args[0], parentArgument, filepath.Join(t.TempDir(), "engine"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var died *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &died) {
		t.Fatal(err)
	}
	proc := filepath.Join("/proc", strings.TrimSpace(line), "stat")
	for {
		b, err := os.ReadFile(proc)
		if errors.Is(err, os.ErrNotExist) || strings.Contains(string(b), ") Z ") { // gone, or nobody has waited for it yet
			return
		}
		time.Sleep(10 * time.Millisecond) // the test's own time limit ends this where the child lives on
	}
}
