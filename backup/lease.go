package backup

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
)

// LeaseTime is how long a frozen state lasts after it was made or renewed last.
const LeaseTime = time.Minute

// ErrNoLease: no frozen state has that ID; its time may have run out.
var ErrNoLease = errors.New("there is no frozen state of that ID: it was not renewed in time, or the server was started anew")

// Lease is a frozen state that somebody copies from.
type Lease struct {
	ID  string `json:"id"`
	Dir string `json:"dir"` // on the server's machine
}

// Leases are a server's frozen states. Each lasts as long as somebody renews it, so that a copy that died holds nothing for long.
type Leases struct {
	dir   string
	rooms Rooms
	log   *slog.Logger
	now   func() time.Time

	turn chan struct{} // held while one is made or ended
	open map[string]*lease

	stop chan struct{}
	done sync.WaitGroup
}

type lease struct {
	until   time.Time
	release func(context.Context) error
}

// OpenLeases makes ready; frozen states lie in dir, which is emptied.
func OpenLeases(dir string, rooms Rooms, log *slog.Logger) (*Leases, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	l := &Leases{dir: dir, rooms: rooms, log: log, now: time.Now, turn: make(chan struct{}, 1), open: map[string]*lease{}, stop: make(chan struct{})}
	l.done.Go(l.run)
	return l, nil
}

func (l *Leases) run() {
	tick := time.NewTicker(LeaseTime / 4)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.expire(context.Background())
		}
	}
}

func (l *Leases) lock(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// expire ends those that nobody renewed.
func (l *Leases) expire(ctx context.Context) {
	if l.lock(ctx) != nil {
		return
	}
	defer func() { <-l.turn }()
	for id, le := range l.open {
		if l.now().After(le.until) {
			l.log.Warn("a backup ended without a word; what it held is let go", "backup", id)
			if err := l.end(ctx, id, le); err != nil {
				l.log.Error("the end of a backup", "backup", id, "error", err)
			}
		}
	}
}

// Begin freezes the server's state.
func (l *Leases) Begin(ctx context.Context) (Lease, error) {
	if err := l.lock(ctx); err != nil {
		return Lease{}, err
	}
	defer func() { <-l.turn }()
	made := Lease{ID: uuid.NewString()}
	made.Dir = filepath.Join(l.dir, made.ID)
	release, err := l.rooms.Freeze(ctx, made.Dir)
	if err != nil {
		return Lease{}, errors.Join(err, os.RemoveAll(made.Dir))
	}
	l.open[made.ID] = &lease{l.now().Add(LeaseTime), release}
	l.log.Info("a backup began", "backup", made.ID)
	return made, nil
}

// Renew lets a frozen state last for another LeaseTime.
func (l *Leases) Renew(ctx context.Context, id string) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer func() { <-l.turn }()
	le := l.open[id]
	if le == nil {
		return ErrNoLease
	}
	le.until = l.now().Add(LeaseTime)
	return nil
}

// End lets a frozen state go.
func (l *Leases) End(ctx context.Context, id string) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer func() { <-l.turn }()
	le := l.open[id]
	if le == nil {
		return ErrNoLease
	}
	l.log.Info("a backup ended", "backup", id)
	return l.end(context.WithoutCancel(ctx), id, le)
}

func (l *Leases) end(ctx context.Context, id string, le *lease) error {
	delete(l.open, id)
	return errors.Join(le.release(ctx), os.RemoveAll(filepath.Join(l.dir, id)))
}

// Close ends all.
func (l *Leases) Close() error {
	close(l.stop)
	l.done.Wait()
	l.turn <- struct{}{} // and never back: none begins any more
	var errs []error
	for id, le := range l.open {
		errs = append(errs, l.end(context.Background(), id, le))
	}
	return errors.Join(errs...)
}
