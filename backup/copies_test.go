package backup

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// telling tells what is put.
type telling struct {
	objstore.Store
	put chan string
}

func (s telling) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	err := s.Store.Put(ctx, key, r, size, onlyNew)
	s.put <- key
	return err
}

// TestCopiesByThemselves: a user's change is copied soon, but not before everything that was accepted is committed; at the end a last copy is made of what changed since.
func TestCopiesByThemselves(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Hour)
	to := telling{folder(t), make(chan string, 9)}
	wake := make(chan struct{}, 1)
	flushes, answers := make(chan struct{}), make(chan error)
	c, err := OpenCopies(t.Context(), CopiesConfig{Meta: r.db, Objects: to, Wake: wake, Dir: t.TempDir(), Log: quiet, Flush: func(context.Context) error {
		flushes <- struct{}{}
		return <-answers
	}})
	r.ok(err)
	db := Watch(r.db, wake)
	<-flushes // the first copy
	answers <- errors.New("a table takes nothing")
	r.ok(db.SetTags(t.Context(), "arn", map[string]string{"k": "v"}, 9))
	<-flushes
	if c.failing.Load() == 0 || c.Failing() || len(to.put) > 0 {
		t.Errorf("failing since %d, for long %v, %d copies before anything was committed", c.failing.Load(), c.Failing(), len(to.put))
	}
	c.failing.Add(-int64(copyAlarm))
	if !c.Failing() {
		t.Error("five minutes of failures are no alarm")
	}
	answers <- nil
	if key := <-to.put; !strings.HasPrefix(key, copiesPrefix) {
		t.Errorf("put %s", key)
	}
	if err := db.SetTags(t.Context(), "arn", map[string]string{"a": "1", "b": "2"}, 1); !errors.Is(err, meta.ErrConflict) {
		t.Errorf("too many tags: %v", err)
	}
	r.ok(r.db.SetValue(t.Context(), "last", "change"))
	go func() {
		<-flushes
		answers <- nil
	}()
	r.ok(c.Close(t.Context()))
	if len(to.put) != 1 || c.failing.Load() != 0 {
		t.Errorf("%d copies at the end, failing since %d", len(to.put), c.failing.Load())
	}
	all, err := listCopies(t.Context(), to)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d copies, %v", len(all), err)
	}
	path := t.TempDir() + "/meta.db"
	r.ok(all[1].read(t.Context(), to, path))
	copied, err := meta.OpenSQLite(t.Context(), path)
	r.ok(err)
	if v, err := copied.Value(t.Context(), "last"); err != nil || v != "change" {
		t.Errorf("%q, %v", v, err)
	}
	r.ok(copied.Close())
}

// losing carries a first Put out, and its answer is lost.
type losing struct {
	objstore.Store
	lost *error
}

func (s losing) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	err := s.Store.Put(ctx, key, r, size, onlyNew)
	if lost := *s.lost; err == nil && lost != nil {
		*s.lost = nil
		return lost
	}
	return err
}

// TestCopyWhoseAnswerIsLost: a copy that is there though nobody was told does not stand in the way of the next one, which has the same content.
func TestCopyWhoseAnswerIsLost(t *testing.T) {
	r := newRig(t, keyed(t), nil, time.Hour)
	lost := errors.New("lost")
	to := losing{folder(t), &lost}
	c := &Copies{cfg: CopiesConfig{Meta: r.db, Objects: to, Dir: t.TempDir(), Log: quiet, Flush: func(context.Context) error { return nil }}, commits: -1, age: newAge(nil)}
	if err := c.copy(t.Context()); err == nil || err.Error() != "lost" {
		t.Errorf("a copy without an answer: %v", err)
	}
	r.ok(c.copy(t.Context()))
	all, err := listCopies(t.Context(), to)
	if err != nil || len(all) != 2 || all[0].number >= all[1].number || c.commits != r.db.Commits() {
		t.Errorf("%+v, %v; copied up to %d of %d", all, err, c.commits, r.db.Commits())
	}
}
