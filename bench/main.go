// Command bench measures Loch's way in against a floor and a peer: each in a child process of its own, over the same log files, in the same
// run, so that the ratios hold on any machine. It prints a Markdown table; docs/benchmarks.md keeps one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lochlake/loch/generate"
)

// outcome is what a child tells of its work, and what the parent measured of it.
type outcome struct {
	Events int64
	JSON   int64 // bytes of the files inflated
	Out    int64 // bytes written
	Files  int64 // written

	cpu, wall time.Duration
	rss       int64 // bytes
}

// subjects are what is measured, in the order of the table.
var subjects = []struct {
	name, what string
	run        func(ctx context.Context, files []string, work string) (outcome, error)
}{
	{"floor", "gunzip, SIMD parse, zstd of the texts", floor},
	{"duckdb", "DuckDB: columns and text to Parquet", duckdb},
	{"lake", "Loch without log and identities: gunzip to committed Iceberg", throughLake},
	{"volatile", "Loch: everything but the durable log", throughVolatile},
	{"ingest", "Loch: gunzip to committed Iceberg, everything in", throughIngest},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var (
		events  = flag.Int("events", 200_000, "events to generate")
		seed    = flag.Uint64("seed", 1, "seed of the generated events")
		logs    = flag.String("logs", "", "measure over the log files of this folder, instead of generated ones")
		corpus  = flag.String("corpus", "../shared/corpus/cloudtrail", "a second folder of log files; left out where it is not there")
		only    = flag.String("only", "", "what to measure, comma-separated: floor, duckdb, lake, volatile, ingest, server, queries, audit, overload, growth, commits, beside, verify, needle; all but the last five by default")
		runs    = flag.Int("runs", 1, "how often each subject runs, in turn; the least CPU time counts")
		profile = flag.String("profile", "", "write CPU profiles of the children to this folder")
		loch    = flag.String("loch", "build/bin/loch", "the loch binary, for what is measured through a server; left out where it is not there")
		days    = flag.Int("days", 30, "internal: days that the generated events spread over")
		be      = flag.String("child", "", "internal: be a child that runs this subject")
	)
	flag.Parse()
	var err error
	if *be != "" {
		err = beChild(ctx, *be, flag.Arg(0), options{events: *events, seed: *seed, profile: *profile, loch: *loch, days: *days})
	} else {
		err = measure(ctx, options{*events, *seed, *logs, *corpus, *only, *runs, *profile, *loch, *days})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	events  int
	seed    uint64
	logs    string
	corpus  string
	only    string
	runs    int
	profile string
	loch    string
	days    int
}

// wants tells whether a part was asked for by name, or everything was.
func (o *options) wants(name string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), name)
}

