package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lochlake/loch/engine/worker"
)

// nursery is a process of this binary that has opened DuckDB and forks for every worker; see worker/nursery_linux.c for what it does and why it can.
// Its workers end with it. One goroutine reads what it tells; close waits for it.
type nursery struct {
	cmd    *exec.Cmd
	stderr *tail
	wg     sync.WaitGroup

	asking  sync.Mutex // held for one request and its answer
	answers chan birth // of requests; closed when the nursery has ended
	conn    *os.File   // the socket; the goroutine alone reads it

	mu       sync.Mutex
	children map[int32]*forked
	ended    bool
}

// birth is the answer to a request.
type birth struct {
	child *forked
	err   error
}

// newNursery starts a nursery that lives in dir. Whether it could open DuckDB is told by the first launch.
func newNursery(binary, dir string, attr *syscall.SysProcAttr) (*nursery, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("a socket: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "nursery"), os.NewFile(uintptr(pair[1]), "control")
	n := &nursery{conn: ours, stderr: &tail{}, answers: make(chan birth), children: map[int32]*forked{}}
	n.cmd = exec.Command(binary, worker.NurseryArgument)
	n.cmd.Dir = dir
	n.cmd.Env = append(environment(dir), "LD_BIND_NOW=1") // once, and not each function again in each worker that calls it
	n.cmd.Stderr = n.stderr
	n.cmd.ExtraFiles = []*os.File{theirs} // file descriptor 3
	n.cmd.SysProcAttr = attr
	err = n.cmd.Start()
	if err = errors.Join(err, theirs.Close()); err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	n.wg.Go(n.listen)
	return n, nil
}

// What a nursery tells: three numbers of 32 bits, as the machine has them.
const (
	messageBytes = 12
	toldBirth    = 'F'
	toldEnding   = 'X'
)

// listen takes what the nursery tells until it ends.
func (n *nursery) listen() {
	defer close(n.answers)
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.ended = true
		for _, c := range n.children { // they die with it
			c.ended <- ending{"ended with the process that had forked it", false}
		}
		clear(n.children)
	}()
	buf, rights := make([]byte, messageBytes), make([]byte, unix.CmsgSpace(4))
	for {
		size, oob, _, _, err := unix.Recvmsg(int(n.conn.Fd()), buf, rights, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || size != messageBytes {
			return
		}
		pid, value := int32(binary.NativeEndian.Uint32(buf[4:])), int32(binary.NativeEndian.Uint32(buf[8:]))
		switch binary.NativeEndian.Uint32(buf) {
		case toldBirth:
			b := birth{}
			if value != 0 {
				b.err = fmt.Errorf("fork: %w", syscall.Errno(value))
			} else if fd, err := descriptor(rights[:oob]); err != nil {
				b.err = err
			} else {
				b.child = &forked{id: pid, pidfd: os.NewFile(uintptr(fd), "pidfd"), ended: make(chan ending, 1)}
				n.mu.Lock()
				n.children[pid] = b.child
				n.mu.Unlock()
			}
			n.answers <- b
		case toldEnding:
			n.mu.Lock()
			c := n.children[pid]
			delete(n.children, pid)
			n.mu.Unlock()
			if c != nil {
				s := syscall.WaitStatus(value)
				c.ended <- ending{statusText(s), s.Signaled() && s.Signal() == syscall.SIGKILL}
			}
		}
	}
}

// descriptor takes the one descriptor out of a message's control data.
func descriptor(oob []byte) (int, error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) != 1 {
		return 0, fmt.Errorf("a query process without its descriptor: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		return 0, fmt.Errorf("a query process without its descriptor: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	return fds[0], nil
}

func statusText(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "signal: " + s.Signal().String()
	}
	return fmt.Sprintf("exit status %d", s.ExitStatus())
}

// launch is the launcher of forked workers.
func (n *nursery) launch(dir string, in, answers *os.File, stderr *tail) (process, error) {
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	n.asking.Lock()
	err = unix.Sendmsg(int(n.conn.Fd()), []byte(dir), unix.UnixRights(int(in.Fd()), int(answers.Fd()), int(errWrite.Fd())), nil, unix.MSG_NOSIGNAL)
	var b birth
	if err == nil || errors.Is(err, syscall.EPIPE) {
		b = <-n.answers // the zero value once the nursery has ended and alive says so: whoever tries again gets another
	}
	n.asking.Unlock()
	err = errors.Join(err, b.err, errWrite.Close())
	if err != nil || b.child == nil {
		if err == nil {
			err = fmt.Errorf("the nursery of query processes has ended: %s", n.stderr)
		}
		if b.child != nil {
			b.child.kill()
			b.child.reaped()
		}
		return nil, errors.Join(err, errRead.Close())
	}
	c := b.child
	c.wg.Go(func() {
		// What cannot be read of its last words is not worth more than the rest of them.
		_, _ = io.Copy(stderr, errRead)
		_ = errRead.Close()
	})
	return c, nil
}

// alive tells whether the nursery can fork.
func (n *nursery) alive() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.ended
}

// close ends the nursery, and with it the workers that still live. A launch that is under way fails.
func (n *nursery) close() {
	// There is nothing to be told of a process that has ended, or will have in a moment.
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
	n.wg.Wait()
	_ = n.conn.Close()
}

// forked is a worker that a nursery forked.
type forked struct {
	id    int32
	pidfd *os.File // names the process even when its number has been given to another
	ended chan ending
	wg    sync.WaitGroup
}

func (f *forked) pid() int { return int(f.id) }

func (f *forked) signal(s unix.Signal) error {
	raw, err := f.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), s, nil, 0) }); err != nil {
		return err
	}
	return sent
}

func (f *forked) kill() {
	// The only errors there can be are that it has ended already, and that wait has returned.
	_ = f.signal(unix.SIGKILL)
}

func (f *forked) alive() bool { return f.signal(0) == nil }

// reaped waits until the nursery has told of the end.
func (f *forked) reaped() ending {
	e := <-f.ended
	_ = f.pidfd.Close() // it was only ever signalled through
	return e
}

func (f *forked) wait() ending {
	e := f.reaped()
	f.wg.Wait()
	return e
}
