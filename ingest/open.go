package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/identity"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/wal"
)

// Keys of meta.Value.
const (
	writerKey = "ingest.writer" // this server's identity as a writer of tables, a UUID made once
	epochKey  = "ingest.epoch"  // raised at every start
)

// Ingest is the pipeline. Its methods may be called from many goroutines.
type Ingest struct {
	cfg     Config
	slog    *slog.Logger
	metrics *metrics
	log     *wal.Log
	writer  string
	epoch   int64
	room    *semaphore.Weighted // bytes of batches
	held    atomic.Int64        // bytes that are taken of room
	bulk    *semaphore.Weighted // of those, bytes of batches whose callers wait for room
	writers *semaphore.Weighted // chunks being written
	merging chan struct{}       // identity merges
	stalled stalls

	ctx    context.Context // of all goroutines; ended by Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	closing    atomic.Bool
	replayed   chan struct{} // closed when the replay has ended, with replayErr
	replayErr  error
	dispatched atomic.Int64 // every record up to it was given to its stores
	flushing   atomic.Int32 // calls of Flush that wait
	waiting    atomic.Int32 // deliveries that wait for room
	sealed     atomic.Int32 // chunks that are being written or wait for a writer

	mu       sync.Mutex
	stores   map[string]*store
	progress chan struct{} // closed and replaced when something was committed or released
}

