package engine

import (
	"errors"
	"fmt"
	"github.com/lochlake/loch/engine/worker"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is a child's process as the system knows it.
type process interface {
	pid() int
	kill() // ends it at once; it may be called from any goroutine, and after wait
	alive() bool
	wait() ending // until it has ended; called once
}

// ending is how a process ended.
type ending struct {
	text   string
	killed bool // by SIGKILL
}

// child is one process of this binary that runs at most one statement.
type child struct {
	process
	ending  ending // once it has
	dir     string // all that is its own: temp, its working directory, and in, where staged files appear
	in      worker.Writer
	stdin   *os.File
	answers *os.File
	out     *worker.Reader
	stderr  *tail
	once    sync.Once
}

// launcher starts a process in a directory with a standard input, the pipe of its answers and what it writes to standard error. It does not close the files.
type launcher func(dir string, in, answers *os.File, stderr *tail) (process, error)

// temp is where the child may write; input where it finds staged files.
func (c *child) temp() string  { return filepath.Join(c.dir, "temp") }
func (c *child) input() string { return filepath.Join(c.dir, "in") }

// start runs a child and waits until it is warm.
func start(launch launcher, tempDir string) (*child, error) {
	dir, err := os.MkdirTemp(tempDir, "query-")
	if err != nil {
		return nil, err
	}
	c := &child{dir: dir, stderr: &tail{}}
	if err := c.launch(launch); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	kind, _, err := c.out.Next()
	if err == nil && kind == worker.FrameError {
		err = errors.New("it could not open DuckDB")
	} else if err == nil && kind != worker.FrameReady {
		err = fmt.Errorf("it began with a frame %q", kind)
	}
	if err != nil {
		c.end()
		return nil, fmt.Errorf("start of a query process: %w (%s) %s", err, c.ending.text, c.stderr)
	}
	return c, nil
}

func (c *child) launch(launch launcher) error {
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
	c.process, err = launch(c.temp(), inRead, outWrite, c.stderr)
	closed := errors.Join(inRead.Close(), outWrite.Close())
	if err = errors.Join(err, closed); err != nil {
		return errors.Join(err, inWrite.Close(), outRead.Close())
	}
	c.stdin, c.in = inWrite, worker.Writer{W: inWrite}
	c.answers, c.out = outRead, worker.NewReader(outRead)
	return nil
}

// end kills the child, waits for it, and removes all that was its own.
func (c *child) end() {
	c.kill()
	c.bury()
}

// bury waits for a child that ends, and removes all that was its own.
func (c *child) bury() {
	c.once.Do(func() {
		// Its pipes have nothing more to say; its ending tells what there is to know.
		_ = c.stdin.Close()
		c.ending = c.process.wait()
		_ = c.answers.Close()
		// What cannot be removed now goes when the server starts next, which empties the directory.
		_ = os.RemoveAll(c.dir)
	})
}

// died lets a child that has sent its last frame end by itself, so that its ending tells why it did.
func (c *child) died() ending {
	timer := time.AfterFunc(2*time.Second, c.kill)
	defer timer.Stop()
	c.bury()
	return c.ending
}

// alive tells whether a spare child still runs.
func (c *child) alive() bool { return c.process.alive() && !c.gone() }

// executed is a process of its own binary, from its start.
type executed struct{ cmd *exec.Cmd }

// environment is what a worker's process is told, which has none of the server's.
func environment(dir string) []string {
	return []string{"TMPDIR=" + dir, "HOME=" + dir, "GOTRACEBACK=single",
		"GOGC=400", // its Go part makes little garbage, most of it when it begins; collecting that takes longer than many a statement
		// What worker/memory.c reserves lies in few arenas, since a thread takes from one alone, and small buffers come from it, too.
		fmt.Sprintf("DUCKDB_JE_MALLOC_CONF=narenas:%d,lg_extent_max_active_fit:63", (runtime.NumCPU()+3)/4),
	}
}

// execute is the launcher of such processes.
func execute(binary string, attr *syscall.SysProcAttr) launcher {
	return func(dir string, in, answers *os.File, stderr *tail) (process, error) {
		cmd := exec.Command(binary, worker.Argument)
		cmd.Dir = dir
		cmd.Env = environment(dir)
		cmd.Stdin, cmd.Stderr = in, stderr
		cmd.ExtraFiles = []*os.File{answers} // file descriptor 3
		cmd.SysProcAttr = attr
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		return executed{cmd}, nil
	}
}

func (e executed) pid() int { return e.cmd.Process.Pid }

func (e executed) kill() {
	// The only error there can be is that it has ended already.
	_ = e.cmd.Process.Kill()
}

func (e executed) alive() bool { return e.cmd.Process.Signal(syscall.Signal(0)) == nil }

func (e executed) wait() ending {
	// The state below says how it ended; that it did not end well is no failure of the wait.
	_ = e.cmd.Wait()
	return ending{e.cmd.ProcessState.String(), memoryDeath(e.cmd.ProcessState)}
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
