package engine

import (
	"os"
	"syscall"

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

// memoryDeath tells whether a child's end looks like the kernel's when memory has run out.
func memoryDeath(s *os.ProcessState) bool {
	w, ok := s.Sys().(syscall.WaitStatus)
	return ok && w.Signaled() && w.Signal() == syscall.SIGKILL
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
