package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/logfile"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/tlog"
)

const (
	verifyBytes = 2 << 30 // of data files that the quick check reads
	verifyRows  = 100_000 // different events in them, which come again and again
	verifyRuns  = 3       // of each, in turn; the quickest counts
)

// verified is what a check of a lake cost.
type verified struct {
	wall, cpu time.Duration
	rss       int64
	said      struct{ Events, Files, Bytes int64 }
}

// verifies measures the full check over an import, as it was left and compacted, and the quick one over gigabytes, beside reading and hashing the same bytes.
func verifies(ctx context.Context, bin, logs, dir string) error {
	plain := []string{"--compaction", "0"}
	data := filepath.Join(dir, "data")
	s, err := serve(ctx, bin, data, plain...)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := s.load(ctx, bin, logs); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	fmt.Println("\n### Full verification\n\n| files | data files | MB | events | s | events/s | CPU s | events/CPU-s | peak MB |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, how := range []string{"as imported", "compacted"} {
		if how == "compacted" {
			if _, _, err := settled(ctx, bin, data, []string{"--compaction", "1", "--compaction-quiet", "1s"}); err != nil {
				return err
			}
		}
		least := verified{wall: 1 << 62}
		for range verifyRuns {
			v, err := verifyWith(ctx, bin, data, "--full")
			if err != nil {
				return err
			}
			if v.wall < least.wall {
				least = v
			}
		}
		fmt.Printf("| %s | %d | %.1f | %d | %.2f | %.0f | %.2f | %.0f | %.0f |\n", how, least.said.Files, float64(least.said.Bytes)/1e6, least.said.Events, least.wall.Seconds(), float64(least.said.Events)/least.wall.Seconds(),
			least.cpu.Seconds(), float64(least.said.Events)/least.cpu.Seconds(), float64(least.rss)/1e6)
	}

	// Then, since a process begins with its parent's peak of memory.
	big := filepath.Join(dir, "big")
	key, err := gigabytes(ctx, logs, big)
	if err != nil {
		return err
	}
	fmt.Printf("\n### Quick verification\n\n")
	fmt.Println("| what | data files | GB | s | MB/s | CPU s | MB/CPU-s |\n| --- | --- | --- | --- | --- | --- | --- |")
	least := [2]verified{{wall: 1 << 62}, {wall: 1 << 62}}
	for range verifyRuns {
		for i, run := range []func() (verified, error){
			func() (verified, error) { return hashed(ctx, filepath.Join(big, "lake")) },
			func() (verified, error) { return verifyWith(ctx, bin, big, "--key", key) },
		} {
			v, err := run()
			if err != nil {
				return err
			}
			if v.wall < least[i].wall {
				least[i] = v
			}
		}
	}
	said := least[1].said
	size := float64(said.Bytes)
	for i, what := range []string{"floor: the same files read and hashed with SHA-256 on all cores", "`loch verify`"} {
		v := least[i]
		fmt.Printf("| %s | %d | %.2f | %.2f | %.0f | %.2f | %.0f |\n", what, said.Files, size/1e9, v.wall.Seconds(), size/1e6/v.wall.Seconds(), v.cpu.Seconds(), size/1e6/v.cpu.Seconds())
	}
	return nil
}

// verifyWith runs `loch verify` over a data folder, as a user does who keeps nothing from the last time. It must find nothing.
func verifyWith(ctx context.Context, bin, data string, args ...string) (v verified, err error) {
	state := filepath.Join(data, "checkpoints.json")
	cmd := exec.CommandContext(ctx, bin, append([]string{"verify", "--data", data, "--state", state, "--json"}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	begun := time.Now()
	out, err := cmd.Output()
	v.wall = time.Since(begun)
	if err != nil {
		return v, fmt.Errorf("loch verify: %w: %s%.1000s", err, said.Bytes(), out)
	}
	v.cpu, v.rss = cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), peak(cmd.ProcessState)
	return v, errors.Join(json.Unmarshal(out, &v.said), os.Remove(state))
}

// hashed reads every file below the folder and hashes it, on all cores.
func hashed(ctx context.Context, dir string) (v verified, err error) {
	was, begun := spent(), time.Now()
	paths := make(chan string)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(paths)
		return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			select {
			case paths <- path:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			sum, buf := sha256.New(), make([]byte, 1<<20)
			for path := range paths {
				if err := hashFile(path, sum, buf); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	v.wall, v.cpu = time.Since(begun), spent()-was
	return v, err
}

func hashFile(path string, sum hash.Hash, buf []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum.Reset()
	_, err = io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{f}, buf) // by the buffer, and no other way that either has
	sum.Sum(nil)
	return err
}

// gigabytes makes a lake of so many bytes with its log, as a server would from an import, in the data folder, and gives the log's public key. The same events come again and again, as
// other records: what the quick check reads of a file is its bytes.
func gigabytes(ctx context.Context, logs, dir string) (key string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	db, err := meta.OpenSQLite(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
	if err != nil {
		return "", err
	}
	l, err := lake.Open(ctx, lake.Config{Objects: objects, Meta: db})
	if err != nil {
		return "", err
	}
	reg, err := registry.New(ctx, registry.Config{DB: db, Lake: l})
	if err != nil {
		return "", err
	}
	name := "bench"
	store, err := reg.CreateStore(ctx, meta.Scope{Account: "111122223333", Region: "us-east-1"}, registry.StoreSettings{Name: &name})
	if err != nil {
		return "", err
	}
	rows, err := firstRows(ctx, logs, verifyRows)
	if err != nil {
		return "", err
	}
	var sequence, size atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	commits := make(chan lake.Files, runtime.GOMAXPROCS(0))
	writers, wctx := errgroup.WithContext(gctx)
	for range runtime.GOMAXPROCS(0) {
		writers.Go(func() error {
			own := make([]lake.Row, len(rows))
			for size.Load() < verifyBytes {
				copy(own, rows)
				n := sequence.Add(1)
				for i := range own {
					own[i].Sequence = n
				}
				f, err := l.Write(wctx, store.ID, own)
				if err != nil {
					return err
				}
				size.Add(f.Bytes)
				select {
				case commits <- f:
				case <-wctx.Done():
					return wctx.Err()
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(commits)
		return writers.Wait()
	})
	g.Go(func() error {
		applied := int64(0)
		for f := range commits {
			applied++
			if err := l.Commit(gctx, store.ID, f, applied); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return "", err
	}
	signer := proof.NewKey(bytes.Repeat([]byte{7}, proof.SeedSize))
	log := tlog.Open(tlog.Config{Meta: db, Objects: objects, Key: signer, Every: time.Hour})
	return signer.Public().String(), errors.Join(log.Flush(ctx), log.Close(ctx), l.Close())
}

// firstRows decodes the first management events of the logs.
func firstRows(ctx context.Context, logs string, n int) (rows []lake.Row, err error) {
	files, _, err := logFiles(logs)
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		b, err := logfile.ReadAll(ctx, path, raw, logfile.Options{})
		if err != nil {
			return nil, err
		}
		for i := range b.Records {
			if b.Records[i].Kind != event.CloudTrail {
				continue
			}
			rows = append(rows, lake.Row{Event: &b.Records[i], Envelope: lake.Envelope{Writer: "bench", Epoch: 1, Position: int32(len(rows)), Accepted: time.Now().UnixMicro(), Provenance: path}})
			if len(rows) == n {
				return rows, nil
			}
		}
	}
	return rows, nil
}
