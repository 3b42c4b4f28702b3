package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lochlake/loch/disk"
)

const (
	growthParts  = 10
	growthSlices = 4  // of a part; the floor is measured between them
	floorFiles   = 80 // that the floor is measured over, always the same
	floorRuns    = 2  // of which the lesser counts
)

// growth brings the files in ten parts, and prints what each cost: the last should cost what the first did. The machine's speed changes within the half an hour that it takes,
// so the floor is measured again and again, and each part's cost is told in units of the floor at its time. Page faults and written blocks are counts that do not hang on speed.
func growth(ctx context.Context, files []string, work, profile string) error {
	p, err := openPipeline(ctx, work, nil, disk.OS)
	if err != nil {
		return err
	}
	fmt.Println("| part | events | CPU s | µs/event | floor µs/event | × floor | × first | page faults/event | bytes written/event |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	some, err := linked(files[:min(floorFiles, len(files))], filepath.Join(work, "floor"))
	if err != nil {
		return err
	}
	before, err := floorNow(ctx, some, work)
	if err != nil {
		return err
	}
	var first float64
	was, events := usage(), int64(0)
	for n := range growthParts {
		stop, err := startProfile(profile, fmt.Sprint("growth-", n+1))
		if err != nil {
			return err
		}
		var floors time.Duration // as long as the floor would have taken over the part's events
		begun, in := was, events
		for i := range growthSlices {
			at, slices := growthSlices*n+i, growthSlices*growthParts
			if err := p.feed(ctx, files[len(files)*at/slices:len(files)*(at+1)/slices]); err != nil {
				return err
			}
			after, err := floorNow(ctx, some, work)
			if err != nil {
				return err
			}
			floors += (before + after) / 2 * time.Duration(p.events.Load()-events)
			before, events = after, p.events.Load()
		}
		if err := stop(); err != nil {
			return err
		}
		was = usage() // what went on behind the last slice, as merges of the index, is in
		came, cpu := float64(events-in), cpuOf(was)-cpuOf(begun)
		ratio := cpu.Seconds() / floors.Seconds()
		if n == 0 {
			first = ratio
		}
		micros := func(d time.Duration) float64 { return d.Seconds() * 1e6 / came }
		fmt.Printf("| %d | %.0f | %.2f | %.1f | %.2f | %.2f | %.2f | %.3f | %.0f |\n", n+1, came, cpu.Seconds(), micros(cpu), micros(floors), ratio, ratio/first,
			float64(was.Minflt-begun.Minflt)/came, float64(was.Oublock-begun.Oublock)*512/came)
	}
	return p.close(ctx)
}

// linked makes a folder of links to the files.
func linked(files []string, dir string) (string, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	for _, f := range files {
		to, err := filepath.Abs(f)
		if err != nil {
			return "", err
		}
		if err := os.Symlink(to, filepath.Join(dir, filepath.Base(f))); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// floorNow is what the floor takes for an event now, in a process of its own, so that this one's memory has no part in it.
func floorNow(ctx context.Context, logs, work string) (time.Duration, error) {
	least := time.Duration(math.MaxInt64)
	for range floorRuns {
		o, err := runChild(ctx, "floor", logs, work, "")
		if err != nil {
			return 0, fmt.Errorf("floor: %w", err)
		}
		if o.Events == 0 {
			return 0, errors.New("floor: no events")
		}
		least = min(least, o.cpu/time.Duration(o.Events))
	}
	return least, nil
}

// usage is what this process used so far.
func usage() (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // not for this process itself
	}
	return u
}

func cpuOf(u syscall.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }
