// Command soak runs a real loch serve under random load, kills it again and again, makes its disk and its object store fail, and then holds what the server
// kept against the senders' own record: every event that was acknowledged is there once, with the text that was sent, and no other event twice. It prints what it did,
// with the seed that made it, and ends with 1 where anything was found.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var (
		loch  = flag.String("loch", "build/bin/loch", "the loch binary")
		last  = flag.Duration("for", 30*time.Minute, "how long the load lasts; the checks come after it")
		kills = flag.Int("kills", 0, "kill -9 so often; 0: 500 in 30 minutes, and as many in proportion")
		seed  = flag.Uint64("seed", rand.Uint64(), "of load, kills and faults; their interleaving is the machine's")
		dir   = flag.String("dir", "", "folder to work in, kept; default: a temporary one, kept where something is found")
	)
	flag.Parse()
	if *kills == 0 {
		*kills = max(1, int(500*last.Seconds()/(30*60)))
	}
	if err := soak(ctx, *loch, *dir, *last, *kills, *seed, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soak runs one half of the time over a local folder with a failing disk, and one over S3 that fails, where there is a versitygw beside loch.
func soak(ctx context.Context, loch, dir string, last time.Duration, kills int, seed uint64, out io.Writer) (err error) {
	work := dir
	if work == "" {
		if work, err = os.MkdirTemp("", "loch-soak-"); err != nil {
			return err
		}
	}
	gateway := filepath.Join(filepath.Dir(loch), "versitygw")
	kinds := []string{"disk", "s3"}
	if _, err := os.Stat(gateway); err != nil {
		fmt.Fprintln(out, "no versitygw beside loch: only local files are soaked")
		kinds = kinds[:1]
	}
	fmt.Fprintf(out, "%s, %d CPUs, %s/%s, seed %d, %s, %d kills\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, seed, last, kills)
	for i, kind := range kinds {
		r := &run{loch: loch, gateway: gateway, kind: kind, dir: filepath.Join(work, kind), seed: seed + uint64(i), out: out,
			last: last / time.Duration(len(kinds)), kills: kills / len(kinds)}
		if i < kills%len(kinds) {
			r.kills++
		}
		if e := r.all(ctx); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", kind, e))
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w (see %s)", err, work)
	case dir == "":
		return os.RemoveAll(work)
	}
	return nil
}
