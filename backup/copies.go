package backup

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// Beside tables and logs in a bucket lie copies of the metadata, so that what neither of them tells (names, channels, tags, what was imported) outlives the disk. A copy holds no
// secret but what the bucket has anyway. It is taken first, and put there when all that was accepted before is committed and told by the logs: so its ledger of imported
// objects names none whose events are lost with the disk, and tables and logs in the bucket are never behind it.

// copiesPrefix is where copies lie in the object store: metadata/<number>-<SHA-256 of the object>.db.zst.
const copiesPrefix = "metadata/"

const (
	copiesKept  = 3
	copyEvery   = time.Minute      // at most, while anything changes
	copySoon    = time.Second      // after a change of what a user set
	copyShare   = 20               // copies may take one part of so many of the time
	soonShare   = 4                // and after a change of what a user set, of so many
	copyAgain   = 10 * time.Second // after a failure
	copyAlarm   = 5 * time.Minute  // of failures
	copyPatient = 30 * time.Second // for what was accepted to be committed
)

// CopiesConfig is what Copies are made of.
type CopiesConfig struct {
	Meta    meta.DB
	Objects objstore.Store
	// Flush returns when all that was accepted before is committed, and told by the transparency logs.
	Flush      func(ctx context.Context) error
	Wake       <-chan struct{} // told when a user changed something: it is copied soon
	Dir        string          // of copies that are being made; it is emptied
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Copies keeps copies of the metadata in the object store up to date.
type Copies struct {
	cfg     CopiesConfig
	next    int64
	commits int64 // of the metadata, when it was copied last; -1: never
	told    string
	took    time.Duration // by the last copy, waiting for what was accepted not counted
	failing atomic.Int64  // since when, in nanoseconds since the Unix epoch; 0: the last try was good
	age     prometheus.Gauge
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// OpenCopies starts to keep copies.
func OpenCopies(ctx context.Context, cfg CopiesConfig) (*Copies, error) {
	if err := errors.Join(os.RemoveAll(cfg.Dir), os.MkdirAll(cfg.Dir, 0o700)); err != nil {
		return nil, err
	}
	c := &Copies{cfg: cfg, commits: -1}
	c.age = newAge(cfg.Registerer)
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.done.Go(func() { c.run(run) })
	return c, nil
}

func newAge(r prometheus.Registerer) prometheus.Gauge {
	return promauto.With(r).NewGauge(prometheus.GaugeOpts{Name: "loch_metadata_copied_timestamp_seconds", Help: "When the metadata was last copied to the object store; 0: not since the start."})
}

func (c *Copies) run(ctx context.Context) {
	for wait := copySoon; ; {
		soon := max(copySoon, c.took*soonShare)
		begun := time.Now()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-c.cfg.Wake:
			timer.Stop()
			select {
			case <-ctx.Done():
				return
			case <-time.After(soon - min(soon, time.Since(begun))):
			}
		}
		err := c.copy(ctx)
		c.tell(ctx, err)
		if wait = max(copyEvery, c.took*copyShare); err != nil {
			wait = copyAgain
		}
	}
}

// tell logs an error when it is new, and its end.
func (c *Copies) tell(ctx context.Context, err error) {
	if ctx.Err() == nil && err == nil {
		c.failing.Store(0)
	} else if ctx.Err() == nil {
		c.failing.CompareAndSwap(0, time.Now().UnixNano())
	}
	switch {
	case ctx.Err() != nil:
	case err == nil && c.told != "":
		c.told = ""
		c.cfg.Log.Info("the metadata is copied to the object store again")
	case err != nil && err.Error() != c.told:
		c.told = err.Error()
		c.cfg.Log.Error("the metadata was not copied to the object store; it is tried again", "error", err)
	}
}

// Failing tells whether every try to copy has failed for five minutes: what users set since the last copy would be lost with the disk.
func (c *Copies) Failing() bool {
	since := c.failing.Load()
	return since != 0 && time.Since(time.Unix(0, since)) >= copyAlarm
}

// copy makes a copy, if anything has changed since the last.
func (c *Copies) copy(ctx context.Context) (err error) {
	commits := c.cfg.Meta.Commits()
	if commits == c.commits {
		return nil
	}
	if c.next == 0 {
		all, err := listCopies(ctx, c.cfg.Objects)
		if err != nil {
			return err
		}
		for _, o := range all {
			c.next = max(c.next, o.number)
		}
		c.next++
	}
	path := filepath.Join(c.cfg.Dir, metaFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	begun := time.Now()
	if err := c.cfg.Meta.CopyTo(ctx, path); err != nil {
		return err
	}
	c.took = time.Since(begun)
	patient, cancel := context.WithTimeout(ctx, copyPatient)
	err = c.cfg.Flush(patient)
	cancel()
	if err != nil {
		return fmt.Errorf("what was accepted is not committed yet: %w", err)
	}
	begun = time.Now()
	body, err := pack(path)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	key := fmt.Sprintf("%s%020d-%s.db.zst", copiesPrefix, c.next, hex.EncodeToString(sum[:]))
	if err := c.cfg.Objects.Put(ctx, key, bytes.NewReader(body), int64(len(body)), true); err != nil {
		c.next = 0 // it may be there although its answer was lost, and then the name is taken: the next try looks
		return err
	}
	c.took += time.Since(begun)
	c.next++
	c.commits = commits
	c.age.SetToCurrentTime()
	return errors.Join(c.forget(ctx), os.Remove(path))
}

// forget removes all copies but the newest.
func (c *Copies) forget(ctx context.Context) error {
	all, err := listCopies(ctx, c.cfg.Objects)
	if err != nil {
		return err
	}
	for _, o := range all[:max(0, len(all)-copiesKept)] {
		if err := c.cfg.Objects.Delete(ctx, o.key); err != nil {
			return err
		}
	}
	return nil
}

// Close makes a last copy, until ctx ends, and stops.
func (c *Copies) Close(ctx context.Context) error {
	c.stop()
	c.done.Wait()
	// The copy that the stop cut short, if there was one, told nothing of its end: so this one tells of both.
	err := c.copy(ctx)
	if err == nil {
		c.failing.Store(0)
		return nil
	}
	c.cfg.Log.Warn("the metadata was not copied to the object store at the end", "error", err)
	return nil
}

func pack(path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, in); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	err = w.Close() // before the bytes are all there
	return out.Bytes(), err
}

// copyObject is a copy of the metadata.
type copyObject struct {
	key      string
	number   int64
	sum      string
	modified time.Time
}

var copyName = regexp.MustCompile(`\A([0-9]{20})-([0-9a-f]{64})\.db\.zst\z`)

// listCopies gives the copies, the oldest first.
func listCopies(ctx context.Context, from objstore.Store) (all []copyObject, err error) {
	err = from.List(ctx, copiesPrefix, "", func(o objstore.Object) error {
		m := copyName.FindStringSubmatch(strings.TrimPrefix(o.Key, copiesPrefix))
		if m == nil {
			return nil
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err == nil {
			all = append(all, copyObject{o.Key, n, m[2], o.Modified})
		}
		return nil
	})
	if errors.Is(err, objstore.ErrNotExist) {
		err = nil
	}
	slices.SortFunc(all, func(a, b copyObject) int { return cmp.Compare(a.number, b.number) })
	return all, err
}

// read writes the metadata of a copy to a new file. A copy that is not the one that was made is ErrDamaged.
func (o *copyObject) read(ctx context.Context, from objstore.Store, to string) error {
	body, err := readAll(ctx, from, o.key)
	if errors.Is(err, objstore.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrDamaged, o.key)
	}
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != o.sum {
		return fmt.Errorf("%w: %s does not have the SHA-256 that it names", ErrDamaged, o.key)
	}
	r, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, o.key, err)
	}
	defer r.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	return errors.Join(err, out.Sync(), out.Close())
}
