package objstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func putText(t *testing.T, s Store, key, text string, onlyNew bool) {
	t.Helper()
	if err := s.Put(t.Context(), key, strings.NewReader(text), int64(len(text)), onlyNew); err != nil {
		t.Fatal(err)
	}
}

// openImmutable opens a store whose files are immutable, or skips the test where there is no such thing.
func openImmutable(t *testing.T, dir string) *Local {
	t.Helper()
	l, err := OpenLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.MakeImmutable(t.Context()); err != nil {
		if !strings.Contains(err.Error(), dir) {
			t.Errorf("the refusal names no folder: %v", err)
		}
		t.Skip(err)
	}
	// What a failed test leaves must not outlive it.
	t.Cleanup(func() {
		_ = filepath.Walk(dir, func(path string, info fs.FileInfo, err error) error {
			if err == nil && info.Mode().IsRegular() {
				return setImmutable(path, false)
			}
			return nil
		})
	})
	return l
}

func TestFilesAreReadOnly(t *testing.T) {
	l, err := OpenLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, onlyNew := range []bool{true, false} { // the second replaces the first
		putText(t, l, "a/b", "text", onlyNew)
		info, err := os.Stat(l.LocalPath("a/b"))
		if err != nil || info.Mode().Perm() != 0o400 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	}
	if err := l.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
}

func TestImmutableFiles(t *testing.T) {
	dir := t.TempDir()
	before, err := OpenLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	putText(t, before, "d/early", "put before files were made immutable", false)
	l := openImmutable(t, dir)
	putText(t, l, "d/new", "one", true)
	putText(t, l, "d/replaced", "one", false)
	putText(t, l, "d/replaced", "two", false)
	for _, key := range []string{"d/early", "d/new", "d/replaced"} {
		path := l.LocalPath(key)
		if on, err := immutable(path); err != nil || !on {
			t.Errorf("%s is not immutable: %v", key, err)
		}
		for what, err := range map[string]error{
			"written":  os.WriteFile(path, nil, 0o600),
			"removed":  os.Remove(path),
			"renamed":  os.Rename(path, path+".away"),
			"replaced": os.Rename(l.LocalPath("d/early"), path),
			"mode":     os.Chmod(path, 0o600),
		} {
			if key == "d/early" && what == "replaced" {
				continue
			}
			if !errors.Is(err, syscall.EPERM) {
				t.Errorf("%s %s: %v", key, what, err)
			}
		}
	}
	var e *os.LinkError
	if err := l.Put(t.Context(), "d/new", strings.NewReader("x"), 1, true); !errors.Is(err, ErrExists) || errors.As(err, &e) {
		t.Errorf("a key that is taken: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, asideDir)); err != nil || len(left) > 0 {
		t.Errorf("left aside: %v, %v", left, err)
	}
	// The store removes and replaces what is due, also when it was started without.
	if err := l.Delete(t.Context(), "d/new"); err != nil {
		t.Error(err)
	}
	after, err := OpenLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	putText(t, after, "d/replaced", "three", false)
	if on, err := immutable(after.LocalPath("d/replaced")); err != nil || on {
		t.Errorf("immutable though the store was opened without: %v", err)
	}
	for _, key := range []string{"d/early", "d/replaced"} {
		if err := after.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
		if _, err := after.Stat(t.Context(), key); !errors.Is(err, ErrNotExist) {
			t.Errorf("%s is still there: %v", key, err)
		}
	}
}

// A process that may not lift the flag says why it cannot go on, and the object stays.
func TestRemovalRefusalsAreTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	tries := 0
	err := unsealed(path, func() error { tries++; return &fs.PathError{Op: "remove", Path: path, Err: syscall.EPERM} })
	if !errors.Is(err, syscall.EPERM) || tries != 1 {
		t.Errorf("a refusal of another cause: %v after %d tries", err, tries)
	}
}
