package engine

import (
	"errors"
	"fmt"
	"github.com/lochlake/loch/engine/worker"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// child is one process of this binary that runs at most one statement.
type child struct {
	cmd     *exec.Cmd
	dir     string // all that is its own: temp, its working directory, and in, where staged files appear
	in      worker.Writer
	stdin   *os.File
	answers *os.File
	out     *worker.Reader
	stderr  *tail
	once    sync.Once
	started time.Time
}

// temp is where the child may write; input where it finds staged files.
func (c *child) temp() string  { return filepath.Join(c.dir, "temp") }
func (c *child) input() string { return filepath.Join(c.dir, "in") }

// start runs a child and waits until it is warm. attr are tried in order, as a machine may refuse some.
func start(command []string, tempDir string, attr *syscall.SysProcAttr) (*child, error) {
	dir, err := os.MkdirTemp(tempDir, "query-")
	if err != nil {
		return nil, err
	}
	c := &child{dir: dir, stderr: &tail{}, started: time.Now()}
	if err := c.launch(command, attr); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	kind, _, err := c.out.Next()
	if err == nil && kind == worker.FrameError {
		err = errors.New("it could not open DuckDB")
	} else if err == nil && kind != worker.FrameReady {
		err = fmt.Errorf("it began with a frame %q", kind)
	}
	if err != nil {
		state := c.end()
		return nil, fmt.Errorf("start of a query process: %w (%v) %s", err, state, c.stderr)
	}
	return c, nil
}

func (c *child) launch(command []string, attr *syscall.SysProcAttr) error {
	if err := errors.Join(os.Mkdir(c.temp(), 0o700), os.Mkdir(c.input(), 0o700)); err != nil {
		return err
	}
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return errors.Join(err, inRead.Close(), inWrite.Close())
	}
	c.cmd = exec.Command(command[0], command[1:]...)
	c.cmd.Dir = c.temp()
	c.cmd.Env = []string{"TMPDIR=" + c.temp(), "HOME=" + c.temp(), "GOTRACEBACK=single"}
	c.cmd.Stdin, c.cmd.Stderr = inRead, c.stderr
	c.cmd.ExtraFiles = []*os.File{outWrite} // file descriptor 3
	c.cmd.SysProcAttr = attr
	err = c.cmd.Start()
	closed := errors.Join(inRead.Close(), outWrite.Close())
	if err = errors.Join(err, closed); err != nil {
		return errors.Join(err, inWrite.Close(), outRead.Close())
	}
	c.stdin, c.in = inWrite, worker.Writer{W: inWrite}
	c.answers, c.out = outRead, worker.NewReader(outRead)
	return nil
}

// kill ends the child at once; what it does is lost. It may be called from any goroutine, and after end.
func (c *child) kill() {
	// The only error there can be is that it has ended already.
	_ = c.cmd.Process.Kill()
}

// end kills the child, waits for it, and removes all that was its own.
func (c *child) end() *os.ProcessState {
	c.once.Do(func() {
		c.kill()
		// Its exit status is read from the state; its pipes have nothing more to say.
		_ = c.stdin.Close()
		_ = c.cmd.Wait()
		_ = c.answers.Close()
		// What cannot be removed now goes when the server starts next, which empties the directory.
		_ = os.RemoveAll(c.dir)
	})
	return c.cmd.ProcessState
}

// wait lets a child that has sent its last frame end by itself, so that its state tells why it ended.
func (c *child) wait() *os.ProcessState {
	timer := time.AfterFunc(2*time.Second, c.kill)
	defer timer.Stop()
	c.once.Do(func() {
		_ = c.stdin.Close()
		_ = c.cmd.Wait()
		_ = c.answers.Close()
		_ = os.RemoveAll(c.dir)
	})
	return c.cmd.ProcessState
}

// tail keeps the last bytes that a child wrote to standard error.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 8 << 10

// Write keeps what fits.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - tailBytes; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
