package meta_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lochlake/loch/meta"
)

// TestDiskTakesNothing: while the disk cuts writes short or takes none, changes fail and nothing of them is there; when it takes them again, so does the database, and what
// it answered with success is there after a kill.
func TestDiskTakesNothing(t *testing.T) {
	if path := os.Getenv("LOCH_META_TEST_DISK"); path != "" {
		fillAndGoOn(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "meta.db")
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskTakesNothing$")
	cmd.Env = append(os.Environ(), "LOCH_META_TEST_DISK="+path)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // it kills itself, or says why not
	if !strings.HasSuffix(out.String(), "end\n") {
		t.Fatalf("%s%s", out.String(), errs.String())
	}
	db, err := meta.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for line := range strings.Lines(out.String()) {
		what, key, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, err := db.Value(t.Context(), key)
		switch {
		case what == "kept" && err != nil:
			t.Errorf("%s was written: %v", key, err)
		case what == "refused":
			if refused++; !errors.Is(err, meta.ErrNotFound) {
				t.Errorf("%s was refused, and now: %v", key, err)
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var verdict string
	if err := raw.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("%s, %v", verdict, err)
	}
}

// fillAndGoOn writes under limits of the size of files, and ends by killing itself. A refused key is never written again.
func fillAndGoOn(t *testing.T, path string) {
	ctx := context.Background()
	db, err := meta.OpenSQLite(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	write := func() error {
		n++
		key := fmt.Sprint("key-", n)
		err := db.SetValue(ctx, key, strings.Repeat("v", 3000))
		if err == nil {
			fmt.Println("kept", key)
		} else {
			fmt.Println("refused", key)
		}
		return err
	}
	limit := func(size uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	// In the middle of a page, at its end, and nothing at all.
	for _, size := range []int64{info.Size() + 9000, info.Size() + 100_000, 0} {
		limit(uint64(size))
		failed := 0
		for range 200 {
			if write() != nil {
				failed++
			}
			if failed == 5 {
				break
			}
		}
		if failed < 5 {
			t.Fatalf("files of %d bytes at most, and only %d writes failed", size, failed)
		}
		limit(unix.RLIM_INFINITY)
		for range 20 {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
	}
	fmt.Println("end")
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {} // until it arrives
}
