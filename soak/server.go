package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// life is one start of the server, until its end.
type life struct {
	cmd   *exec.Cmd
	begun time.Time
	up    time.Duration // until it answered
	heard sync.WaitGroup
}

// freeAddress is an address that nobody listens on: every life has the same, as clients know it. It is not 127.0.0.1, where another program may be given the port
// between two lives.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// begin starts the server and waits until it answers.
func (r *run) begin(ctx context.Context) (*life, error) {
	args := append([]string{"serve", "--data", r.data(), "--listen", r.address, "--commit-interval", "200ms", "--audit-events-rate", "1000000",
		"--compaction", "1", "--compaction-quiet", "1s", "--compaction-every", "100ms", "--max-stores", "20"}, r.flags...)
	l := &life{cmd: exec.CommandContext(ctx, r.loch, args...), begun: time.Now()}
	// Through a pipe: a limit of the size of files must not hold what the server says.
	errs, err := l.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	l.heard.Go(func() { r.listen(errs) })
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	if !strings.HasPrefix(line, "listening on ") {
		l.heard.Wait()
		return nil, fmt.Errorf("the server did not start: %q, %w", line, errors.Join(err, l.cmd.Wait()))
	}
	l.up = time.Since(l.begun)
	l.heard.Go(func() { _, _ = io.Copy(io.Discard, said) }) // ends with the process
	return l, nil
}

// end signals the server and waits for its end. A kill is no error, nor is a stop that was asked for.
func (l *life) end(sig syscall.Signal) error {
	if err := l.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("the server had ended by itself: %w", errors.Join(err, l.cmd.Wait()))
	}
	l.heard.Wait()
	err := l.cmd.Wait()
	status, ok := l.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() && status.Signal() == syscall.SIGKILL && sig == syscall.SIGKILL {
		return nil
	}
	if err != nil || sig == syscall.SIGKILL {
		return fmt.Errorf("the server ended by itself, and not by %s: %v, %w", sig, l.cmd.ProcessState, err)
	}
	return nil
}

// limitFiles has the disk take no file larger than n bytes from the server, as one that is full does: writes are cut short, or fail. Below 0 the limit ends.
func (l *life) limitFiles(n int64) error {
	limit := unix.Rlimit{Cur: uint64(n), Max: unix.RLIM_INFINITY}
	if n < 0 {
		limit.Cur = unix.RLIM_INFINITY
	}
	return unix.Prlimit(l.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil)
}

// listen keeps what the server says, and counts it. What must never be said is a finding: no kill and no failing disk excuses it.
func (r *run) listen(from io.Reader) {
	f, err := os.OpenFile(filepath.Join(r.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.found("%v", err)
		f = nil
	}
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if f != nil {
			_, _ = f.Write(line) // the checks do not hang on it
		}
		for _, bad := range []string{"panic", "is damaged", "corrupt", "fatal error", "DATA RACE"} {
			if bytes.Contains(line, []byte(bad)) {
				r.found("the server said: %s", bytes.TrimSpace(line))
			}
		}
		if bytes.Contains(line, []byte("level=ERROR")) {
			r.count(&r.errors)
		}
		if bytes.Contains(line, []byte(`msg="files merged"`)) {
			r.count(&r.merges)
		}
		if err != nil {
			if f != nil {
				_ = f.Close()
			}
			return
		}
	}
}

// healthy waits until the server has nothing to complain of, and has brought everything to its place.
func (r *run) healthy(ctx context.Context) error {
	for {
		resp, err := http.Get("http://" + r.address + "/healthz")
		if err == nil {
			body, _ := io.ReadAll(resp.Body) // a broken answer is no "ok"
			resp.Body.Close()
			if string(body) == "ok\n" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server did not become healthy: %w", errors.Join(err, ctx.Err()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// bucket is an S3 server with a bucket for the lake.
type bucket struct {
	address string
	dir     string
	cmd     *exec.Cmd
}

const (
	bucketKey    = "soak"
	bucketSecret = "soak-secret"
)

func startBucket(ctx context.Context, gateway, dir string) (*bucket, error) {
	for _, d := range []string{"lake", "logs"} {
		if err := os.MkdirAll(filepath.Join(dir, "s3", d), 0o755); err != nil {
			return nil, err
		}
	}
	at, err := freeAddress()
	if err != nil {
		return nil, err
	}
	b := &bucket{address: at, dir: filepath.Join(dir, "s3")}
	b.cmd = exec.CommandContext(ctx, gateway, "--access", bucketKey, "--secret", bucketSecret, "--region", "us-east-1", "--port", at, "--health", "/health", "--quiet", "posix", b.dir)
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	for begun := time.Now(); ; {
		if resp, err := http.Get("http://" + at + "/health"); err == nil {
			resp.Body.Close()
			return b, nil
		}
		if time.Since(begun) > 30*time.Second {
			return nil, errors.Join(errors.New("versitygw does not answer"), b.stop())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (b *bucket) stop() error {
	_ = b.cmd.Process.Kill() // it may have ended, with the context
	_ = b.cmd.Wait()         // by the signal
	return nil
}
