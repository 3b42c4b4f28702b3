package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lochlake/loch/generate"
	"github.com/lochlake/loch/terminal"
)

type generateCmd struct {
	Dir     string `arg:"" help:"Folder to write to; made where it is missing." type:"path"`
	Events  int    `help:"How many events." default:"100000"`
	Seed    uint64 `help:"The same seed, start and number give the same files." default:"1"`
	Start   string `help:"First day, YYYY-MM-DD. Default: as many days ago as --days." placeholder:"DAY"`
	Days    int    `help:"Over how many days the events spread." default:"30"`
	PerFile int    `help:"Events a file." default:"500"`
	Attack  bool   `help:"Weave in an attack to follow." default:"true" negatable:""`
}

// Validate refuses what no files can be made of.
func (g *generateCmd) Validate() error {
	if g.Events < 1 || g.Days < 1 || g.PerFile < 1 {
		return errors.New("--events, --days and --per-file must be at least 1")
	}
	_, err := g.start()
	return err
}

func (g *generateCmd) start() (time.Time, error) {
	if g.Start == "" {
		return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -g.Days), nil
	}
	t, err := time.Parse(time.DateOnly, g.Start)
	if err != nil {
		return t, fmt.Errorf("--start %q is no day of the form 2026-01-31", g.Start)
	}
	return t, nil
}

func (g *generateCmd) Run(ctx context.Context) error {
	start, err := g.start()
	if err != nil {
		return err
	}
	bar := terminal.NewProgress(os.Stderr, "generate")
	done, err := generate.WriteFiles(ctx, g.Dir, generate.Options{Events: g.Events, Seed: g.Seed, Start: start, Days: g.Days, Attack: g.Attack},
		generate.FileOptions{PerFile: g.PerFile, Progress: func(events, files int, bytes int64) {
			bar.Set(terminal.State{Events: int64(events), Files: int64(files), Bytes: bytes})
		}})
	bar.Close()
	if err != nil {
		return err
	}
	fmt.Printf("%s events in %s files, %s (%s of JSON), under %s\n", terminal.Count(int64(done.Events)), terminal.Count(int64(done.Files)), terminal.Bytes(done.Bytes), terminal.Bytes(done.JSON), g.Dir)
	return nil
}
