package worker

import (
	"syscall"
	"testing"
)

// TestReservedMemory: what is reserved is memory that the kernel has given, and a statement gets it. It counts pages, which take no time to be true.
func TestReservedMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	var w worker
	if err := w.open(); err != nil { // with a reserve
		t.Fatal(err)
	}
	faults := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return u.Minflt
	}
	// 7 MiB and more that the arenas of jemalloc give.
	costs := func() int64 {
		before := faults()
		if err := w.exec("SELECT max(length(s)) FROM (SELECT repeat('x', 1000000 + i::INT) AS s FROM range(7) t(i))"); err != nil {
			t.Fatal(err)
		}
		return faults() - before
	}
	without := costs()
	if without < 7<<20/4096/2 {
		t.Skipf("nothing to save: jemalloc does not serve DuckDB here, or has memory from before, or the system's pages are large: %d faults", without)
	}
	releaseMemory()
	if with := costs(); with > without/4 {
		t.Errorf("%d pages were given to a statement that had a reserve, %d to one without", with, without)
	}
	releaseMemory() // nothing is left to release
}
