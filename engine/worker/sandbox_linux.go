package worker

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// confineEarly is what a worker can do before it knows its job: no core dumps, which would hold events, and first to go when memory runs out.
func confineEarly() {
	// Both only soften what happens on a crash; a machine that refuses them loses nothing that the other walls hold.
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(1000)), 0)
}

// confine leaves the process the right to read the job's files, to write in its own directory, and nothing else of the file system or the
// network, as far as the kernel has it. It must run while DuckDB has no threads of its own yet: later ones inherit the walls.
func confine(j *Job) Walls {
	var r Walls
	for _, l := range []struct {
		name  string
		which int
		limit int64
	}{{"RLIMIT_FSIZE", unix.RLIMIT_FSIZE, j.TempMax}, {"RLIMIT_DATA", unix.RLIMIT_DATA, j.Memory + Headroom}} {
		if err := unix.Setrlimit(l.which, &unix.Rlimit{Cur: uint64(l.limit), Max: uint64(l.limit)}); err != nil {
			r.Problem = l.name + ": " + err.Error()
		}
	}
	r.Landlock = landlockVersion()
	if r.Landlock < 1 {
		return r
	}
	if err := landlock(r.Landlock, j); err != nil {
		r.Problem = "Landlock: " + err.Error()
	}
	return r
}
