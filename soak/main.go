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
	if err := soak(ctx, *loch, *dir, kinds(*loch, os.Stderr), *last, *kills, *seed, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// gatewayOf is the S3 server beside a loch binary.
func gatewayOf(loch string) string { return filepath.Join(filepath.Dir(loch), "versitygw") }

// kinds are those that can be soaked: over S3 too, where there is a versitygw beside loch. Where there is none, that is said.
func kinds(loch string, out io.Writer) []string {
	if _, err := os.Stat(gatewayOf(loch)); err != nil {
		fmt.Fprintf(out, "NOT SOAKED: S3. There is no versitygw beside loch (%v): run `make tools`. All of the time goes to local files.\n", err)
		return []string{"disk"}
	}
	return []string{"disk", "s3"}
}

// soak runs a part of the time over a local folder with a failing disk ("disk"), and one over S3 that fails ("s3").
func soak(ctx context.Context, loch, dir string, kinds []string, last time.Duration, kills int, seed uint64, out io.Writer) (err error) {
	work := dir
	if work == "" {
		if work, err = os.MkdirTemp("", "loch-soak-"); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%s, %d CPUs, %s/%s, seed %d, %s, %d kills\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, seed, last, kills)
	for i, kind := range kinds {
		r := &run{loch: loch, gateway: gatewayOf(loch), kind: kind, dir: filepath.Join(work, kind), seed: seed + uint64(i), out: out,
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
