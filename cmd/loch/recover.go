package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lochlake/loch/backup"
	"github.com/lochlake/loch/terminal"
)

type recoverCmd struct {
	StoreURL string  `help:"s3://bucket/prefix, where the tables of the lost server lie. Default: the data folder, which lost its metadata alone." env:"LOCH_STORE_URL" placeholder:"URL"`
	Data     string  `help:"The new data folder: not there yet, or empty but for secrets; or one that lost its metadata alone." required:"" placeholder:"DIR" type:"path"`
	KeyDir   string  `help:"Folder of the lost server's secrets; proof.key must be in it. Default: the data folder." placeholder:"DIR" type:"path"`
	JSON     bool    `help:"Print the result as JSON."`
	S3       s3Flags `embed:"" prefix:"s3-" envprefix:"LOCH_S3_" group:"S3 of --store-url"`
}

// Run makes the folder.
func (r *recoverCmd) Run(ctx context.Context) (err error) {
	if r.KeyDir == "" {
		r.KeyDir = r.Data
	}
	left := backup.Survivors
	if r.StoreURL == "" {
		left = append([]string{"lake"}, left...)
		if _, err := os.Stat(filepath.Join(r.Data, "lake")); err != nil {
			return fmt.Errorf("there is nothing to recover from: name the bucket with --store-url, or a data folder whose tables are there (%w)", err)
		}
	}
	unlock, err := newDataFolder(r.Data, left...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	objects, err := newLake(ctx, r.StoreURL, r.S3, r.Data)
	if err != nil {
		return err
	}
	bar := terminal.NewProgress(os.Stderr, "recovering")
	found, err := backup.Recover(ctx, backup.Recovering{Objects: objects, Dir: r.Data, KeyDir: r.KeyDir, Progress: func(done, total int) {
		bar.Set(terminal.State{Files: int64(done), TotalFiles: int64(total), Unit: "stores"})
	}})
	bar.Close()
	if err != nil {
		return fmt.Errorf("%s was not recovered: %w", r.Data, err)
	}
	if r.JSON {
		found.Rebuilt, found.Notes = append([]string{}, found.Rebuilt...), append([]string{}, found.Notes...)
		return writeJSON(os.Stdout, found)
	}
	from := "tables and logs alone"
	if !found.Copied.IsZero() {
		from = "the metadata as it was copied at " + found.Copied.UTC().Format("2006-01-02 15:04:05Z") + ", brought up to tables and logs"
	}
	fmt.Printf("recovered %s from %s; %s that the logs did not tell of yet\n", terminal.Counted(int64(found.Stores), "store"), from, terminal.Counted(found.Unlogged, "event"))
	for _, n := range found.Notes {
		fmt.Fprintln(os.Stderr, "note: "+n)
	}
	if found.Log {
		fmt.Fprintln(os.Stderr, "The durable log is there: the next start replays what had been accepted and is in no table.")
		return tellKeys(r.KeyDir, "")
	}
	fmt.Fprintln(os.Stderr, "What had been accepted in the last seconds and was not yet committed was lost with the disk: senders that can, send it again; what is there is stored once.")
	return tellKeys(r.KeyDir, "")
}
