package objstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFailingDisk: a Put that the disk fails at any step says so; the name holds what it held before or all of the new, no half file is left, and the next Put works.
func TestFailingDisk(t *testing.T) {
	for _, step := range []string{"write", "sync", "sync of a folder", "name", "sync of the name"} {
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EROFS, syscall.EIO} {
			for _, onlyNew := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %v, %v", step, errno, onlyNew), func(t *testing.T) {
					l, err := OpenLocal(t.TempDir())
					if err != nil {
						t.Fatal(err)
					}
					const old, fresh = "old content", "new content, which is longer"
					put := func(key, content string, onlyNew bool) error {
						return l.Put(t.Context(), key, strings.NewReader(content), int64(len(content)), onlyNew)
					}
					get := func(key string) string {
						t.Helper()
						r, err := l.Get(t.Context(), key, 0, -1)
						if errors.Is(err, ErrNotExist) {
							return ""
						}
						if err != nil {
							t.Fatal(err)
						}
						defer r.Close()
						b, err := io.ReadAll(r)
						if err != nil {
							t.Fatal(err)
						}
						return string(b)
					}
					if err := put("kept", old, false); err != nil {
						t.Fatal(err)
					}
					l.crash = func(at string) error {
						if at == step {
							return errno
						}
						return nil
					}
					if err := put("a/b/new", fresh, onlyNew); !errors.Is(err, errno) {
						t.Errorf("got %v", err)
					}
					if got := get("a/b/new"); got != "" && (got != fresh || step != "sync of the name") {
						t.Errorf("after the failure there is %q", got)
					}
					if err := put("kept", fresh, false); !errors.Is(err, errno) && step != "sync of a folder" { // there is none to make
						t.Errorf("got %v", err)
					}
					if got := get("kept"); got != old && (got != fresh || !strings.HasPrefix(step, "sync of")) {
						t.Errorf("after the failure there is %q", got)
					}
					if left, err := os.ReadDir(filepath.Join(l.root, asideDir)); err != nil || len(left) > 0 {
						t.Errorf("left behind: %v, %v", left, err)
					}
					l.crash = nil
					for _, key := range []string{"a/b/new", "kept"} {
						if err := put(key, fresh, false); err != nil || get(key) != fresh {
							t.Errorf("%s: %v, %q", key, err, get(key))
						}
					}
				})
			}
		}
	}
}

// TestFoldersAreSyncedThoughTheyAreThere: a folder whose sync failed is there, and not yet durable: the next Put syncs it.
func TestFoldersAreSyncedThoughTheyAreThere(t *testing.T) {
	l, err := OpenLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	synced := 0
	l.crash = func(at string) error {
		if at == "sync of a folder" {
			if synced++; synced == 1 {
				return syscall.EIO
			}
		}
		return nil
	}
	put := func() error { return l.Put(t.Context(), "a/b/c", strings.NewReader("x"), 1, false) }
	if err := put(); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	for range 3 {
		if err := put(); err != nil {
			t.Error(err)
		}
	}
	if synced != 3 { // the one that failed, it again, and the one in it
		t.Errorf("%d syncs of folders", synced)
	}
	if err := os.RemoveAll(filepath.Join(l.root, "a")); err != nil {
		t.Fatal(err)
	}
	if err := put(); err == nil {
		t.Error("a folder that is gone took a file")
	}
	if err := put(); err != nil {
		t.Error(err)
	}
}
