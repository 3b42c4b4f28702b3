package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/backup"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/terminal"
)

type backupCmd struct {
	Dest     string `arg:"" name:"dest" help:"Folder of backups, or s3://bucket/prefix. It may hold many points; what they have in common lies there once."`
	Data     string `help:"The data folder of the server, which may run or not." placeholder:"DIR" type:"path" xor:"what"`
	KeyDir   string `help:"Folder of the server's secrets. Default: the data folder." placeholder:"DIR" type:"path"`
	StoreURL string `help:"s3://bucket/prefix, where the server's tables lie. Default: the data folder." env:"LOCH_STORE_URL" placeholder:"URL"`
	WithKeys bool   `help:"Copy the secrets too: the root key and the keys that sign. Who can read the backup can then act and sign for the server. Without it, keep them elsewhere: a server cannot go on without proof.key."`
	Name     string `help:"Name of the new point. Default: its time." placeholder:"NAME"`
	List     bool   `help:"List the points and make none." xor:"what"`
	Keep     int    `help:"Afterwards, remove all points but the newest N, and the files that none of them names. Without --data no point is made." placeholder:"N"`
	JSON     bool   `help:"Print the result as JSON."`

	S3     s3Flags `embed:"" prefix:"s3-" envprefix:"LOCH_S3_" group:"S3 of --store-url and of DEST"`
	DestS3 s3Flags `embed:"" prefix:"dest-s3-" envprefix:"LOCH_DEST_S3_" group:"S3 of DEST, where it is another"`
}

// Validate refuses what names nothing to do.
func (b *backupCmd) Validate() error {
	switch {
	case b.Keep < 0:
		return errors.New("--keep wants the number of points to keep")
	case b.List && b.Keep > 0:
		return errors.New("--list changes nothing: --keep cannot go with it")
	case b.Data == "" && b.Keep == 0 && !b.List:
		return errors.New("say of which server: --data DIR, its data folder; or --list for the points there are; or --keep N, at least 1, to remove old ones")
	}
	return nil
}

// Run makes a point, or lists those there are.
func (b *backupCmd) Run(ctx context.Context) (err error) {
	if b.DestS3 == (s3Flags{}) {
		b.DestS3 = b.S3
	}
	if b.List {
		to, err := openBackup(ctx, b.Dest, b.DestS3)
		if err != nil {
			return err
		}
		return b.list(ctx, to)
	}
	if b.Data == "" {
		if _, err := openBackup(ctx, b.Dest, b.DestS3); err != nil { // it is not made
			return err
		}
		to, unlock, err := b.target(ctx)
		if err != nil {
			return err
		}
		return errors.Join(b.prune(ctx, to), unlock())
	}
	if _, err := os.Stat(filepath.Join(b.Data, "meta.db")); err != nil {
		return fmt.Errorf("%s is no data folder of a server: %w", b.Data, err)
	}
	if b.KeyDir == "" {
		b.KeyDir = b.Data
	}
	to, unlock, err := b.target(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := b.make(ctx, to); err != nil || b.Keep == 0 {
		return err
	}
	return b.prune(ctx, to)
}

// prune removes old points.
func (b *backupCmd) prune(ctx context.Context, to objstore.Store) error {
	gone, err := backup.Prune(ctx, to, b.Keep)
	if err != nil {
		return err
	}
	if b.JSON && b.Data == "" {
		gone.Points = append([]string{}, gone.Points...)
		return writeJSON(os.Stdout, gone)
	}
	if !b.JSON {
		fmt.Printf("removed: %s, %s (%s)\n", terminal.Counted(int64(len(gone.Points)), "point"), terminal.Counted(gone.Files, "file"), terminal.Bytes(gone.Bytes))
	}
	return nil
}

// make makes a point, of a server that runs or does not.
func (b *backupCmd) make(ctx context.Context, to objstore.Store) (err error) {
	lock, err := disk.Lock(filepath.Join(b.Data, "lock"))
	if errors.Is(err, disk.ErrLocked) {
		return b.running(ctx, to)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return b.stopped(ctx, to)
}

// target opens the place of the backups. One backup at a time may write to a folder.
func (b *backupCmd) target(ctx context.Context) (objstore.Store, func() error, error) {
	none := func() error { return nil }
	if strings.HasPrefix(b.Dest, "s3://") {
		if b.StoreURL != "" && strings.HasPrefix(strings.TrimSuffix(b.Dest, "/")+"/", strings.TrimSuffix(b.StoreURL, "/")+"/") {
			return nil, none, fmt.Errorf("%s lies within %s, where the tables are: a backup belongs elsewhere", b.Dest, b.StoreURL)
		}
		to, err := objstore.Open(ctx, b.Dest, b.DestS3.config().Store())
		return to, none, err
	}
	folder, err := filepath.Abs(b.Dest)
	if err != nil {
		return nil, none, err
	}
	if err := backup.Target(folder, b.Data); err != nil {
		return nil, none, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, none, err
	}
	lock, err := disk.Lock(filepath.Join(folder, "lock"))
	if err != nil {
		return nil, none, fmt.Errorf("another backup is being made there: %w", err)
	}
	to, err := objstore.OpenLocal(folder)
	if err != nil {
		return nil, none, errors.Join(err, lock.Close())
	}
	return to, lock.Close, nil
}

// openBackup opens a place of backups for reading.
func openBackup(ctx context.Context, at string, s3 s3Flags) (objstore.Store, error) {
	if strings.HasPrefix(at, "s3://") {
		return objstore.Open(ctx, at, s3.config().Store())
	}
	if info, err := os.Stat(at); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", at)
	}
	return objstore.ReadLocal(at)
}

// lakeOf opens the server's lake for reading.
func (b *backupCmd) lakeOf(ctx context.Context, db meta.DB) (objects objstore.Store, err error) {
	if b.StoreURL != "" {
		objects, err = objstore.Open(ctx, b.StoreURL, b.S3.config().Store())
	} else {
		objects, err = objstore.ReadLocal(filepath.Join(b.Data, "lake"))
	}
	if err != nil {
		return nil, err
	}
	return objects, lake.Locate(ctx, objects, db)
}

// stopped makes a point of the folder itself, which is locked.
func (b *backupCmd) stopped(ctx context.Context, to objstore.Store) (err error) {
	db, err := meta.OpenSQLite(ctx, filepath.Join(b.Data, "meta.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	objects, err := b.lakeOf(ctx, db)
	if err != nil {
		return err
	}
	rooms, closeRooms, err := backup.Stopped(ctx, b.Data, db, objects)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeRooms()) }()
	dir := filepath.Join(b.Data, "backup")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	frozen := filepath.Join(dir, "stopped")
	release, err := rooms.Freeze(ctx, frozen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release(context.WithoutCancel(ctx))) }()
	return b.copy(ctx, frozen, objects, to)
}

