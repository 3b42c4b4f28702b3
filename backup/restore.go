package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// Find gives a backup's point of a name; "": the newest.
func Find(ctx context.Context, from objstore.Store, name string) (Point, error) {
	if name != "" {
		p, err := readPoint(ctx, from, name)
		if errors.Is(err, objstore.ErrNotExist) {
			return p, fmt.Errorf("there is no finished point %s: %w", name, err)
		}
		return p, err
	}
	points, _, err := Points(ctx, from)
	if err != nil {
		return Point{}, err
	}
	if len(points) == 0 {
		return Point{}, errors.New("there is no finished point in it")
	}
	return points[len(points)-1], nil
}

// Restoring says what is put back, and where.
type Restoring struct {
	From    objstore.Store
	Point   Point
	Dir     string         // the data folder; it must be empty, but for secrets, or missing
	KeyDir  string         // of the secrets; "": Dir
	Objects objstore.Store // of the lake; it must have no table and no log
	// Progress is called now and then, by one goroutine at a time.
	Progress func(done, total, files int64)
}

// Check reads every file of a point, compares its SHA-256, and holds the transparency logs against their checkpoints. It gives what is wrong, a line for each file or log.
func Check(ctx context.Context, from objstore.Store, p *Point, progress func(done, total, files int64)) (problems []string, err error) {
	var mu sync.Mutex
	var logs pointLogs
	err = each(ctx, p, progress, func(ctx context.Context, f *File) error {
		in, err := logs.open(ctx, from, f)
		if err == nil {
			_, err = io.Copy(io.Discard, in)
			err = errors.Join(err, in.Close())
		}
		if errors.Is(err, ErrDamaged) {
			mu.Lock()
			defer mu.Unlock()
			problems = append(problems, err.Error())
			return nil
		}
		return err
	})
	if err != nil {
		return problems, err
	}
	for _, err := range logs.problems(p) {
		problems = append(problems, err.Error())
	}
	slices.Sort(problems)
	return problems, nil
}

