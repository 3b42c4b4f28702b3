package streamer

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lochlake/loch/logfile"
)

// ordered is how many files are put in order at once: some 20 MB of names.
const ordered = 50_000

// byTime walks as walk does, but gives files in order of the time in their names, which the layout files by account and region first: events that reach a table
// day by day lie in fewer and larger files there. Files without a time in their names come first.
func byTime(ctx context.Context, opt Options, fn func(file, error) error) error {
	type timed struct {
		file
		at time.Time
	}
	var held []timed
	flush := func() error {
		slices.SortStableFunc(held, func(a, b timed) int { return a.at.Compare(b.at) })
		for _, t := range held {
			if err := fn(t.file, nil); err != nil {
				return err
			}
		}
		held = held[:0]
		return nil
	}
	err := walk(ctx, opt, func(f file, err error) error {
		if err != nil {
			return fn(f, err)
		}
		t := timed{file: f}
		if k, ok := logfile.ParseKey(strings.TrimPrefix(f.name, "/")); ok {
			t.at = k.Time
		}
		if held = append(held, t); len(held) < ordered {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}