func measure(ctx context.Context, opt options) error {
	work, err := os.MkdirTemp("", "loch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	title, given := "the log files of "+opt.logs, opt.logs != ""
	if !given && opt.only != "audit" && opt.only != "overload" {
		opt.logs, title = filepath.Join(work, "logs"), fmt.Sprintf("%d generated events, files of 500", opt.events)
		days := 30
		if opt.only == "needle" {
			days = needleDays
		}
		// In a child, since a process begins with its parent's peak of memory.
		if _, err := spawn(ctx, "generate", work, "-events", fmt.Sprint(opt.events), "-seed", fmt.Sprint(opt.seed), "-days", fmt.Sprint(days), opt.logs); err != nil {
			return err
		}
	}
	if _, err := os.Stat(opt.loch); err != nil {
		fmt.Fprintf(os.Stderr, "bench: no %s: nothing is measured through a server\n", opt.loch)
		opt.loch = ""
	}
	fmt.Printf("%s, %d CPUs, %s/%s, %s\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	if err := table(ctx, title, opt.logs, work, opt); err != nil {
		return err
	}
	if opt.loch != "" && opt.wants("queries") {
		out, err := spawn(ctx, "queries", work, "-loch", opt.loch, opt.logs)
		if err != nil {
			return err
		}
		os.Stdout.Write(out.said)
	}
	for _, name := range []string{"audit", "overload"} {
		if opt.loch == "" || !opt.wants(name) {
			continue
		}
		out, err := spawn(ctx, name, work, "-loch", opt.loch, "-events", fmt.Sprint(opt.events), "-seed", fmt.Sprint(opt.seed), opt.logs)
		if err != nil {
			return err
		}
		os.Stdout.Write(out.said)
	}
	if opt.loch != "" && slices.Contains(strings.Split(opt.only, ","), "verify") {
		out, err := spawn(ctx, "verify", work, "-loch", opt.loch, opt.logs)
		if err != nil {
			return err
		}
		os.Stdout.Write(out.said)
	}
	if opt.loch != "" && opt.only == "needle" { // alone: its events spread over a year
		if given {
			return errors.New("needles are planted into generated logs only")
		}
		out, err := spawn(ctx, "needle", work, "-loch", opt.loch, "-seed", fmt.Sprint(opt.seed), opt.logs)
		if err != nil {
			return err
		}
		os.Stdout.Write(out.said)
		return nil
	}
	for _, part := range []struct{ name, title string }{{"growth", title + ", in ten parts"}, {"beside", title + ", with compaction and without"}, {"commits", ""}} {
		if !slices.Contains(strings.Split(opt.only, ","), part.name) {
			continue
		}
		if part.title != "" {
			fmt.Printf("\n### %s\n\n", part.title)
		}
		out, err := spawn(ctx, part.name, work, "-events", fmt.Sprint(opt.events), "-profile", opt.profile, opt.logs)
		if err != nil {
			return err
		}
		os.Stdout.Write(out.said)
	}
	if _, err := os.Stat(opt.corpus); err != nil {
		return nil
	}
	return table(ctx, "the corpus of real events", opt.corpus, work, opt)
}

// logFiles lists the folder's gzip files in order of the time in their names, which is how a trail delivers them.
func logFiles(dir string) ([]string, int64, error) {
	var files []string
	var size int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json.gz") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files, size = append(files, path), size+info.Size()
		}
		return err
	})
	stamp := func(path string) string {
		parts := strings.Split(filepath.Base(path), "_")
		return parts[min(3, len(parts)-1)]
	}
	slices.SortStableFunc(files, func(a, b string) int { return strings.Compare(stamp(a), stamp(b)) })
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no log files under %s", dir)
	}
	return files, size, err
}

// table measures every subject over the logs, and prints a row for each.
func table(ctx context.Context, title, logs, work string, opt options) error {
	if !slices.ContainsFunc(append([]string{"server"}, names()...), opt.wants) {
		return nil
	}
	files, gz, err := logFiles(logs)
	if err != nil {
		return err
	}
	fmt.Printf("\n### %s (%d files, %.1f MB gzipped)\n\n", title, len(files), float64(gz)/1e6)
	fmt.Println("| what | events/CPU-s | CPU s | × floor | wall/CPU | peak MB | MB out | out/gz | files |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	var base time.Duration
	row := func(what string, o outcome) {
		ratio := "–"
		if base > 0 {
			ratio = fmt.Sprintf("%.2f", o.cpu.Seconds()/base.Seconds())
		}
		fmt.Printf("| %s | %.0f | %.2f | %s | %.2f | %.0f | %.1f | %.2f | %d |\n", what, float64(o.Events)/o.cpu.Seconds(), o.cpu.Seconds(), ratio,
			o.wall.Seconds()/o.cpu.Seconds(), float64(o.rss)/1e6, float64(o.Out)/1e6, float64(o.Out)/float64(gz), o.Files)
	}
	// In turn, not one subject after the other: the machine's speed changes meanwhile, and is to change for all of them.
	best := make([]outcome, len(subjects))
	for range opt.runs {
		for i, s := range subjects {
			if !opt.wants(s.name) {
				continue
			}
			o, err := runChild(ctx, s.name, logs, work, opt.profile)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if best[i].cpu == 0 || o.cpu < best[i].cpu {
				best[i] = o
			}
		}
	}
	var last outcome
	for i, s := range subjects {
		if !opt.wants(s.name) {
			continue
		}
		if s.name == "floor" {
			base = best[i].cpu
		}
		row(s.what, best[i])
		last = best[i]
	}
	if opt.loch == "" || !opt.wants("server") || last.Events == 0 {
		return nil
	}
	server, command := outcome{cpu: 1 << 62}, int64(0)
	for n := range opt.runs {
		dir := filepath.Join(work, fmt.Sprint("server", n))
		o, c, err := throughServer(ctx, opt.loch, logs, dir, last.Events, last.JSON)
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			return fmt.Errorf("server: %w", err)
		}
		if o.cpu < server.cpu {
			server, command = o, c
		}
	}
	row(fmt.Sprintf("`loch serve` and `loch import` (its peak: %.0f MB)", float64(command)/1e6), server)
	return nil
}

