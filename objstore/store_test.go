package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lochlake/loch/objstore"
)

func put(t *testing.T, s objstore.Store, key, text string) {
	t.Helper()
	if err := s.Put(t.Context(), key, strings.NewReader(text), int64(len(text)), false); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s objstore.Store, key string, off, n int64) string {
	t.Helper()
	r, err := s.Get(t.Context(), key, off, n)
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

func list(t *testing.T, s objstore.Store, prefix, after string) []string {
	t.Helper()
	var keys []string
	if err := s.List(t.Context(), prefix, after, func(o objstore.Object) error { keys = append(keys, o.Key); return nil }); err != nil {
		t.Fatal(err)
	}
	return keys
}

func folders(t *testing.T, s objstore.Store, prefix string) []string {
	t.Helper()
	var out []string
	if err := s.ListFolders(t.Context(), prefix, func(f string) error { out = append(out, f); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// testStore holds what is true of every Store.
func testStore(t *testing.T, s objstore.Store) {
	ctx := t.Context()
	t.Run("put and get", func(t *testing.T) {
		put(t, s, "a/b/one", "0123456789")
		for _, c := range []struct {
			off, n int64
			want   string
		}{{0, -1, "0123456789"}, {3, 4, "3456"}, {7, -1, "789"}, {0, 1, "0"}, {8, 100, "89"}, {4, 0, ""}} {
			if got := get(t, s, "a/b/one", c.off, c.n); got != c.want {
				t.Errorf("get(%d, %d) = %q, want %q", c.off, c.n, got, c.want)
			}
		}
		o, err := s.Stat(ctx, "a/b/one")
		if err != nil || o.Size != 10 || o.Key != "a/b/one" || o.ETag == "" || o.Modified.IsZero() {
			t.Fatalf("stat: %+v, %v", o, err)
		}
		put(t, s, "a/b/one", "other")
		if got := get(t, s, "a/b/one", 0, -1); got != "other" {
			t.Errorf("overwritten: %q", got)
		}
		put(t, s, "a/b/empty", "")
		if got := get(t, s, "a/b/empty", 0, -1); got != "" {
			t.Errorf("empty: %q", got)
		}
	})
	t.Run("only new", func(t *testing.T) {
		put(t, s, "new/taken", "first")
		err := s.Put(ctx, "new/taken", strings.NewReader("second"), 6, true)
		if !errors.Is(err, objstore.ErrExists) {
			t.Fatalf("want ErrExists, got %v", err)
		}
		if got := get(t, s, "new/taken", 0, -1); got != "first" {
			t.Errorf("the loser wrote: %q", got)
		}
		won := make(chan string, 8)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				text := fmt.Sprintf("writer %d", i)
				err := s.Put(context.Background(), "new/raced", strings.NewReader(text), int64(len(text)), true)
				if err == nil {
					won <- text
				} else if !errors.Is(err, objstore.ErrExists) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(won)
		var winners []string
		for w := range won {
			winners = append(winners, w)
		}
		if len(winners) != 1 || get(t, s, "new/raced", 0, -1) != winners[0] {
			t.Errorf("winners %q, object %q", winners, get(t, s, "new/raced", 0, -1))
		}
	})
	t.Run("missing", func(t *testing.T) {
		if _, err := s.Stat(ctx, "no/such"); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("stat: %v", err)
		}
		if _, err := s.Get(ctx, "no/such", 0, -1); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("get: %v", err)
		}
		if err := s.Delete(ctx, "no/such"); err != nil {
			t.Errorf("delete: %v", err)
		}
		if k := list(t, s, "no/", ""); k != nil {
			t.Errorf("list: %q", k)
		}
	})
	t.Run("list", func(t *testing.T) {
		want := []string{"l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b/c/d", "l/ü"}
		for _, k := range want {
			put(t, s, k, k)
		}
		if got := list(t, s, "l/", ""); !slices.Equal(got, want) {
			t.Errorf("list: %q", got)
		}
		for i, k := range want {
			if got := list(t, s, "l/", k); !slices.Equal(got, want[i+1:]) {
				t.Errorf("after %s: %q", k, got)
			}
		}
		if got := list(t, s, "l/a", ""); !slices.Equal(got, want[:4]) {
			t.Errorf("prefix l/a: %q", got)
		}
		if got := folders(t, s, "l/"); !slices.Equal(got, []string{"l/a/", "l/b/"}) {
			t.Errorf("folders: %q", got)
		}
		if got := folders(t, s, "l/b/c"); !slices.Equal(got, []string{"l/b/c/"}) {
			t.Errorf("folders of l/b/c: %q", got)
		}
		stop := errors.New("stop")
		n := 0
		if err := s.List(ctx, "l/", "", func(objstore.Object) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
			t.Errorf("stopping: %d calls, %v", n, err)
		}
	})
	t.Run("delete", func(t *testing.T) {
		put(t, s, "d/x", "x")
		if err := s.Delete(ctx, "d/x"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stat(ctx, "d/x"); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("still there: %v", err)
		}
	})
	t.Run("uri", func(t *testing.T) {
		for _, k := range []string{"plain", "a/b c/d%e", "eventtime_day=2026-01-01/ü.parquet", "q?x#y"} {
			if got, ok := s.Key(s.URI(k)); !ok || got != k {
				t.Errorf("%q -> %q -> %q, %v", k, s.URI(k), got, ok)
			}
		}
		for _, u := range []string{"", "s3://elsewhere/x", "file:///etc/passwd", "https://example.org/x", s.URI("a") + "/../../../b"} {
			if k, ok := s.Key(u); ok {
				t.Errorf("Key(%q) = %q", u, k)
			}
		}
	})
	t.Run("bad keys", func(t *testing.T) {
		for _, k := range []string{"", "/abs", "../up", "a/../b", "a//b", "a/", ".", "a/./b", "nul\x00"} {
			if err := s.Put(ctx, k, strings.NewReader(""), 0, false); err == nil {
				t.Errorf("put %q was taken", k)
			}
			if _, err := s.Get(ctx, k, 0, -1); err == nil {
				t.Errorf("get %q answered", k)
			}
			if _, err := s.Stat(ctx, k); err == nil {
				t.Errorf("stat %q answered", k)
			}
			if err := s.Delete(ctx, k); err == nil {
				t.Errorf("delete %q answered", k)
			}
		}
	})
	t.Run("short body", func(t *testing.T) {
		if err := s.Put(ctx, "short", strings.NewReader("abc"), 10, false); err == nil {
			t.Error("a short body was taken")
		}
		if _, err := s.Stat(ctx, "short"); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("half an object shows: %v", err)
		}
	})
}

func TestLocal(t *testing.T) {
	dir := t.TempDir()
	s, err := objstore.OpenLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	testStore(t, s)
	if got := s.LocalPath("a/b"); got != filepath.Join(dir, "a", "b") {
		t.Errorf("LocalPath: %q", got)
	}
	left, err := os.ReadDir(filepath.Join(dir, ".aside"))
	if err != nil || len(left) != 0 {
		t.Errorf("left aside: %v, %v", left, err)
	}
	if f := folders(t, s, "../"); f != nil {
		t.Errorf("folders above the root: %q", f)
	}
	if slices.Contains(folders(t, s, ""), ".aside/") {
		t.Error("the store's own folder shows")
	}
}

func TestLocalClearsTornWrites(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".aside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".aside", "1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := objstore.OpenLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "k", bytes.NewReader([]byte("whole")), 5, false); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "k", 0, -1); got != "whole" {
		t.Errorf("got %q", got)
	}
}
