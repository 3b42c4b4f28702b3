package query

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
)

// forgetful is a database that lets a query run to its end and then fails to record that it was started.
type forgetful struct {
	meta.DB
	asked atomic.Int32
	ran   chan struct{} // closed when the query's files are planned, after it was checked
}

var errForgot = errors.New("the disk is full")

func (f *forgetful) CreateQuery(ctx context.Context, q meta.Query) error {
	<-f.ran
	return errForgot
}

func (f *forgetful) Store(ctx context.Context, id string) (meta.EventDataStore, error) {
	if f.asked.Add(1) == 2 {
		close(f.ran)
	}
	return f.DB.Store(ctx, id)
}

func TestQueryThatCannotBeRecordedLeavesNothing(t *testing.T) {
	b := newBed(t, nil)
	id := b.store(t, "mine", 10)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b.reopen(t, func(c *Config) { c.DB = &forgetful{DB: b.db, ran: make(chan struct{})} })
	if _, err := b.Start(t.Context(), scope, me, Request{SQL: "SELECT count(*) FROM \"" + id + "\""}); !errors.Is(err, errForgot) {
		t.Fatal(err)
	}
	b.mu.Lock()
	var left []*job
	for _, j := range b.active {
		left = append(left, j)
	}
	b.mu.Unlock()
	for _, j := range left {
		<-j.done
	}
	list, err := b.db.Queries(t.Context(), meta.Scope{}, "", "", time.Time{}, time.Time{}, "", 0)
	if err != nil || len(list) != 0 {
		t.Error(list, err)
	}
	entries, err := os.ReadDir(b.cfg.Dir)
	if err != nil || len(entries) != 0 || b.room.used.Load() != 0 {
		t.Error(entries, b.room.used.Load(), err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.active) != 0 || b.running != 0 {
		t.Error(b.active, b.running)
	}
}
