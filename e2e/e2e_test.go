// Package e2e runs the real aws CLI and boto3 against a running loch.
package e2e

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/lochlake/loch/objstore/s3test"
)

const account = "111122223333"

// python is the interpreter of the project's own folder of clients, which `make tools` fills.
func python(t *testing.T) string {
	t.Helper()
	p, err := filepath.Abs("../build/venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Skip("no aws CLI and boto3 in build/venv: run `make tools`")
	}
	return p
}

var binary struct {
	sync.Once
	dir, out string
	err      error
}

// build makes the loch binary once a run.
func build(t *testing.T) string {
	t.Helper()
	b := &binary
	b.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "loch-e2e-"); b.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(b.dir, "loch"), "../cmd/loch").CombinedOutput()
		b.out, b.err = string(out), err
	})
	if b.err != nil {
		t.Fatalf("go build: %v\n%s", b.err, b.out)
	}
	return filepath.Join(b.dir, "loch")
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary.dir != "" {
		os.RemoveAll(binary.dir)
	}
	os.Exit(code)
}

// running is a loch that serves.
type running struct {
	cmd      *exec.Cmd
	endpoint string
	dir      string
	log      *output
	done     chan error
}

// output collects what a process says while it is asked about.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (r *running) stderr() string { return r.log.String() }

// kill ends the server as a power cut does.
func (r *running) kill(t *testing.T) {
	t.Helper()
	cmd := r.cmd
	r.cmd = nil
	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("loch serve ended by itself: %v\n%s", <-r.done, tail(r.log.String()))
	}
	<-r.done
}

func serve(t *testing.T, bin, dir string, env []string, args ...string) *running {
	t.Helper()
	return serveBy(t, []string{bin}, dir, env, args...)
}

// serveBy is serve with a command that comes to be loch.
func serveBy(t *testing.T, command []string, dir string, env []string, args ...string) *running {
	t.Helper()
	r := &running{dir: dir, log: &output{}, done: make(chan error, 1)}
	r.cmd = exec.Command(command[0], append(append(command[1:len(command):len(command)], "serve", "--data", dir, "--listen", "127.0.0.1:0", "--account", account, "--region", "us-east-1"), args...)...)
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.Stderr = r.log
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			r.endpoint = url
			break
		}
	}
	go func(cmd *exec.Cmd) {
		for lines.Scan() {
		}
		r.done <- cmd.Wait()
	}(r.cmd)
	t.Cleanup(func() { r.stop(t) })
	if r.endpoint == "" {
		t.Fatalf("loch serve never said that it listens:\n%s", r.log)
	}
	return r
}

// stop ends the server as an operator does, and fails the test where it does not end well.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if r.cmd == nil {
		return
	}
	cmd := r.cmd
	r.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("loch serve ended by itself: %v\n%s", <-r.done, tail(r.log.String()))
		return
	}
	if err := <-r.done; err != nil {
		t.Errorf("loch serve after SIGTERM: %v\n%s", err, tail(r.log.String()))
	}
}

func tail(s string) string {
	if len(s) > 6000 {
		return "…" + s[len(s)-6000:]
	}
	return s
}

func (r *running) env() []string {
	return []string{"LOCH_ENDPOINT=" + r.endpoint, "LOCH_ACCOUNT=" + account, "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(r.dir, "credentials"), "AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "PYTHONDONTWRITEBYTECODE=1"}
}

// run runs a command to its end and gives what it printed.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, tail(out.String()), tail(errs.String()))
	}
	return out.String()
}

// TestClients runs every file of clients/ against one server that holds a generated organisation.
func TestClients(t *testing.T) {
	py := python(t)
	bin := build(t)
	s3 := s3test.Start(t)
	env := []string{"LOCH_S3_ENDPOINT=" + s3.Endpoint, "LOCH_S3_PATH_STYLE=true", "LOCH_S3_ACCESS_KEY=" + s3.AccessKey, "LOCH_S3_SECRET_KEY=" + s3.SecretKey, "LOCH_S3_REGION=" + s3.Region}
	r := serve(t, bin, t.TempDir(), env, "--max-stores", "1000")
	logs := t.TempDir()
	run(t, nil, bin, "generate", "--events", "20000", "--seed", "7", "--days", "20", logs)
	run(t, r.env(), bin, "import", "--endpoint", r.endpoint, logs)
	clientEnv := append(r.env(), env...)
	files, err := filepath.Glob("clients/test_*.py")
	if err != nil || len(files) < 7 {
		t.Fatalf("clients: %v, %v", files, err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".py"), func(t *testing.T) {
			cmd := exec.Command(py, "-m", "unittest", "-v", strings.TrimSuffix(filepath.Base(f), ".py"))
			cmd.Dir = "clients"
			cmd.Env = append(os.Environ(), clientEnv...)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s\nserver:\n%s", err, tail(string(out)), tail(r.log.String()))
			}
			if !bytes.Contains(out, []byte("Ran ")) || bytes.Contains(out, []byte("Ran 0 tests")) {
				t.Errorf("no test ran:\n%s", out)
			}
			if !t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}
