package objstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// coldLink, in the store's root, is a symbolic link to the folder for old objects. An object that was moved there has, in its old place, a symbolic link that goes through this
// one: whoever knows the path of the file, another program too, still finds it, and the folder can be moved by changing one link.
const coldLink = ".cold"

// ErrColdAway: the folder for old objects is not there, perhaps because its disk is not mounted.
var ErrColdAway = errors.New("the folder of cold objects is not there; is its disk mounted?")

// UseCold sets the folder that MoveCold moves objects to; it is made where it is missing. It is to be called before the store is used. Objects
// that were moved are found without it, too.
func (l *Local) UseCold(dir string) error {
	cold, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for a, b := range map[string]string{cold: l.root, l.root: cold} {
		if rel, err := filepath.Rel(a, b); err == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("cold objects cannot lie at %s: one of it and %s lies in the other", cold, l.root)
		}
	}
	link := filepath.Join(l.root, coldLink)
	was, err := os.Readlink(link)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// The folder for half-written files marks one that is in use. Without the mark it is an empty mount point, or not the folder that the objects were moved to.
	if _, err := os.Stat(filepath.Join(cold, asideDir)); errors.Is(err, fs.ErrNotExist) && was != "" {
		return fmt.Errorf("%s: %w (objects were moved to %s; where that folder has another place now, it is the one to name)", cold, ErrColdAway, was)
	}
	if err := makePath(cold); err != nil {
		return err
	}
	if err := emptyAside(cold); err != nil {
		return err
	}
	if was == cold {
		return nil
	}
	aside := l.aside()
	if err := os.Symlink(cold, aside); err != nil {
		return err
	}
	if err := os.Rename(aside, link); err != nil {
		return err
	}
	return syncDir(l.root)
}

// makePath makes a folder and its missing parents, durably.
func makePath(dir string) error {
	if parent := filepath.Dir(dir); parent != dir {
		if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
			if err := makePath(parent); err != nil {
				return err
			}
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func (l *Local) coldRoot() string { return filepath.Join(l.root, coldLink) }

// coldFile is where a key's object lies when it was moved.
func (l *Local) coldFile(key string) string {
	return filepath.Join(l.coldRoot(), filepath.FromSlash(key))
}

// IsCold tells whether an object was moved to the folder for old ones.
func (l *Local) IsCold(_ context.Context, key string) (bool, error) {
	path, err := l.file(key)
	if err != nil {
		return false, err
	}
	fi, err := os.Lstat(path)
	if err != nil {
		return false, fmt.Errorf("stat %s: %w", key, notExist(err))
	}
	return fi.Mode()&fs.ModeSymlink != 0, nil
}

// CopyCold copies an object to the folder for old ones, durably, and reads the copy back. The object stays where it is until MoveCold. It gives the copy's path.
func (l *Local) CopyCold(ctx context.Context, key string) (path string, err error) {
	from, err := l.file(key)
	if err != nil {
		return "", err
	}
	to := l.coldFile(key)
	if err := l.copyCold(ctx, from, to); err != nil {
		return "", fmt.Errorf("copy %s to colder storage: %w", key, notExist(err))
	}
	return to, nil
}

func (l *Local) copyCold(ctx context.Context, from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	aside := filepath.Join(l.coldRoot(), asideDir, strconv.FormatUint(l.next.Add(1), 36))
	out, err := os.OpenFile(aside, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrColdAway
	}
	if err != nil {
		return err
	}
	defer os.Remove(aside) // after the rename there is nothing to remove
	read, written := sha256.New(), sha256.New()
	_, err = io.Copy(out, io.TeeReader(contextReader{ctx, in}, read))
	if err == nil {
		err = out.Sync()
	}
	if err == nil {
		err = sumOf(ctx, out, written)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if string(read.Sum(nil)) != string(written.Sum(nil)) {
		return errors.New("the copy does not hold what was copied")
	}
	if err := os.Chtimes(aside, info.ModTime(), info.ModTime()); err != nil { // an object's age is not that of its place
		return err
	}
	if err := l.at("copied"); err != nil {
		return err
	}
	if err := l.makeDirs(l.coldRoot(), filepath.Dir(to)); err != nil {
		return err
	}
	// What was removed while it was copied must not come back: a copy has its name only while the object has its own, and a removal takes the copy first.
	l.moving.Lock()
	defer l.moving.Unlock()
	if _, err := os.Lstat(from); err != nil {
		return err
	}
	if err := unsealed(to, func() error { return os.Rename(aside, to) }); err != nil { // a crash may have left an earlier copy
		return err
	}
	if err := l.at("named"); err != nil {
		return err
	}
	if err := l.seal(to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func sumOf(ctx context.Context, f *os.File, sum hash.Hash) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(sum, contextReader{ctx, f})
	return err
}

// MoveCold puts a link to the copy that CopyCold made in the object's place; who has the old file open keeps it. An object that is gone, or was moved, stays so. A crash
// leaves the object as it was or moved, and at most a copy that the next move or the object's removal takes away.
func (l *Local) MoveCold(_ context.Context, key string) error {
	path, err := l.file(key)
	if err != nil {
		return err
	}
	l.moving.Lock() // a removal in between would leave a link to nothing
	defer l.moving.Unlock()
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = l.removeCold(key, false) // the copy of what was removed meanwhile
	} else if err == nil && fi.Mode().IsRegular() {
		var copied fs.FileInfo
		if copied, err = os.Stat(l.coldFile(key)); err == nil && copied.Size() != fi.Size() {
			err = errors.New("the copy is of another size")
		}
		if err == nil {
			err = l.link(path, l.coldFile(key))
		}
	}
	if err != nil {
		return fmt.Errorf("move %s to colder storage: %w", key, err)
	}
	return nil
}

func (l *Local) link(path, to string) error {
	aside := l.aside()
	if err := os.Symlink(to, aside); err != nil {
		return err
	}
	if err := l.at("linked"); err != nil {
		return err
	}
	if err := unsealed(path, func() error { return os.Rename(aside, path) }); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if err := l.at("moved"); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// removeCold removes what lies in the folder for old objects under a key, and tells whether there was anything. linked says that the object's place has a link.
func (l *Local) removeCold(key string, linked bool) error {
	path := l.coldFile(key)
	err := unsealed(path, func() error { return os.Remove(path) })
	switch {
	case err == nil:
		return syncDir(filepath.Dir(path))
	case !errors.Is(notExist(err), ErrNotExist):
		return err
	case linked:
		// Without its disk the object would only seem to be removed.
		if _, err := os.Stat(filepath.Join(l.coldRoot(), asideDir)); err != nil {
			return ErrColdAway
		}
	}
	return nil
}