// Restore puts a point back. Every file's SHA-256 is checked before it gets its name, and the transparency logs are held against their checkpoints before the metadata gets its.
func Restore(ctx context.Context, r Restoring) error {
	if r.KeyDir == "" {
		r.KeyDir = r.Dir
	}
	if err := EmptyLake(ctx, r.Objects); err != nil {
		return err
	}
	// Metadata last: a folder without it is no server's.
	var last []*File
	var logs pointLogs
	err := each(ctx, &r.Point, r.Progress, func(ctx context.Context, f *File) error {
		if key, ok := strings.CutPrefix(f.Path, lakePrefix); ok {
			in, err := logs.open(ctx, r.From, f)
			if err != nil {
				return err
			}
			return errors.Join(r.Objects.Put(ctx, key, in, f.Size, true), in.Close())
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := errors.Join(logs.problems(&r.Point)...); err != nil {
		return err
	}
	for i := range r.Point.Files {
		f := &r.Point.Files[i]
		name, secret := strings.CutPrefix(f.Path, "keys/")
		switch {
		case strings.HasPrefix(f.Path, lakePrefix):
		case f.Path == metaFile:
			last = append(last, f)
		case secret && !slices.Contains(Secrets, name), !secret && (!strings.HasPrefix(f.Path, "wal/") || !filepath.IsLocal(f.Path)):
			return fmt.Errorf("%w: a file %q has no place in a data folder", ErrDamaged, f.Path)
		case secret:
			err = r.secret(ctx, f, name)
		default:
			err = r.local(ctx, f, filepath.Join(r.Dir, filepath.FromSlash(f.Path)))
		}
		if err != nil {
			return err
		}
	}
	if len(last) != 1 {
		return fmt.Errorf("%w: point %s has no metadata", ErrDamaged, r.Point.Name)
	}
	aside := filepath.Join(r.Dir, metaFile+".new")
	if err := r.local(ctx, last[0], aside); err != nil {
		return err
	}
	if err := r.settle(ctx, aside); err != nil {
		return err
	}
	return commitMeta(r.Dir, aside)
}

// commitMeta gives finished metadata its name.
func commitMeta(dir, aside string) error {
	f, err := os.OpenFile(aside, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(aside, filepath.Join(dir, metaFile)); err != nil {
		return err
	}
	return disk.OS.SyncDir(dir)
}

// settle tells the metadata where the lake lies now. What comes in from now on is another writer's: batches are named by writer, epoch and sequence, and the server that the
// point was made of may have gone on with these numbers.
func (r *Restoring) settle(ctx context.Context, path string) error {
	db, err := meta.OpenSQLite(ctx, path)
	if err != nil {
		return err
	}
	err = errors.Join(lake.Moved(ctx, r.Objects, db, r.Point.Location), ingest.SetWriter(ctx, db, uuid.NewString()))
	return errors.Join(err, db.Close())
}

// EmptyLake refuses a place that has tables, logs or copies of metadata.
func EmptyLake(ctx context.Context, objects objstore.Store) error {
	errThere := errors.New("there")
	for _, prefix := range []string{"tables/", "logs/", copiesPrefix} {
		err := objects.List(ctx, prefix, "", func(o objstore.Object) error { return fmt.Errorf("%w: %s", errThere, o.Key) })
		if errors.Is(err, errThere) {
			return fmt.Errorf("%s holds a lake already (%w): nothing is put over it", strings.TrimSuffix(objects.URI(""), "/"), err)
		}
		if err != nil && !errors.Is(err, objstore.ErrNotExist) {
			return err
		}
	}
	return nil
}

// EmptyDir refuses a data folder that holds anything but secrets and what is named. A missing one is empty.
func EmptyDir(dir string, but ...string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); name != "lock" && name != "lost+found" && !slices.Contains(Secrets, name) && !slices.Contains(but, name) {
			return fmt.Errorf("%s is not empty: it holds %s. Name a folder that is empty, but for secrets, or not there yet", dir, name)
		}
	}
	return nil
}

// secret puts one back; where there is another of that name, it stays, unless the logs could not go on with it.
func (r *Restoring) secret(ctx context.Context, f *File, name string) error {
	in, err := open(ctx, r.From, f)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	have, err := access.ReadSecret(r.KeyDir, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return access.WriteSecret(r.KeyDir, name, text)
	case err != nil:
		return err
	case name == proofKeyFile && string(have) != string(text):
		return fmt.Errorf("%s holds another %s than the point: the logs could not go on with it", r.KeyDir, name)
	}
	return nil
}

// local writes a file of the data folder, durably.
func (r *Restoring) local(ctx context.Context, f *File, path string) (err error) {
	in, err := open(ctx, r.From, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return disk.OS.SyncDir(filepath.Dir(path))
}

// each does something for all files of a point, some at once.
func each(ctx context.Context, p *Point, progress func(done, total, files int64), fn func(context.Context, *File) error) error {
	var mu sync.Mutex
	var done, files int64
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range p.Files {
		f := &p.Files[i]
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := fn(gctx, f); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			done += f.Size
			if files++; progress != nil {
				progress(done, p.Bytes, files)
			}
			return nil
		})
	}
	return g.Wait()
}

// open reads a point's file. Its end comes only where size and SHA-256 are right; else ErrDamaged does, naming the file.
func open(ctx context.Context, from objstore.Store, f *File) (io.ReadCloser, error) {
	in, err := from.Get(ctx, f.Object, 0, -1)
	if errors.Is(err, objstore.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing", ErrDamaged, f.Object)
	}
	if err != nil {
		return nil, err
	}
	return &checked{in: in, file: f, sum: sha256.New()}, nil
}

// checked is a file that is compared while it is read.
type checked struct {
	in   io.ReadCloser
	file *File
	sum  hash.Hash
	n    int64
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	c.sum.Write(p[:n])
	if c.n > c.file.Size {
		return 0, fmt.Errorf("%w: %s has more than the %d bytes that were written", ErrDamaged, c.file.Object, c.file.Size)
	}
	if err != io.EOF {
		return n, err
	}
	if got := digest(c.sum); c.n != c.file.Size || got != c.file.SHA256 {
		return 0, fmt.Errorf("%w: %s has %d bytes with SHA-256 %s, and was written with %d and %s", ErrDamaged, c.file.Object, c.n, got, c.file.Size, c.file.SHA256)
	}
	return n, io.EOF
}

func (c *checked) Close() error { return c.in.Close() }

// KeysMissing tells which secrets a restored server lacks: for each what it costs. key is the public half that the logs are signed by, "" where it is not known.
func KeysMissing(keyDir, key string) (notes []string, err error) {
	seed, err := access.ReadSecret(keyDir, proofKeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		notes = append(notes, "proof.key is missing: the transparency logs take no more leaves without it, and the server does not start. They are signed by "+orUnknown(key))
	case err != nil:
		return nil, err
	case len(seed) != proof.SeedSize:
		return nil, fmt.Errorf("%s has %d bytes, not %d", filepath.Join(keyDir, proofKeyFile), len(seed), proof.SeedSize)
	case key != "" && proof.NewKey(seed).Public().String() != key:
		notes = append(notes, "proof.key is another one than that which the transparency logs are signed by, "+key)
	}
	for _, s := range [][2]string{{access.CredentialsFile, "a new root key is made, and clients need that"}, {"token.key", "paging tokens and the catalog's bearer tokens of before are refused"},
		{"signing.key", "query results that were delivered before, if any were, no longer verify by the server's keys"}} {
		if _, err := os.Stat(filepath.Join(keyDir, s[0])); errors.Is(err, fs.ErrNotExist) {
			notes = append(notes, s[0]+" is missing: "+s[1])
		}
	}
	return notes, nil
}

func orUnknown(key string) string {
	if key == "" {
		return "a key that the point does not name"
	}
	return key
}
