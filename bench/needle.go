package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	needleDays  = 365
	needlesEach = 20 // access keys planted, and addresses
)

// needles searches a year of events for access keys and addresses that stand in ten of them or fewer, through the API: what is read for
// each search, and how long it takes. Once over local files and, where there is a versitygw, once over S3.
func needles(ctx context.Context, bin, logs, dir string, seed uint64) error {
	files, gz, err := logFiles(logs)
	if err != nil {
		return err
	}
	targets, err := plant(files, needlesEach, seed)
	if err != nil {
		return err
	}
	fmt.Printf("\n### Needles: %d values in one to ten events each, over %d days (%.1f MB gzipped)\n\n", len(targets), needleDays, float64(gz)/1e6)
	fmt.Println("| tables in | searches | files | MB | read % median | read % most | median ms | 95 % within ms | first search after a start |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	if err := hunt(ctx, bin, logs, filepath.Join(dir, "local"), targets, nil); err != nil {
		return err
	}
	gateway, err := exec.LookPath(filepath.Join(filepath.Dir(bin), "versitygw"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: no versitygw beside loch: nothing is searched in S3")
		return nil
	}
	b, err := startBucket(ctx, gateway, filepath.Join(dir, "s3"))
	if err != nil {
		return err
	}
	return errors.Join(hunt(ctx, bin, logs, filepath.Join(dir, "remote"), targets, b), b.stop())
}

// hunt imports the logs, and searches for every target: in the files as the import left them, and after compaction.
func hunt(ctx context.Context, bin, logs, dir string, targets []target, b *bucket) error {
	var args []string
	where := filepath.Join(dir, "lake")
	name := "local files"
	if b != nil {
		args, where, name = b.flags(), b.dir, "S3 (versitygw)"
	}
	plain := append([]string{"--compaction", "0"}, args...)
	s, err := serve(ctx, bin, dir, plain...)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := s.load(ctx, bin, logs); err != nil {
		return err
	}
	store := s.store
	if err := s.stop(); err != nil {
		return err
	}
	count, size, err := tableFiles(filepath.Join(where, "tables", store))
	if err != nil {
		return err
	}
	if err := search(ctx, bin, dir, plain, store, name+", as imported", targets, count, size, b); err != nil {
		return err
	}
	files, bytes, err := settled(ctx, bin, dir, append([]string{"--compaction", "1", "--compaction-quiet", "1s"}, args...))
	if err != nil {
		return err
	}
	return search(ctx, bin, dir, plain, store, name+", compacted", targets, count+files, size+bytes, b)
}

// settled serves until compaction has nothing left to do, and tells by how many files and bytes that changed the table.
func settled(ctx context.Context, bin, dir string, args []string) (files int, bytes int64, err error) {
	s, err := start(ctx, bin, dir, args...)
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	for idle := 0; idle < 4; { // looks, five seconds apart; days are quiet from the second on
		time.Sleep(5 * time.Second)
		v, err := s.metric(ctx, "loch_compaction_idle")
		if err != nil {
			return 0, 0, err
		}
		if v == 1 {
			idle++
		} else {
			idle = 0
		}
	}
	change := func(metric string) (float64, error) {
		in, err := s.metric(ctx, metric+`{direction="in"}`)
		if err != nil {
			return 0, err
		}
		out, err := s.metric(ctx, metric+`{direction="out"}`)
		return out - in, err
	}
	f, err := change("loch_compaction_files_total")
	if err != nil {
		return 0, 0, err
	}
	n, err := change("loch_compaction_bytes_total")
	if err != nil {
		return 0, 0, err
	}
	return int(f), int64(n), s.stop()
}

// search starts the server and searches for every target. The first search finds nothing in its memory.
func search(ctx context.Context, bin, dir string, args []string, store, name string, targets []target, count int, size int64, b *bucket) error {
	s, err := start(ctx, bin, dir, args...)
	if err != nil {
		return err
	}
	defer s.stop()
	read := s.readSoFar
	if b != nil {
		read = func() (int64, error) { return b.sent.Load(), nil }
	}
	var shares []float64
	var times []time.Duration
	for _, t := range targets {
		before, err := read()
		if err != nil {
			return err
		}
		begun := time.Now()
		first, err := s.ask(ctx, "SELECT count(*) OVER () AS n, eventtime, eventname, useridentity.arn, sourceipaddress, eventjson FROM "+store+
			" WHERE "+t.column+" = '"+t.value+"' ORDER BY eventtime")
		if err != nil {
			return err
		}
		times = append(times, time.Since(begun))
		if first != fmt.Sprint(t.events) {
			return fmt.Errorf("%s %s stands in %d events; the search found %q", t.column, t.value, t.events, first)
		}
		after, err := read()
		if err != nil {
			return err
		}
		shares = append(shares, 100*float64(after-before)/float64(size))
	}
	cold := fmt.Sprintf("%.2f %%, %.0f ms", shares[0], ms(times[0]))
	shares, times = shares[1:], times[1:]
	slices.Sort(shares)
	slices.Sort(times)
	fmt.Printf("| %s | %d | %d | %.1f | %.2f | %.2f | %.0f | %.0f | %s |\n", name, len(times), count, float64(size)/1e6,
		shares[len(shares)/2], shares[len(shares)-1], ms(times[len(times)/2]), ms(times[(len(times)*95+99)/100-1]), cold)
	return s.stop()
}

// tableFiles counts a table's data files and their bytes.
func tableFiles(dir string) (count int, size int64, err error) {
	data := filepath.Join(dir, "data")
	n, size, err := written(data, ".parquet")
	return int(n), size, err
}

// readSoFar is what the server and its query processes, those that have ended too, read from files, pipes and sockets together: more than the table's share of it.
func (s *served) readSoFar() (int64, error) {
	time.Sleep(50 * time.Millisecond) // a query's process is waited for after its answer
	return readBy(s.cmd.Process.Pid)
}

// readBy is what a process, those that it has waited for, and those below it have read.
func readBy(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	var n int64
	if _, err := fmt.Sscanf(string(text), "rchar: %d", &n); err != nil {
		return 0, err
	}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if errors.Is(err, os.ErrNotExist) {
			continue // that thread has ended
		}
		if err != nil {
			return 0, err
		}
		for child := range strings.FieldsSeq(string(text)) {
			id, err := strconv.Atoi(child)
			if err != nil {
				return 0, err
			}
			read, err := readBy(id)
			if err != nil {
				return 0, err
			}
			n += read
		}
	}
	return n, nil
}

