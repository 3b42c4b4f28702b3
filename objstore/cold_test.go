package objstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func text(t *testing.T, s Store, key string) string {
	t.Helper()
	r, err := s.Get(t.Context(), key, 0, -1)
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

func keys(t *testing.T, s Store) (out []string) {
	t.Helper()
	if err := s.List(t.Context(), "", "", func(o Object) error { out = append(out, o.Key); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// files are the names of all regular files below a folder.
func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out = append(out, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func move(t *testing.T, l *Local, key string) error {
	if _, err := l.CopyCold(t.Context(), key); err != nil {
		return err
	}
	return l.MoveCold(t.Context(), key)
}

func openCold(t *testing.T, hot, cold string) *Local {
	t.Helper()
	l, err := OpenLocal(hot)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.UseCold(cold); err != nil {
		t.Fatal(err)
	}
	return l
}

// A move that is cut short at any point leaves the object readable, under the same name, and one copy when it was tried again.
func TestMovesSurviveCrashes(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		for _, point := range []string{"copied", "named", "linked", "moved", ""} {
			t.Run(point, func(t *testing.T) {
				hot, cold := t.TempDir(), filepath.Join(t.TempDir(), "a", "b")
				if sealed {
					openImmutable(t, hot) // for its clean-up
				}
				open := func() *Local {
					l := openCold(t, hot, cold)
					if sealed {
						if err := l.MakeImmutable(t.Context()); err != nil {
							t.Fatal(err)
						}
						t.Cleanup(func() {
							for _, f := range files(t, cold) {
								_ = setImmutable(filepath.Join(cold, f), false)
							}
						})
					}
					return l
				}
				l := open()
				putText(t, l, "t/a", "old", false)
				putText(t, l, "t/b", "new", false)
				was, err := l.Stat(t.Context(), "t/a")
				if err != nil {
					t.Fatal(err)
				}
				reader, err := l.Get(t.Context(), "t/a", 0, -1) // of a query that began before
				if err != nil {
					t.Fatal(err)
				}
				defer reader.Close()
				errCrash := errors.New("crash")
				l.crash = func(at string) error {
					if at == point {
						return errCrash
					}
					return nil
				}
				if err := move(t, l, "t/a"); (point != "") != errors.Is(err, errCrash) || point == "" && err != nil {
					t.Fatal(err)
				}
				check := func(l *Local) {
					t.Helper()
					if got := text(t, l, "t/a"); got != "old" {
						t.Errorf("the object is %q", got)
					}
					if now, err := l.Stat(t.Context(), "t/a"); err != nil || now != was {
						t.Errorf("the object was %+v and is %+v, %v", was, now, err)
					}
					if got := keys(t, l); !slices.Equal(got, []string{"t/a", "t/b"}) {
						t.Errorf("listed: %q", got)
					}
					if b, err := os.ReadFile(l.LocalPath("t/a")); err != nil || string(b) != "old" {
						t.Errorf("by its path: %q, %v", b, err)
					}
				}
				check(l)
				plain, err := OpenLocal(hot) // a verifier's, which knows of no folder for old objects
				if err != nil {
					t.Fatal(err)
				}
				check(plain)
				l = open()
				check(l)
				if err := move(t, l, "t/a"); err != nil {
					t.Fatal(err)
				}
				check(l)
				if moved, err := l.IsCold(t.Context(), "t/a"); err != nil || !moved {
					t.Errorf("moved: %v, %v", moved, err)
				}
				if h, c := files(t, hot), files(t, cold); !slices.Equal(h, []string{"t/b"}) || !slices.Equal(c, []string{"t/a"}) {
					t.Errorf("hot: %q, cold: %q", h, c)
				}
				if sealed {
					if on, err := immutable(filepath.Join(cold, "t/a")); err != nil || !on {
						t.Errorf("the moved file is not immutable: %v", err)
					}
				}
				if b, err := io.ReadAll(reader); err != nil || string(b) != "old" {
					t.Errorf("the earlier reader: %q, %v", b, err)
				}
				for range 2 {
					if err := l.Delete(t.Context(), "t/a"); err != nil {
						t.Fatal(err)
					}
				}
				if err := l.MoveCold(t.Context(), "t/a"); err != nil {
					t.Errorf("a move after the removal: %v", err)
				}
				if c, k := files(t, cold), keys(t, l); len(c) > 0 || !slices.Equal(k, []string{"t/b"}) {
					t.Errorf("after removal: cold %q, listed %q", c, k)
				}
			})
		}
	}
}

// An object that is removed between the two steps of its move, or after a crash there, leaves nothing.
func TestRemovalTakesAStrayCopyAway(t *testing.T) {
	hot, cold := t.TempDir(), t.TempDir()
	l := openCold(t, hot, cold)
	putText(t, l, "t/a", "old", false)
	if _, err := l.CopyCold(t.Context(), "t/a"); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLocal(hot)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Delete(t.Context(), "t/a"); err != nil {
		t.Fatal(err)
	}
	if left := append(files(t, hot), files(t, cold)...); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if err := l.MoveCold(t.Context(), "t/a"); err != nil {
		t.Error(err)
	}
	if got := keys(t, l); got != nil {
		t.Errorf("a move made %q", got)
	}
}

// An object that is removed while it is copied leaves no copy.
func TestRemovalDuringACopy(t *testing.T) {
	hot, cold := t.TempDir(), t.TempDir()
	l := openCold(t, hot, cold)
	putText(t, l, "t/a", "erased", false)
	l.crash = func(at string) error {
		if at == "copied" {
			return l.Delete(t.Context(), "t/a")
		}
		return nil
	}
	if _, err := l.CopyCold(t.Context(), "t/a"); !errors.Is(err, ErrNotExist) {
		t.Errorf("the copy of what was removed: %v", err)
	}
	if left := append(files(t, hot), files(t, cold)...); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestColdFolderThatIsAway(t *testing.T) {
	hot, cold := t.TempDir(), filepath.Join(t.TempDir(), "cold")
	l := openCold(t, hot, cold)
	putText(t, l, "t/a", "old", false)
	putText(t, l, "t/b", "old", false)
	if err := move(t, l, "t/a"); err != nil {
		t.Fatal(err)
	}
	// Not mounted: an empty folder, or none.
	if err := os.Rename(cold, cold+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Get(t.Context(), "t/a", 0, -1); !errors.Is(err, ErrNotExist) {
		t.Errorf("get: %v", err)
	}
	if got := keys(t, l); !slices.Equal(got, []string{"t/a", "t/b"}) {
		t.Errorf("listed: %q", got)
	}
	if _, err := l.CopyCold(t.Context(), "t/b"); !errors.Is(err, ErrColdAway) {
		t.Errorf("copy: %v", err)
	}
	for range 2 {
		if err := l.Delete(t.Context(), "t/a"); !errors.Is(err, ErrColdAway) {
			t.Errorf("delete: %v", err)
		}
		if err := l.UseCold(cold); !errors.Is(err, ErrColdAway) || !strings.Contains(err.Error(), cold) {
			t.Errorf("a start without the disk: %v", err)
		}
		if err := os.MkdirAll(cold, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// The folder has another place from now on.
	if err := l.UseCold(cold + ".away"); err != nil {
		t.Fatal(err)
	}
	if got := text(t, l, "t/a"); got != "old" {
		t.Errorf("after the folder was moved: %q", got)
	}
	if err := l.Delete(t.Context(), "t/a"); err != nil {
		t.Error(err)
	}
	if got := files(t, cold+".away"); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
	for _, dir := range []string{hot, filepath.Join(hot, "x"), filepath.Dir(hot)} {
		if err := l.UseCold(dir); err == nil {
			t.Errorf("%s was taken", dir)
		}
	}
	if err := l.Put(t.Context(), coldLink+"/x", strings.NewReader(""), 0, false); err == nil {
		t.Error("a key in the folder's own name was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.CopyCold(ctx, "t/b"); !errors.Is(err, context.Canceled) {
		t.Errorf("a copy whose context ended: %v", err)
	}
	if got := files(t, cold+".away"); len(got) > 0 {
		t.Errorf("left by it: %q", got)
	}
}
