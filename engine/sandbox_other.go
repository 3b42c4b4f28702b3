//go:build !linux

package engine

import (
	"os"
	"syscall"
)

// Without Linux there is neither Landlock nor a signal at the parent's death: DuckDB's own settings are the wall, and a child ends when its pipe closes.

func ownBinary() (string, error) { return os.Executable() }

func attributes() *syscall.SysProcAttr { return nil }

func unshared() *syscall.SysProcAttr { return nil }

func memoryDeath(*os.ProcessState) bool { return false }

// alive tells whether a spare child still runs, as far as can be told without asking it.
func (c *child) alive() bool { return c.cmd.Process.Signal(syscall.Signal(0)) == nil }
