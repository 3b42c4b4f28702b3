package wal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/lochlake/loch/disk"
)

// Hold keeps every segment from being removed until release is called, once: for Copy, after something else was copied that goes with the records of now.
func (l *Log) Hold() (release func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holders++
	return func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.holders--
		return l.release(l.released)
	}
}

// Copy writes the acknowledged records for which keep is true to a log in the folder to, which must hold none. A log that is opened there replays them, and gives
// sequences behind all those that this log has given. The copy is durable when Copy returns.
func (l *Log) Copy(ctx context.Context, to string, keep func(Record) (bool, error)) error {
	l.mu.Lock()
	segments := append(slices.Clone(l.closed), l.active)
	l.mu.Unlock()
	c := &copier{fsys: l.opt.FS, to: to, keep: keep}
	err := c.fsys.MkdirAll(to)
	for _, s := range segments {
		if err == nil {
			err = c.segment(ctx, filepath.Join(l.opt.Dir, s.name), s.size)
		}
	}
	if c.out != nil {
		err = errors.Join(err, c.out.Sync(), c.out.Close())
	}
	if err == nil { // a segment without records says which sequences were given
		if err = c.begin(segments[len(segments)-1].last + 1); err == nil {
			err = errors.Join(c.out.Sync(), c.out.Close())
		}
	}
	if err == nil {
		err = c.fsys.SyncDir(to)
	}
	if err != nil {
		return fmt.Errorf("copy the durable log: %w", err)
	}
	return nil
}

// copier writes records to another log.
type copier struct {
	fsys disk.FS
	to   string
	keep func(Record) (bool, error)
	out  disk.File // nil before the first record
	salt salt
	buf  []byte
}

func (c *copier) begin(first int64) (err error) {
	if c.out, err = c.fsys.Create(filepath.Join(c.to, segmentName(first))); err != nil {
		return err
	}
	head, s := newHeader(first)
	c.salt = s
	_, err = c.out.Write(head)
	return err
}

// segment goes through the first size bytes of a segment.
func (c *copier) segment(ctx context.Context, path string, size int64) error {
	f, err := c.fsys.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	r, err := newReader(f, func(damage) {})
	if errors.Is(err, errHeader) {
		return nil // Open has reported it
	}
	if err != nil {
		return err
	}
	r.size = min(r.size, size)
	for {
		rec, err := r.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		kept, err := c.keep(rec)
		if err != nil {
			return fmt.Errorf("record %d: %w", rec.Sequence, err)
		}
		if !kept {
			continue
		}
		if c.out == nil {
			if err := c.begin(rec.Sequence); err != nil {
				return err
			}
		}
		c.buf = appendRecord(c.buf[:0], &c.salt, rec.Sequence, rec.Kind, rec.Data)
		if _, err := c.out.Write(c.buf); err != nil {
			return err
		}
	}
}
