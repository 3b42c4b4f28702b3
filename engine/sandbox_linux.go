package engine

import (
	"os"
	"strconv"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	landsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// ownBinary is this process's binary, also where another was put in its place meanwhile.
func ownBinary() (string, error) { return "/proc/self/exe", nil }

// attributes make a child die with its parent, and keep a terminal's signals from it: the server says when it ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// unshared is attributes with namespaces of its own, in which there is no network at all. A machine may refuse it.
func unshared() *syscall.SysProcAttr {
	a := attributes()
	a.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	return a
}

// confineEarly is what a child can do before it knows its job: no core dumps, which would hold events, and first to go when memory runs out.
func confineEarly() {
	// Both only soften what happens on a crash; a machine that refuses them loses nothing that the other walls hold.
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(1000)), 0)
}

// headroom is what a child may have beyond DuckDB's memory limit, in bytes: DuckDB does not count the strings of the rows in its hands, the runtime of
// Go or its threads' stacks. Past it an allocation fails, and with it the query, before the machine runs out.
const headroom = 1 << 30

// confine leaves the process the right to read the job's files, to write in its own directory, and nothing else of the file system or the
// network, as far as the kernel has it. It must run while DuckDB has no threads of its own yet: later ones inherit the walls.
func confine(j *workerJob) wallReport {
	var r wallReport
	for _, l := range []struct {
		name  string
		which int
		limit int64
	}{{"RLIMIT_FSIZE", unix.RLIMIT_FSIZE, j.TempMax}, {"RLIMIT_DATA", unix.RLIMIT_DATA, j.Memory + headroom}} {
		if err := unix.Setrlimit(l.which, &unix.Rlimit{Cur: uint64(l.limit), Max: uint64(l.limit)}); err != nil {
			r.Problem = l.name + ": " + err.Error()
		}
	}
	v, err := landsys.LandlockGetABIVersion()
	if err != nil || v < 1 {
		return r
	}
	r.Landlock = v
	rules := []landlock.Rule{landlock.RWDirs(j.Temp)}
	if j.Input != "" {
		rules = append(rules, landlock.RODirs(j.Input))
	}
	if len(j.Paths) > 0 { // staged files do not exist yet; they appear in Input
		rules = append(rules, landlock.ROFiles(j.Paths...).IgnoreIfMissing())
	}
	if err := landlock.V7.BestEffort().Restrict(rules...); err != nil {
		r.Problem = err.Error()
	}
	return r
}

// memoryDeath tells whether a child's end looks like the kernel's when memory has run out.
func memoryDeath(s *os.ProcessState) bool {
	w, ok := s.Sys().(syscall.WaitStatus)
	return ok && w.Signaled() && w.Signal() == syscall.SIGKILL
}

// alive tells whether a spare child still runs.
func (c *child) alive() bool {
	return c.cmd.Process.Signal(syscall.Signal(0)) == nil && !c.gone()
}

// gone tells whether the child's end of the pipe is closed, as it is when the child has died but was not yet waited for.
func (c *child) gone() bool {
	var gone bool
	raw, err := c.answers.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		gone = err != nil || n > 0
	})
	return gone || err != nil
}