// Open opens log and indexes and begins to bring what the log holds to the tables. It returns before that is through: Accept waits for it. Where
// another process has the folder it fails with disk.ErrLocked.
func Open(ctx context.Context, cfg Config) (*Ingest, error) {
	cfg.Memory = cmp.Or(cfg.Memory, 192<<20)
	cfg.ChunkRows = cmp.Or(cfg.ChunkRows, 16384)
	cfg.ChunkBytes = cmp.Or(cfg.ChunkBytes, cfg.Memory/4)
	cfg.ChunkDelay = cmp.Or(cfg.ChunkDelay, 2*time.Second)
	cfg.Writers = cmp.Or(cfg.Writers, runtime.GOMAXPROCS(0))
	cfg.Backoff = cmp.Or(cfg.Backoff, 100*time.Millisecond)
	if cfg.FS == nil {
		cfg.FS = disk.OS
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Believed == nil {
		cfg.Believed = cfg.Now
	}
	if cfg.Sound == nil {
		cfg.Sound = func() error { return nil }
	}
	in := &Ingest{
		cfg: cfg, slog: cmp.Or(cfg.Logger, slog.Default()), metrics: newMetrics(cfg.Registerer),
		room: semaphore.NewWeighted(cfg.Memory), writers: semaphore.NewWeighted(int64(cfg.Writers)), merging: make(chan struct{}, 1),
		replayed: make(chan struct{}), stores: map[string]*store{}, progress: make(chan struct{}),
	}
	in.bulk = semaphore.NewWeighted(in.bulkSize())
	if err := in.begin(ctx); err != nil {
		return nil, fmt.Errorf("open ingest: %w", err)
	}
	tables, err := cfg.Meta.Tables(ctx)
	if err != nil {
		return nil, fmt.Errorf("open ingest: %w", err)
	}
	known := make(map[string]int64, len(tables)) // Applied, by store
	greatest := int64(0)
	for _, t := range tables {
		known[t.StoreID] = t.Applied
		greatest = max(greatest, t.Applied)
	}
	in.log, err = wal.Open(wal.Options{Dir: filepath.Join(cfg.Dir, "wal"), After: greatest, MaxBytes: cfg.LogBytes, FS: cfg.FS,
		Logger: in.slog, Registerer: cfg.Registerer})
	if err != nil {
		return nil, fmt.Errorf("open ingest: %w", err)
	}
	if err := in.sweep(known); err != nil {
		return nil, fmt.Errorf("open ingest: %w", errors.Join(err, in.log.Close()))
	}
	in.ctx, in.cancel = context.WithCancel(context.WithoutCancel(ctx))
	in.wg.Go(func() { in.replay(known) })
	return in, nil
}

// sweep removes the identity indexes of stores that were deleted.
func (in *Ingest) sweep(known map[string]int64) error {
	dir := filepath.Join(in.cfg.Dir, "identity")
	entries, err := in.cfg.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if _, ok := known[e.Name()]; !ok {
			err = errors.Join(err, identity.Remove(in.cfg.FS, filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// begin reads who we are and raises the epoch.
func (in *Ingest) begin(ctx context.Context) error {
	var err error
	in.writer, err = in.cfg.Meta.Value(ctx, writerKey)
	if errors.Is(err, meta.ErrNotFound) || err == nil && in.writer == "" {
		in.writer = uuid.NewString()
		err = in.cfg.Meta.SetValue(ctx, writerKey, in.writer)
	}
	if err != nil {
		return err
	}
	last, err := in.cfg.Meta.Value(ctx, epochKey)
	if errors.Is(err, meta.ErrNotFound) {
		last, err = "0", nil
	}
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(cmp.Or(last, "0"), 10, 64)
	if err != nil {
		return fmt.Errorf("value of %s: %w", epochKey, err)
	}
	in.epoch = n + 1
	return in.cfg.Meta.SetValue(ctx, epochKey, strconv.FormatInt(in.epoch, 10))
}

// replay brings to the stores what the log holds above their Applied, which the metadata told: a table that cannot be read now keeps no other store, and no
// new event, waiting.
func (in *Ingest) replay(applied map[string]int64) {
	defer close(in.replayed)
	start := time.Now()
	records := 0
	in.replayErr = in.log.Replay(in.ctx, 0, func(rec wal.Record) error {
		e, err := decodeEntry(rec.Data)
		if err != nil {
			return fmt.Errorf("record %d of the durable log: %w", rec.Sequence, err)
		}
		var wanted []share
		for _, s := range e.stores {
			upTo, ok := applied[s.store]
			if !ok {
				if upTo, err = in.appliedBy(s.store); err != nil {
					return err
				}
				applied[s.store] = upTo
			}
			if rec.Sequence > upTo {
				wanted = append(wanted, s)
			}
		}
		if len(wanted) > 0 {
			if err := in.again(rec.Sequence, e, wanted); err != nil {
				return fmt.Errorf("record %d of the durable log: %w", rec.Sequence, err)
			}
			records++
		}
		in.dispatched.Store(rec.Sequence)
		return nil
	})
	if in.ctx.Err() != nil {
		in.replayErr = ErrClosed
	}
	if in.replayErr != nil {
		in.slog.Error("the durable log could not be replayed; nothing is accepted and nothing lost", "error", in.replayErr)
		return
	}
	if records > 0 {
		in.slog.Info("replayed the durable log", "records", records, "seconds", time.Since(start).Seconds())
	}
	in.release()
}

// again dispatches a record of the log as it was when it was accepted.
func (in *Ingest) again(sequence int64, e *entry, wanted []share) error {
	payload := append([]byte(nil), e.payload...) // records may share it, and the log's buffer is used again
	records, err := Decode(in.ctx, e.encoding, payload)
	if err != nil {
		return err
	}
	if len(records) != e.records {
		// Places in the record would mean other events than those that were chosen.
		return fmt.Errorf("its payload now decodes to %d events, and did to %d when it was accepted; start the version of Loch that accepted it once more", len(records), e.records)
	}
	b := &batch{records: records, accepted: e.accepted, epoch: e.epoch, provenance: e.provenance, shares: wanted, in: in}
	b.prepare()
	if err := in.takeRoom(in.ctx, b, false); err != nil {
		return err
	}
	in.dispatch(b, sequence)
	return nil
}

// appliedBy is the Applied of a store that the metadata does not know: everything where it is no more, nothing while it may be there. It tries until it knows.
func (in *Ingest) appliedBy(id string) (applied int64, err error) {
	if in.cfg.Sound() != nil {
		return 0, nil // whether it is no more, its own applier finds out when that can be known: others need not wait
	}
	err = in.retry("read the table's state", id, func() (err error) {
		applied, err = in.cfg.Tables.Applied(in.ctx, id)
		return err
	})
	if errors.Is(err, errGone) {
		in.slog.Info("a deleted store's events in the durable log are dropped", "store", id)
		return math.MaxInt64, nil
	}
	return applied, err
}

// dispatch gives a durable record's batch to its stores. It is called in order of sequence and doesn't block.
func (in *Ingest) dispatch(b *batch, sequence int64) {
	b.sequence = sequence
	for i := range b.shares {
		in.store(b.shares[i].store).enqueue(part{b, b.shares[i].rows})
	}
	in.dispatched.Store(sequence)
}

// store gives a store's pipeline, making it at the first use.
func (in *Ingest) store(id string) *store {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.stores[id]
	if s == nil {
		s = newStore(in, id)
		in.stores[id] = s
		in.wg.Go(s.apply)
		in.wg.Go(s.commit)
	}
	return s
}

// known is a store's pipeline, nil where nothing came for it since the start.
func (in *Ingest) known(id string) *store {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.stores[id]
}

func (in *Ingest) all() []*store {
	in.mu.Lock()
	defer in.mu.Unlock()
	all := make([]*store, 0, len(in.stores))
	for _, s := range in.stores {
		all = append(all, s)
	}
	return all
}

// freed is closed when something was committed or released.
func (in *Ingest) freed() <-chan struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.progress
}

// release tells the log what no store needs any more, and wakes who waits for progress.
func (in *Ingest) release() {
	// Read before the stores are asked: what is dispatched later is not released.
	upTo := in.dispatched.Load()
	for _, s := range in.all() {
		upTo = min(upTo, s.lowest()-1)
	}
	if err := in.log.Release(upTo); err != nil {
		in.slog.Warn("segments of the durable log were not removed; the next commit tries again", "error", err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	close(in.progress)
	in.progress = make(chan struct{})
}

// hurry tells whether a chunk is to be written before it is full, since nothing more is there to add and somebody waits: in Flush, or for the room
// that it holds, unless it holds little of it or the writers are busy freeing other room.
func (in *Ingest) hurry(c *chunk) bool {
	return in.flushing.Load() > 0 ||
		in.waiting.Load() > 0 && int(in.sealed.Load()) < in.cfg.Writers && c.bytes.Load() >= in.cfg.Memory/16
}

// nudge has the appliers look whether they should hurry.
func (in *Ingest) nudge() {
	for _, s := range in.all() {
		s.signal()
	}
}

// Flush returns when everything that was accepted before it was called is in the tables.
func (in *Ingest) Flush(ctx context.Context) error {
	if err := in.open(ctx, false); err != nil && !errors.Is(err, ErrClosed) {
		return err
	}
	return in.flush(ctx)
}

func (in *Ingest) flush(ctx context.Context) error {
	upTo := in.dispatched.Load()
	in.flushing.Add(1)
	defer in.flushing.Add(-1)
	for {
		freed := in.freed()
		done := true
		for _, s := range in.all() {
			if s.lowest() <= upTo {
				done = false
				s.signal()
			}
		}
		if done {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		case <-in.ctx.Done():
			return ErrClosed
		}
	}
}

// Forget returns when what was accepted before it was called is in the tables and in no file of the durable log any more.
func (in *Ingest) Forget(ctx context.Context) error {
	if err := in.open(ctx, false); err != nil {
		return err
	}
	upTo, err := in.log.Rotate(ctx)
	if err != nil {
		return err
	}
	if err := in.flush(ctx); err != nil {
		return err
	}
	in.release()
	if in.log.Holds(upTo) {
		return errors.New("segments of the durable log that are not needed any more could not be removed")
	}
	return nil
}

// Quarantined names the copies of damaged segments of the durable log.
func (in *Ingest) Quarantined() ([]string, error) { return in.log.Quarantined() }

// Close refuses new deliveries, brings what was accepted to the tables until ctx ends, and stops. What did not get there lies in the durable log and is
// brought there by the next start.
func (in *Ingest) Close(ctx context.Context) error {
	if in.closing.Swap(true) {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if errors.Is(in.cfg.Sound(), meta.ErrSetBack) {
		cancel() // the tables take nothing
	}
	select {
	case <-in.replayed:
	case <-ctx.Done():
	}
	if err := in.flush(ctx); err != nil {
		in.slog.Warn("not all accepted events reached the tables before the stop; they are in the durable log", "error", err)
	}
	logErr := in.log.Close() // first: an append under way is dispatched to stores that still run
	in.cancel()
	in.wg.Wait()
	var err error
	for _, s := range in.all() {
		err = errors.Join(err, s.close(context.WithoutCancel(ctx)))
	}
	return errors.Join(logErr, err)
}
