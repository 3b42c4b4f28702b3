// Package disktest makes a file system fail where a test says.
package disktest

import (
	"io/fs"

	"github.com/lochlake/loch/disk"
)

// Hook is asked before each operation ("create", "open", "open for writing", "rename", "remove", "readdir", "mkdir", "syncdir", "write", "sync", "truncate",
// "read", "free") on a name; its error becomes the operation's. For a write it may give n ≥ 0 of bytes that reach the file before the error.
// It may be called from several goroutines.
type Hook func(op, name string) (n int, err error)

// FS is a file system with a Hook in front.
type FS struct {
	disk.FS
	Hook Hook
}

type file struct {
	disk.File
	fs   *FS
	name string
}

func (f *FS) ask(op, name string) error {
	_, err := f.Hook(op, name)
	return err
}

func (f *FS) wrap(name string, g disk.File, err error) (disk.File, error) {
	if err != nil {
		return nil, err
	}
	return &file{g, f, name}, nil
}

// Create is disk.FS's.
func (f *FS) Create(name string) (disk.File, error) {
	if err := f.ask("create", name); err != nil {
		return nil, err
	}
	g, err := f.FS.Create(name)
	return f.wrap(name, g, err)
}

// Open is disk.FS's.
func (f *FS) Open(name string) (disk.File, error) {
	if err := f.ask("open", name); err != nil {
		return nil, err
	}
	g, err := f.FS.Open(name)
	return f.wrap(name, g, err)
}

// OpenWrite is disk.FS's.
func (f *FS) OpenWrite(name string) (disk.File, error) {
	if err := f.ask("open for writing", name); err != nil {
		return nil, err
	}
	g, err := f.FS.OpenWrite(name)
	return f.wrap(name, g, err)
}

// Rename is disk.FS's.
func (f *FS) Rename(from, to string) error {
	if err := f.ask("rename", to); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

// Remove is disk.FS's.
func (f *FS) Remove(name string) error {
	if err := f.ask("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// ReadDir is disk.FS's.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.ask("readdir", name); err != nil {
		return nil, err
	}
	return f.FS.ReadDir(name)
}

// MkdirAll is disk.FS's.
func (f *FS) MkdirAll(name string) error {
	if err := f.ask("mkdir", name); err != nil {
		return err
	}
	return f.FS.MkdirAll(name)
}

// SyncDir is disk.FS's.
func (f *FS) SyncDir(name string) error {
	if err := f.ask("syncdir", name); err != nil {
		return err
	}
	return f.FS.SyncDir(name)
}

// Free is disk.FS's.
func (f *FS) Free(name string) (int64, error) {
	if err := f.ask("free", name); err != nil {
		return 0, err
	}
	return f.FS.Free(name)
}

func (f *file) Write(b []byte) (int, error) {
	if n, err := f.fs.Hook("write", f.name); err != nil {
		n, _ = f.File.Write(b[:min(n, len(b))])
		return n, err
	}
	return f.File.Write(b)
}

func (f *file) WriteAt(b []byte, off int64) (int, error) {
	if n, err := f.fs.Hook("write", f.name); err != nil {
		n, _ = f.File.WriteAt(b[:min(n, len(b))], off)
		return n, err
	}
	return f.File.WriteAt(b, off)
}

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	if err := f.fs.ask("read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}

func (f *file) Sync() error {
	if err := f.fs.ask("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *file) Truncate(size int64) error {
	if err := f.fs.ask("truncate", f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}
