// Package disk is the file system as durability needs it: few operations, each with a stated promise, behind an
// interface that a test can stand in front of to make any of them fail, stop short or never return.
package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrLocked: another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// FS is a file system. A name that Create or Rename made, or Remove took away, is durable only after SyncDir of its directory.
type FS interface {
	// Create makes a file for reading and writing; it fails with fs.ErrExist where the name is taken.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// OpenWrite opens a file that exists for reading and writing.
	OpenWrite(name string) (File, error)
	Rename(from, to string) error
	// Remove removes a file; a missing one is fs.ErrNotExist.
	Remove(name string) error
	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	MkdirAll(name string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(name string) error
	// Free tells how many bytes the file system that a directory lies on has left for files of this user.
	Free(name string) (int64, error)
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	// Sync makes the file's content durable. After an error nothing is known of what was written since the last Sync that
	// succeeded, and a further Sync that succeeds says nothing of it either (Linux reports a lost page once).
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
	// Map maps n bytes from off, a multiple of the page size, into memory for reading in no order. A reader that must
	// outlive a failing disk sets debug.SetPanicOnFault.
	Map(off, n int64) (Mapping, error)
}

// Mapping is a part of a file in memory, valid until Close.
type Mapping struct{ Bytes []byte }

// Close unmaps it.
func (m *Mapping) Close() error {
	if m.Bytes == nil {
		return nil
	}
	b := m.Bytes
	m.Bytes = nil
	return unix.Munmap(b)
}

// OS is the machine's file system. Directories are made with mode 0700 and files with 0600: events are nobody else's.
var OS FS = osFS{}

type osFS struct{}

type osFile struct{ *os.File }

func wrap(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Create(name string) (File, error) {
	return wrap(os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}
func (osFS) Open(name string) (File, error)             { return wrap(os.Open(name)) }
func (osFS) OpenWrite(name string) (File, error)        { return wrap(os.OpenFile(name, os.O_RDWR, 0)) }
func (osFS) Rename(from, to string) error               { return os.Rename(from, to) }
func (osFS) Remove(name string) error                   { return os.Remove(name) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (osFS) MkdirAll(name string) error                 { return os.MkdirAll(name, 0o700) }

func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (osFS) Free(name string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) Map(off, n int64) (Mapping, error) {
	if n == 0 {
		return Mapping{}, nil
	}
	b, err := unix.Mmap(int(f.Fd()), off, int(n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return Mapping{}, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	// Reading ahead would bring in what no look-up wants. The advice may be refused; nothing but speed hangs on it.
	_ = unix.Madvise(b, unix.MADV_RANDOM)
	return Mapping{b}, nil
}

// WriteFile replaces a file's content so that after a crash at any moment the name holds the old content or the new, whole:
// it writes aside (name with ".new"), syncs, renames, and syncs the directory.
func WriteFile(fsys FS, name string, content []byte) error {
	aside := name + ".new"
	if err := fsys.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.Create(aside)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, fsys.Remove(aside))
	}
	if err := fsys.Rename(aside, name); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// ReadFile reads a whole file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(f)
	return b.Bytes(), errors.Join(err, f.Close())
}

// Lock takes the advisory lock (flock) on a file, making it where it is missing, until the Closer is closed or the process ends,
// however it ends. Where another process has it: ErrLocked, at once. The file's content is the holder's process id, for people.
func Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 20))
		err = errors.Join(err, f.Close())
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w (process %s)", name, ErrLocked, bytes.TrimSpace(holder))
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid()) // a courtesy; a full disk must not stop a start
	}
	return f, nil
}