// bucket is a bucket of a versitygw of its own, reached through a proxy that counts what the store sends.
type bucket struct {
	cmd *exec.Cmd
	dir string // of the bucket's objects
	*meter
}

func startBucket(ctx context.Context, bin, dir string) (*bucket, error) {
	b := &bucket{dir: filepath.Join(dir, "lake")}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return nil, err
	}
	at, err := freeAddress()
	if err != nil {
		return nil, err
	}
	b.cmd = exec.CommandContext(ctx, bin, "--access", "bench", "--secret", "benchsecret", "--region", "us-east-1", "--port", at, "--health", "/health", "--quiet", "--keep-alive",
		"posix", "--io-buffer-size", "262144", dir)
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	for begun := time.Now(); ; {
		if resp, err := http.Get("http://" + at + "/health"); err == nil {
			resp.Body.Close()
			break
		}
		if time.Since(begun) > 30*time.Second {
			return nil, errors.Join(errors.New("versitygw does not answer"), b.cmd.Process.Kill(), b.cmd.Wait())
		}
		time.Sleep(20 * time.Millisecond)
	}
	if b.meter, err = newMeter(at); err != nil {
		return nil, errors.Join(err, b.cmd.Process.Kill(), b.cmd.Wait())
	}
	return b, nil
}

func (b *bucket) flags() []string {
	return []string{"--store-url", "s3://" + filepath.Base(b.dir), "--s3-endpoint", "http://" + b.at, "--s3-region", "us-east-1", "--s3-path-style",
		"--s3-access-key", "bench", "--s3-secret-key", "benchsecret"}
}

func (b *bucket) stop() error {
	b.meter.close()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := b.cmd.Wait(); err != nil && !strings.Contains(err.Error(), "signal") {
		return err
	}
	return nil
}
