package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lochlake/loch/backup"
	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/terminal"
)

type restoreCmd struct {
	Source   string `arg:"" name:"source" help:"Folder of backups, or s3://bucket/prefix."`
	Data     string `help:"The new data folder: not there yet, or empty but for secrets." placeholder:"DIR" type:"path" xor:"what"`
	Point    string `help:"The point to put back. Default: the newest." placeholder:"NAME"`
	Check    bool   `help:"Read every file of the point, compare its SHA-256, and hold the transparency logs against their checkpoints; put nothing back." xor:"what"`
	KeyDir   string `help:"Folder of the secrets. Default: the data folder." placeholder:"DIR" type:"path"`
	StoreURL string `help:"s3://bucket/prefix, where the tables are to lie; there must be none yet. Default: the data folder." env:"LOCH_STORE_URL" placeholder:"URL"`

	S3       s3Flags `embed:"" prefix:"s3-" envprefix:"LOCH_S3_" group:"S3 of --store-url and of SOURCE"`
	SourceS3 s3Flags `embed:"" prefix:"source-s3-" envprefix:"LOCH_SOURCE_S3_" group:"S3 of SOURCE, where it is another"`
}

// Validate refuses what names no folder to put a point into.
func (r *restoreCmd) Validate() error {
	if r.Data == "" && !r.Check {
		return errors.New("say where to: --data DIR, the new data folder; or --check to put nothing back")
	}
	return nil
}

// Run puts a point back, or checks it.
func (r *restoreCmd) Run(ctx context.Context) (err error) {
	if r.SourceS3 == (s3Flags{}) {
		r.SourceS3 = r.S3
	}
	from, err := openBackup(ctx, r.Source, r.SourceS3)
	if err != nil {
		return err
	}
	point, err := backup.Find(ctx, from, r.Point)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Source, err)
	}
	if r.Check {
		return r.check(ctx, from, &point)
	}
	if r.KeyDir == "" {
		r.KeyDir = r.Data
	}
	lock, err := newDataFolder(r.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock()) }()
	objects, err := newLake(ctx, r.StoreURL, r.S3, r.Data)
	if err != nil {
		return err
	}
	bar := terminal.NewProgress(os.Stderr, "restoring")
	err = backup.Restore(ctx, backup.Restoring{From: from, Point: point, Dir: r.Data, KeyDir: r.KeyDir, Objects: objects, Progress: func(done, total, files int64) {
		bar.Set(terminal.State{Files: files, Bytes: done, TotalBytes: total, TotalFiles: int64(len(point.Files)), Unit: "files"})
	}})
	bar.Close()
	if err != nil {
		return fmt.Errorf("%s was not restored; what is there of it is no server's folder: %w", r.Data, err)
	}
	fmt.Printf("restored point %s: %s, %s, %s (%s)\n", point.Name, terminal.Counted(int64(point.Stores), "store"), terminal.Counted(point.Events, "event"),
		terminal.Counted(int64(len(point.Files)), "file"), terminal.Bytes(point.Bytes))
	if objects.URI("") != point.Location {
		fmt.Fprintf(os.Stderr, "Tables name their files by %s, where they were made. The server knows that they lie elsewhere now; other engines do not (docs/backup.md).\n", point.Location)
	}
	return tellKeys(r.KeyDir, point.ProofKey)
}

func (r *restoreCmd) check(ctx context.Context, from objstore.Store, point *backup.Point) error {
	bar := terminal.NewProgress(os.Stderr, "checking")
	problems, err := backup.Check(ctx, from, point, func(done, total, files int64) {
		bar.Set(terminal.State{Files: files, Bytes: done, TotalBytes: total, TotalFiles: int64(len(point.Files)), Unit: "files"})
	})
	bar.Close()
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Println(p)
	}
	if n := len(problems); n > 0 {
		return fmt.Errorf("point %s cannot be restored: %s", point.Name, terminal.Counted(int64(n), "problem"))
	}
	fmt.Printf("point %s: %s (%s), as they were written\n", point.Name, terminal.Counted(int64(len(point.Files)), "file"), terminal.Bytes(point.Bytes))
	return nil
}

// newDataFolder makes and locks a data folder that holds nothing but secrets and what is named.
func newDataFolder(dir string, but ...string) (unlock func() error, err error) {
	if err := backup.EmptyDir(dir, but...); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := disk.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	return lock.Close, nil
}

// newLake opens where tables are to lie.
func newLake(ctx context.Context, storeURL string, s3 s3Flags, dir string) (objstore.Store, error) {
	if storeURL != "" {
		return objstore.Open(ctx, storeURL, s3.config().Store())
	}
	return objstore.OpenLocal(filepath.Join(dir, "lake"))
}

// tellKeys says what a restored server lacks.
func tellKeys(keyDir, proofKey string) error {
	notes, err := backup.KeysMissing(keyDir, proofKey)
	if err != nil {
		return err
	}
	if len(notes) > 0 {
		fmt.Fprintf(os.Stderr, "Before you start the server, put its secrets into %s:\n", keyDir)
	}
	for _, n := range notes {
		fmt.Fprintln(os.Stderr, "  "+n)
	}
	return nil
}