// child is what became of a process of this program.
type child struct {
	said  []byte // on standard output
	wall  time.Duration
	state *os.ProcessState
}

func names() (n []string) {
	for _, s := range subjects {
		n = append(n, s.name)
	}
	return n
}

// spawn runs this program as the child of that name, with the arguments, and in a folder of its own below work.
func spawn(ctx context.Context, name, work string, args ...string) (child, error) {
	dir, err := os.MkdirTemp(work, name+"-")
	if err != nil {
		return child{}, err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return child{}, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"-child", name}, args...)...)
	cmd.Env = append(os.Environ(), "LOCH_BENCH_DIR="+dir)
	cmd.Stderr = os.Stderr
	begun := time.Now()
	out, err := cmd.Output()
	return child{out, time.Since(begun), cmd.ProcessState}, err
}

func runChild(ctx context.Context, name, logs, work, profile string) (o outcome, err error) {
	c, err := spawn(ctx, name, work, "-profile", profile, logs)
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(c.said, &o); err != nil {
		return o, fmt.Errorf("%w: %s", err, c.said)
	}
	o.cpu, o.wall, o.rss = c.state.UserTime()+c.state.SystemTime(), c.wall, peak(c.state)
	return o, nil
}

func beChild(ctx context.Context, name, logs string, opt options) error {
	dir := os.Getenv("LOCH_BENCH_DIR")
	switch name {
	case "generate":
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		_, err := generate.WriteFiles(ctx, logs, generate.Options{Events: opt.events, Seed: opt.seed, Start: start, Days: opt.days, Attack: true}, generate.FileOptions{})
		return err
	case "growth":
		files, _, err := logFiles(logs)
		if err != nil {
			return err
		}
		return growth(ctx, files, dir, opt.profile)
	case "beside":
		files, _, err := logFiles(logs)
		if err != nil {
			return err
		}
		stop, err := startProfile(opt.profile, name)
		if err != nil {
			return err
		}
		return errors.Join(beside(ctx, files, dir), stop())
	case "commits":
		return commits(ctx, max(opt.events/20, commitParts), dir)
	case "audit":
		return audits(ctx, opt.loch, dir, opt.events, opt.seed)
	case "overload":
		return overload(ctx, opt.loch, dir, opt.events, opt.seed)
	case "needle":
		return needles(ctx, opt.loch, logs, dir, opt.seed)
	case "verify":
		return verifies(ctx, opt.loch, logs, dir)
	case "queries":
		return queries(ctx, opt.loch, logs, filepath.Join(dir, "data"))
	}
	for _, s := range subjects {
		if s.name != name {
			continue
		}
		files, _, err := logFiles(logs)
		if err != nil {
			return err
		}
		stop, err := startProfile(opt.profile, name)
		if err != nil {
			return err
		}
		o, err := s.run(ctx, files, dir)
		if err := errors.Join(err, stop()); err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(o)
	}
	return fmt.Errorf("no subject %q", name)
}

// written counts the files below dir whose names end so, and their bytes.
func written(dir, suffix string) (files, size int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		if strings.HasSuffix(path, suffix) {
			files++
		}
		return nil
	})
	return files, size, err
}