// running has the server freeze its state, and copies that.
func (b *backupCmd) running(ctx context.Context, to objstore.Store) (err error) {
	address, err := os.ReadFile(filepath.Join(b.Data, backup.AddressFile))
	if err != nil {
		return fmt.Errorf("a server runs on %s and does not say where it answers: %w", b.Data, err)
	}
	key, err := access.ReadCredentials(b.KeyDir)
	if err != nil {
		return fmt.Errorf("%w (a backup of a running server needs its root key: name its folder with --key-dir)", err)
	}
	c, err := client.WithCredentials(strings.TrimSpace(string(address)), "us-east-1", credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""))
	if err != nil {
		return err
	}
	var lease backup.Lease
	if err := c.Freeze(ctx, &lease); err != nil {
		return err
	}
	lost, stop := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { renew(lost, stop, c, lease.ID) })
	defer func() {
		stop(nil)
		renewing.Wait()
		err = errors.Join(err, c.Thaw(context.WithoutCancel(ctx), lease.ID))
	}()
	db, err := meta.OpenSQLite(ctx, filepath.Join(lease.Dir, "meta.db"))
	if err != nil {
		return fmt.Errorf("the server keeps its state for the backup in %s: %w", lease.Dir, err)
	}
	objects, err := b.lakeOf(ctx, db)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	err = b.copy(lost, lease.Dir, objects, to)
	if cause := context.Cause(lost); err != nil && cause != nil && ctx.Err() == nil {
		err = cause
	}
	return err
}

// renew keeps the server's state frozen until ctx ends, and ends it by stop where the server does not.
func renew(ctx context.Context, stop context.CancelCauseFunc, c *client.Client, id string) {
	tick := time.NewTicker(backup.LeaseTime / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := c.Renew(ctx, id); err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("the server no longer holds its state for the backup: %w", err))
				return
			}
		}
	}
}

func (b *backupCmd) copy(ctx context.Context, frozen string, objects, to objstore.Store) error {
	bar := terminal.NewProgress(os.Stderr, "copying")
	res, err := backup.Run(ctx, backup.Options{Frozen: frozen, Objects: objects, To: to, Name: b.Name, KeyDir: b.KeyDir, Keys: b.WithKeys, Progress: func(done, total, files int64) {
		bar.Set(terminal.State{Files: files, Bytes: done, TotalBytes: total, Unit: "files copied"})
	}})
	bar.Close()
	if err != nil {
		return err
	}
	if b.JSON {
		files := int64(len(res.Files))
		res.Files = nil
		return writeJSON(os.Stdout, struct {
			backup.Result
			Count int64 `json:"fileCount"`
		}{res, files})
	}
	fmt.Printf("point %s: %s, %s, %s (%s); copied now: %s (%s)\n", res.Name, terminal.Counted(int64(res.Stores), "store"), terminal.Counted(res.Events, "event"),
		terminal.Counted(int64(len(res.Files)), "file"), terminal.Bytes(res.Bytes), terminal.Counted(res.NewFiles, "file"), terminal.Bytes(res.NewBytes))
	for _, key := range res.Missing {
		fmt.Fprintf(os.Stderr, "%s, of a day that was removed and is on hold, is not where the tables lie any more, and so not in the point.\n", key)
	}
	if !res.Keys {
		fmt.Fprintln(os.Stderr, "The secrets are not in it (--with-keys): keep them elsewhere. A restored server needs proof.key to go on, and credentials for its clients.")
	}
	return nil
}

func (b *backupCmd) list(ctx context.Context, from objstore.Store) error {
	points, unfinished, err := backup.Points(ctx, from)
	if err != nil {
		return err
	}
	if b.JSON {
		for i := range points {
			points[i].Files = nil
		}
		return writeJSON(os.Stdout, struct {
			Points     []backup.Point `json:"points"`
			Unfinished []string       `json:"unfinished"`
		}{append([]backup.Point{}, points...), append([]string{}, unfinished...)})
	}
	for _, p := range points {
		keys := ""
		if p.Keys {
			keys = ", with the secrets"
		}
		fmt.Printf("%s  %s, %s, %s (%s)%s\n", p.Name, terminal.Counted(int64(p.Stores), "store"), terminal.Counted(p.Events, "event"), terminal.Counted(int64(len(p.Files)), "file"), terminal.Bytes(p.Bytes), keys)
	}
	for _, name := range unfinished {
		fmt.Printf("%s  not finished\n", name)
	}
	return nil
}
