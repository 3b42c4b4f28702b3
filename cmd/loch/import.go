package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/imports/protocol"
	"github.com/lochlake/loch/imports/streamer"
	"github.com/lochlake/loch/terminal"
)

type importCmd struct {
	Sources      []string `arg:"" name:"source" help:"Files, folders, or s3://bucket/prefix (read by the server, with its own S3 settings)."`
	Store        string   `help:"Import into this store alone (name, ID or ARN). Without it the events enter as live ones: event history, and every store that wants them." placeholder:"NAME"`
	From         string   `help:"Only events from then on: 2026-01-31 or 2026-01-31T10:00:00Z. Keys of other days are not even listed." placeholder:"TIME"`
	To           string   `help:"Only events until then; a day means its end." placeholder:"TIME"`
	BucketRegion string   `help:"Region of the bucket." placeholder:"NAME"`
	JSON         bool     `help:"Print the summary as JSON."`
	remote
}

// Validate refuses times that cannot be read.
func (i *importCmd) Validate() error {
	_, _, err := i.span()
	return err
}

func (i *importCmd) span() (from, to time.Time, err error) {
	if from, err = parseTime(i.From, false); err != nil {
		return from, to, fmt.Errorf("--from: %w", err)
	}
	if to, err = parseTime(i.To, true); err != nil {
		return from, to, fmt.Errorf("--to: %w", err)
	}
	return from, to, nil
}

func (i *importCmd) Run(ctx context.Context) error {
	from, to, err := i.span()
	if err != nil {
		return err
	}
	c, err := i.client(ctx)
	if err != nil {
		return err
	}
	sum, err := importSources(ctx, c, streamer.Options{Store: i.Store, Sources: i.Sources, S3Region: i.BucketRegion, From: from, To: to})
	if err != nil && !errors.Is(err, streamer.ErrStopped) {
		return client.Unreachable(c.Endpoint, err)
	}
	if i.JSON {
		if werr := writeJSON(os.Stdout, jsonSummary{Session: sum.Session, Failures: append([]protocol.Failure{}, sum.Failures...), TookMillis: sum.Took.Milliseconds()}); werr != nil {
			return werr
		}
	} else {
		printSummary(os.Stdout, sum)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "loch: stopped; the same command goes on where it stood")
		return errPartly
	case sum.Failed > 0:
		return errPartly
	}
	return nil
}

// jsonSummary is what --json prints.
type jsonSummary struct {
	protocol.Session
	Failures   []protocol.Failure
	TookMillis int64
}

// importSources imports what lies here and what lies in S3, each by its way, with one progress bar.
func importSources(ctx context.Context, c *client.Client, opt streamer.Options) (streamer.Summary, error) {
	cfg := streamer.Config{Endpoint: c.Endpoint, Region: c.Region, Credentials: c.Credentials}
	var local, remote []string
	for _, s := range opt.Sources {
		if strings.HasPrefix(s, "s3://") {
			remote = append(remote, s)
		} else {
			local = append(local, s)
		}
	}
	bar := terminal.NewProgress(os.Stderr, "import")
	defer bar.Close()
	opt.Progress = func(p streamer.Progress) {
		bar.Set(terminal.State{Events: p.Events, Files: p.Files, Bytes: p.Bytes, TotalFiles: p.FilesFound, TotalBytes: p.BytesFound})
	}
	var all streamer.Summary
	add := func(s streamer.Summary) {
		if all.ImportID == "" {
			all = s
			return
		}
		all.Status, all.Took = s.Status, all.Took+s.Took
		all.Files, all.FilesKnown, all.Bytes, all.Failed = all.Files+s.Files, all.FilesKnown+s.FilesKnown, all.Bytes+s.Bytes, all.Failed+s.Failed
		all.Failures = append(all.Failures, s.Failures...)
		a, b := &all.Counts, s.Counts
		a.Read, a.Stored, a.Known, a.Filtered, a.Expired, a.Bad = a.Read+b.Read, a.Stored+b.Stored, a.Known+b.Known, a.Filtered+b.Filtered, a.Expired+b.Expired, a.Bad+b.Bad
		a.Foreign, a.Conflict = a.Foreign+b.Foreign, a.Conflict+b.Conflict
	}
	if len(local) > 0 {
		opt.Sources = local
		s, err := streamer.Run(ctx, cfg, opt)
		add(s)
		if err != nil {
			return all, err
		}
	}
	for _, r := range remote {
		opt.Sources = []string{r}
		s, err := streamer.RunS3(ctx, cfg, opt)
		add(s)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// printSummary tells what became of everything that was read. The counts add up.
func printSummary(w io.Writer, s streamer.Summary) {
	n, of := terminal.Count, terminal.Counted
	c := s.Counts
	took := ""
	if s.Took > 0 {
		took = " in " + s.Took.Round(time.Millisecond).String()
	}
	if s.Took > 0 && c.Read > 0 {
		took += fmt.Sprintf(", %s events/s", n(int64(float64(c.Read)/s.Took.Seconds())))
	}
	fmt.Fprintf(w, "%s: %s (%s)%s\n", strings.ToLower(s.Status), of(s.Files, "file"), terminal.Bytes(s.Bytes), took)
	if s.FilesKnown > 0 {
		fmt.Fprintf(w, "%s imported before and skipped\n", of(s.FilesKnown, "file"))
	}
	fmt.Fprintf(w, "%s read = %s stored + %s known already + %s filtered by selectors + %s past retention + %s bad\n", of(c.Read, "event"), n(c.Stored), n(c.Known), n(c.Filtered), n(c.Expired), n(c.Bad))
	if c.Read > 0 && c.Stored == 0 || c.Read == 0 && s.FilesKnown > 0 {
		fmt.Fprintln(w, "nothing new was added")
	}
	if c.Foreign > 0 {
		fmt.Fprintf(w, "%s came from another account or region than the store's; they count like any other\n", of(c.Foreign, "event"))
	}
	if c.Conflict > 0 {
		fmt.Fprintf(w, "%s stored under an identity that was known with another text: look at rows where _conflict is true\n", of(c.Conflict, "event"))
	}
	if s.Failed == 0 {
		return
	}
	fmt.Fprintf(w, "%s:\n", of(s.Failed, "failure"))
	const shown = 20
	for i, f := range s.Failures {
		if i == shown {
			ask := "`loch import` into a server keeps them all"
			if s.ImportID != "" {
				ask = "aws cloudtrail list-import-failures --import-id " + s.ImportID
			}
			fmt.Fprintf(w, "  … and %s more: %s\n", n(s.Failed-shown), ask)
			break
		}
		at := ""
		if f.Offset >= 0 {
			at = fmt.Sprintf(" at offset %d", f.Offset)
		}
		fmt.Fprintf(w, "  %s%s: %s: %s\n", f.Location, at, f.Type, f.Message)
	}
}

func parseTime(s string, end bool) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		if end {
			t = t.Add(24*time.Hour - time.Millisecond)
		}
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("%q is no time such as 2026-01-31 or 2026-01-31T10:00:00Z", s)
	}
	return t, nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
