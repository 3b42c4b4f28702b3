package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
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
		proc := filepath.Join("/proc", strconv.Itoa(r.child.cmd.Process.Pid))
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
		if cwd, err := os.Readlink(filepath.Join(proc, "cwd")); err != nil || cwd != r.child.temp() {
			t.Errorf("working directory %s, %v", cwd, err)
		}
		limits := map[string]string{}
		for line := range strings.Lines(read("limits")) {
			if len(line) > 26 {
				limits[strings.TrimSpace(line[:26])] = strings.Fields(line[26:])[0]
			}
		}
		if limits["Max core file size"] != "0" || limits["Max file size"] != strconv.Itoa(1<<30) || limits["Max data size"] != strconv.Itoa(defaultMemory+headroom) {
			t.Errorf("limits %v", limits)
		}
		if d.plainRun {
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
				fmt.Println(r.child.cmd.Process.Pid)
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

// confinedArgument makes the test binary confine itself as a child does, without DuckDB and its own settings, and try to get out.
const confinedArgument = "engine-test-confined"

func beConfined() {
	dir := os.Args[2]
	planned, temp := filepath.Join(dir, "planned"), filepath.Join(dir, "temp")
	report := confine(&workerJob{Paths: []string{planned}, Temp: temp, Memory: defaultMemory, TempMax: 1 << 20})
	if report.Landlock == 0 {
		fmt.Println("no Landlock")
		os.Exit(0)
	}
	tell := func(what string, err error, want bool) {
		if (err == nil) != want {
			fmt.Println(what, err)
		}
	}
	tell("confine", errors.New(report.Problem), report.Problem != "")
	_, err := os.ReadFile(planned)
	tell("read a planned file", err, true)
	tell("write in its own directory", os.WriteFile(filepath.Join(temp, "x"), []byte("x"), 0o600), true)
	tell("write too much", os.WriteFile(filepath.Join(temp, "x"), make([]byte, 2<<20), 0o600), false)
	tell("write a planned file", os.WriteFile(planned, []byte("x"), 0o600), false)
	tell("remove a planned file", os.Remove(planned), false)
	_, err = os.ReadFile(filepath.Join(dir, "secret"))
	tell("read another file", err, false)
	_, err = os.ReadDir(dir)
	tell("list a directory", err, false)
	_, err = os.ReadFile("/etc/passwd")
	tell("read /etc/passwd", err, false)
	if report.Landlock >= 4 { // older ones don't know the network
		var dialer net.Dialer
		dialer.SetMultipathTCP(false)
		_, err = dialer.Dial("tcp", os.Args[3])
		tell("connect", err, false)
	}
	tell("run a program", exec.Command("/bin/true").Run(), false)
	os.Exit(0)
}

func TestKernelWallsAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"planned", "secret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "temp"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := exec.Command(os.Args[0], confinedArgument, dir, l.Addr().String()).CombinedOutput()
	if strings.Contains(string(out), "no Landlock") {
		t.Skip("this kernel has no Landlock")
	}
	if err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
