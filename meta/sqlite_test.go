package meta_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/meta/metatest"
)

func TestSQLite(t *testing.T) {
	places := map[*testing.T]string{}
	metatest.Run(t, func(t *testing.T) meta.DB {
		if places[t] == "" {
			places[t] = filepath.Join(t.TempDir(), "a name? with %23 and #.db")
		}
		db, err := meta.OpenSQLite(t.Context(), places[t])
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}

func TestOpenRefuses(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, path string){
		"newer": func(t *testing.T, path string) {
			db, err := meta.OpenSQLite(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			run(t, path, "PRAGMA user_version = 1000")
		},
		"foreign":   func(t *testing.T, path string) { run(t, path, "CREATE TABLE other (x)") },
		"no SQLite": func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("not a database. "), 100)) },
		"folder":    func(t *testing.T, path string) { _ = os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "meta.db")
			make(t, path)
			db, err := meta.OpenSQLite(t.Context(), path)
			if err == nil {
				t.Fatal("opened", db.Close())
			}
			if got := errors.Is(err, meta.ErrNewer); got != (name == "newer") {
				t.Fatalf("error %v: is ErrNewer %v", err, got)
			}
			if !bytes.Contains([]byte(err.Error()), []byte(path)) {
				t.Fatalf("error %q does not name the file", err)
			}
		})
	}
}

func run(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	db, err := meta.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", suffix, info.Mode())
		}
	}
}

// TestKilled kills a process while it writes, and looks for everything that it had been told was written.
func TestKilled(t *testing.T) {
	if path := os.Getenv("LOCH_META_TEST_WRITER"); path != "" {
		db, err := meta.OpenSQLite(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; ; i++ {
			if err := db.SetValue(context.Background(), strconv.Itoa(i), "v"); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stdout.WriteString(strconv.Itoa(i) + "\n"); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "meta.db")
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "LOCH_META_TEST_WRITER="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var told []byte
	buf := make([]byte, 4096)
	for bytes.Count(told, []byte("\n")) < 50 {
		n, err := out.Read(buf)
		told = append(told, buf[:n]...)
		if err != nil {
			t.Fatalf("the writer ended: %v\n%s", err, told)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	db, err := meta.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lines := bytes.Fields(told[:bytes.LastIndexByte(told, '\n')])
	for _, key := range lines {
		if _, err := db.Value(t.Context(), string(key)); err != nil {
			t.Fatalf("%s was written: %v", key, err)
		}
	}
}

// TestCancelled: a call whose context ended before its turn changes nothing; the database goes on.
func TestCancelled(t *testing.T) {
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.SetValue(ctx, "k", "v"); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if _, err := db.Value(t.Context(), "k"); !errors.Is(err, meta.ErrNotFound) {
		t.Fatalf("error is %v", err)
	}
	if err := db.SetValue(t.Context(), "k", "v"); err != nil {
		t.Fatal(err)
	}
}

// TestChangePanics: a change that panics leaves neither a half transaction nor a lock behind.
func TestChangePanics(t *testing.T) {
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	q := meta.Query{ID: "q", Status: "QUEUED", Created: time.UnixMilli(1)}
	if err := db.CreateQuery(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = db.UpdateQuery(t.Context(), "q", func(q *meta.Query) error { q.Status = "x"; panic("oh") })
	}()
	got, err := db.UpdateQuery(t.Context(), "q", func(q *meta.Query) error { q.Rows = 1; return nil })
	if err != nil || got.Status != "QUEUED" || got.Rows != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// BenchmarkSwapTable is what the metadata adds to every commit of a table: one durable transaction.
func BenchmarkSwapTable(b *testing.B) {
	db, err := meta.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "meta.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.CreateTable(b.Context(), meta.Table{StoreID: "s", Location: "0"}); err != nil {
		b.Fatal(err)
	}
	at := 0
	for b.Loop() {
		if err := db.SwapTable(b.Context(), "s", strconv.Itoa(at), strconv.Itoa(at+1), int64(at)); err != nil {
			b.Fatal(err)
		}
		at++
	}
}

// TestCopyTo: a copy has what was committed when it was made, and opens as metadata.
func TestCopyTo(t *testing.T) {
	dir := t.TempDir()
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.SetValue(t.Context(), "k", "before"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "copy's.db")
	if err := db.CopyTo(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if err := db.SetValue(t.Context(), "k", "after"); err != nil {
		t.Fatal(err)
	}
	if err := db.CopyTo(t.Context(), path); err == nil {
		t.Error("a file that is there was written over")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.CopyTo(t.Context(), filepath.Join(dir, "closed.db")); err == nil {
		t.Error("closed metadata was copied")
	}
	made, err := meta.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := made.Value(t.Context(), "k"); err != nil || v != "before" {
		t.Errorf("%q, %v", v, err)
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
}
