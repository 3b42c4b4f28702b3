//go:build !linux

package engine

import (
	"errors"
	"os"
	"syscall"
)

// Without Linux there is neither Landlock nor a signal at the parent's death: DuckDB's own settings are the wall, and a child ends when its pipe closes.

func ownBinary() (string, error) { return os.Executable() }

func attributes() *syscall.SysProcAttr { return nil }

func unshared() *syscall.SysProcAttr { return nil }

func memoryDeath(*os.ProcessState) bool { return false }

// gone cannot be told here without asking the child.
func (c *child) gone() bool { return false }

// nursery is nothing that these systems can have: there each worker is a process from its start.
type nursery struct{}

func newNursery(string, string, *syscall.SysProcAttr) (*nursery, error) {
	return nil, errors.ErrUnsupported
}

func (*nursery) launch(string, *os.File, *os.File, *tail) (process, error) {
	return nil, errors.ErrUnsupported
}

func (*nursery) alive() bool { return false }

func (*nursery) close() {}
