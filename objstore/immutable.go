package objstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrImmutable: a file may be neither replaced nor removed, and this process may not change that.
var ErrImmutable = errors.New("the file is immutable (FS_IMMUTABLE_FL), and lifting that takes the capability CAP_LINUX_IMMUTABLE")

// MakeImmutable sets, on every object that is there and on every one that is put from now on, the file system's flag that forbids everybody, root
// included, to change, replace, link or remove the file while the flag stands. The store lifts it when it replaces or removes an object itself. It is to be called before the store
// is used, and fails where the file system has no such flag or the process may not set it. Objects that were put without it keep being served either way.
func (l *Local) MakeImmutable(ctx context.Context) error {
	for _, root := range l.roots() {
		if err := probeImmutable(root); err != nil {
			return fmt.Errorf("files below %s cannot be made immutable: %w", root, err)
		}
	}
	l.immutable = true
	// A crash may have come between a file's name and its flag, and what was there before the first such start has none.
	return l.List(ctx, "", "", func(o Object) error {
		path, err := l.file(o.Key)
		if err != nil {
			return nil // a file that others put here under a name that is no key's
		}
		return l.seal(path)
	})
}

// roots are the folders that objects lie in.
func (l *Local) roots() []string {
	if _, err := os.Lstat(l.coldRoot()); err != nil {
		return []string{l.root}
	}
	return []string{l.root, l.coldRoot()}
}

// probeImmutable tries the flag on a file of its own.
func probeImmutable(root string) error {
	f, err := os.CreateTemp(filepath.Join(root, asideDir), "immutable-")
	if err != nil {
		return err
	}
	path := f.Name()
	err = errors.Join(f.Close(), setImmutable(path, true))
	if err == nil {
		if os.Remove(path) == nil {
			return errors.New("the file system takes the flag and does not heed it")
		}
		err = setImmutable(path, false)
	}
	return errors.Join(err, os.Remove(path))
}

// seal sets the flag on a file where the store sets it.
func (l *Local) seal(path string) error {
	if !l.immutable {
		return nil
	}
	return setImmutable(path, true)
}

// unsealed does what the flag on the file at path forbids: as it is, and where that is refused once more without the flag. The flag stands
// only where the store, of this start or an earlier one, or an operator has set it.
func unsealed(path string, do func() error) error {
	err := do()
	if !errors.Is(err, syscall.EPERM) {
		return err
	}
	was, serr := immutable(path)
	if serr != nil || !was {
		return err // another refusal, or the file is gone
	}
	if serr := setImmutable(path, false); serr != nil {
		if errors.Is(serr, syscall.EPERM) {
			return fmt.Errorf("%s: %w", path, ErrImmutable)
		}
		return errors.Join(err, serr)
	}
	return do()
}
