package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/disk/disktest"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/wal"
)

// abandon stops a server whose tables take nothing: what it accepted lies in the log alone.
func abandon(t *testing.T, s *server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.once.Do(func() {
		if err := errors.Join(s.Close(ctx), s.lake.Close(), s.db.Close()); err != nil {
			t.Error(err)
		}
	})
}

func blocked(c *Config) {
	c.Tables, c.Logger = &stuck{c.Tables.(*lake.Lake), make(chan struct{})}, quiet
}

// TestReplayKeepsWhatWasDecided: where an accepted event goes, what it is called and when it was accepted do not depend on the start that brings it
// to the table.
func TestReplayKeepsWhatWasDecided(t *testing.T) {
	dir := t.TempDir()
	picky := everything(1)
	picky.Selectors = nameIs("DoA")
	s := start(t, dir, []Target{picky, everything(2)}, blocked)
	events := []ev{{id: "1", name: "B"}, {id: "2", name: "A"}, {id: "3", name: "C"}}
	for _, d := range []Delivery{
		logFile(t, []string{storeID(1), storeID(2)}, events...),
		{Records: records(t, ev{id: "4", name: "A"}, ev{id: "5", name: "B"}), Read: 2, Live: true, Scope: home, Provenance: "texts"},
	} {
		accept(t, s.Ingest, d)
	}
	abandon(t, s)

	// Today's selectors take nothing, and retention has passed.
	picky.Selectors = nameIs("nothing")
	other := everything(2)
	other.Selectors, other.RetentionDays = nameIs("nothing"), -1
	s = start(t, dir, []Target{picky, other}, nil)
	flush(t, s.Ingest)
	for n, want := range map[int]string{1: "2 4", 2: "1 2 3 4 5"} {
		var got []string
		rows := s.rows(t, storeID(n))
		for _, id := range strings.Fields("1 2 3 4 5") {
			for k := range rows {
				if strings.HasPrefix(k, id+" ") {
					got = append(got, id)
				}
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("store %d has %v, want %s", n, got, want)
		}
	}
	s.stop(t) // the log's segments go behind the commit that makes them needless; a stop waits for that
	if names, err := filepath.Glob(filepath.Join(dir, "wal", "*.wal")); err != nil || len(names) != 1 {
		t.Errorf("after everything is applied the log has %v", names)
	}
}

// TestReplayOfDeletedStore: a log that holds events of a store that is no more does not stop the start.
func TestReplayOfDeletedStore(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, []Target{everything(1), everything(2)}, blocked)
	accept(t, s.Ingest, Delivery{Records: records(t, ids("a", 5)...), Read: 5, Live: true, Scope: home})
	if err := errors.Join(s.lake.DropTable(t.Context(), storeID(1)), s.db.DeleteStore(t.Context(), storeID(1))); err != nil {
		t.Error(err)
	}
	abandon(t, s)
	s = start(t, dir, []Target{everything(2)}, func(c *Config) { c.Logger = quiet })
	flush(t, s.Ingest)
	if n := len(s.rows(t, storeID(2))); n != 5 {
		t.Errorf("%d rows", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "identity", storeID(1))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its identity index: %v", err)
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	s := start(t, t.TempDir(), nil, nil)
	if _, err := Open(t.Context(), s.cfg); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

// TestCorruptIndex: an index that goes bad, while it is used or between starts, is made anew from the table, and nothing is stored twice.
func TestCorruptIndex(t *testing.T) {
	for _, when := range []string{"running", "stopped", "lost"} {
		t.Run(when, func(t *testing.T) {
			dir := t.TempDir()
			small := func(c *Config) { c.IndexKeys, c.ChunkRows, c.Logger = 20, 10, quiet }
			s := start(t, dir, []Target{everything(1)}, small)
			d := Delivery{Records: records(t, ids("a", 90)...), Read: 90, Stores: []string{storeID(1)}}
			accept(t, s.Ingest, d)
			accept(t, s.Ingest, Delivery{Records: records(t, ids("b", 30)...), Read: 30, Stores: []string{storeID(1)}})
			flush(t, s.Ingest)
			if when != "running" {
				s.stop(t)
			} else if err := s.store(storeID(1)).index.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			runs, err := filepath.Glob(filepath.Join(dir, "identity", storeID(1), "*.run"))
			if err != nil || len(runs) == 0 {
				t.Fatal(runs, err)
			}
			if when == "lost" {
				if err := os.RemoveAll(filepath.Join(dir, "identity")); err != nil {
					t.Fatal(err)
				}
				runs = nil
			}
			for _, r := range runs {
				f, err := os.OpenFile(r, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteAt([]byte{0xa5, 0x5a}, 4096+100); err != nil { // among the entries
					t.Fatal(err)
				}
				f.Close()
			}
			if when != "running" {
				s = start(t, dir, []Target{everything(1)}, small)
			}
			if c := accept(t, s.Ingest, d); c.Known != 90 {
				t.Errorf("%+v", c)
			}
			flush(t, s.Ingest)
			if n := len(s.rows(t, storeID(1))); n != 120 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

// TestLogFails: while the disk takes nothing, deliveries are refused, and hold no room; when it does again, they are taken.
func TestLogFails(t *testing.T) {
	var full atomic.Bool
	s := start(t, t.TempDir(), []Target{everything(1)}, func(c *Config) {
		c.Logger = quiet
		c.FS = &disktest.FS{FS: disk.OS, Hook: func(op, name string) (int, error) {
			if full.Load() && (op == "write" || op == "create") {
				return 3, syscall.ENOSPC
			}
			return 0, nil
		}}
	})
	accept(t, s.Ingest, Delivery{Records: records(t, ids("a", 5)...), Read: 5, Stores: []string{storeID(1)}})
	flush(t, s.Ingest)
	full.Store(true)
	d := Delivery{Records: records(t, ids("b", 5)...), Read: 5, Stores: []string{storeID(1)}}
	for range 3 {
		if _, err := s.Accept(t.Context(), d); !errors.Is(err, wal.ErrFailed) {
			t.Errorf("got %v", err)
		}
	}
	if !s.room.TryAcquire(s.cfg.Memory) {
		t.Fatal("refused deliveries hold room")
	}
	s.room.Release(s.cfg.Memory)
	full.Store(false)
	for {
		ticket, err := s.Accept(t.Context(), d)
		if errors.Is(err, wal.ErrFailed) { // until the log's next try
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, err := ticket.Wait(t.Context()); err != nil || c.Stored != 5 {
			t.Errorf("%+v, %v", c, err)
		}
		break
	}
	flush(t, s.Ingest)
	if n := len(s.rows(t, storeID(1))); n != 10 {
		t.Errorf("%d rows", n)
	}
}

// TestDamagedLog: records behind a damaged one are still brought to the table.
func TestDamagedLog(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, []Target{everything(1)}, blocked)
	for i := range 3 {
		accept(t, s.Ingest, Delivery{Records: records(t, ids(fmt.Sprint(i, "-"), 4)...), Read: 4, Stores: []string{storeID(1)}})
	}
	abandon(t, s)
	names, _ := filepath.Glob(filepath.Join(dir, "wal", "*.wal"))
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	magic := binary.LittleEndian.AppendUint32(nil, 0x5ec0_10c4)
	second := strings.Index(string(b[81:]), string(magic)) + 81
	b[second+40] ^= 1
	if err := os.WriteFile(names[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, []Target{everything(1)}, func(c *Config) { c.Logger = quiet })
	flush(t, s.Ingest)
	if n := len(s.rows(t, storeID(1))); n != 8 {
		t.Errorf("%d rows", n)
	}
}

func TestEpochRises(t *testing.T) {
	dir := t.TempDir()
	var writer string
	for epoch := int64(1); epoch <= 3; epoch++ {
		s := start(t, dir, nil, nil)
		if writer == "" {
			writer = s.writer
		}
		if s.epoch != epoch || s.writer != writer {
			t.Errorf("epoch %d of %s, want %d of %s", s.epoch, s.writer, epoch, writer)
		}
		s.stop(t)
	}
}

// TestIdleStoresRest: a store without pending events holds the log back by nothing, and its goroutines wait.
func TestIdleStoresRest(t *testing.T) {
	s := start(t, t.TempDir(), []Target{everything(1), everything(2)}, nil)
	accept(t, s.Ingest, Delivery{Records: records(t, ids("a", 5)...), Read: 5, Live: true, Scope: home})
	flush(t, s.Ingest)
	for _, st := range s.all() {
		if st.chunk != nil || len(st.sealed) > 0 || len(st.queue) > 0 {
			t.Errorf("%s is not at rest", st.id)
		}
	}
}

func TestDeliveryOfNothing(t *testing.T) {
	s := start(t, t.TempDir(), []Target{everything(1)}, nil)
	if c := accept(t, s.Ingest, Delivery{Read: 3, Stores: []string{storeID(1)}}); c != (meta.Counts{Read: 3, Bad: 3}) {
		t.Errorf("%+v", c)
	}
}

func FuzzEntry(f *testing.F) {
	e := entry{accepted: -5, epoch: 3, encoding: "gzip", provenance: "s3://b/k", records: 20, payload: []byte("payload"),
		stores: []share{{"a", allRows(20)}, {"b", []int32{0, 7, 8, 19}}, {"c", []int32{}}}}
	f.Add(append(e.head(), e.payload...))
	f.Add((&entry{}).head())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEntry(b)
		if err != nil {
			return
		}
		if e.records > 1<<16 {
			return // a full list of so many is memory, not insight
		}
		again, err := decodeEntry(append(e.head(), e.payload...))
		if err != nil || !reflect.DeepEqual(e, again) {
			t.Fatalf("%+v became %+v, %v", e, again, err)
		}
	})
}

func FuzzTexts(f *testing.F) {
	f.Add(encodeTexts([]event.Record{{Text: []byte(ev{id: "1"}.text())}, {Text: []byte(ev{id: "2"}.text())}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if records, err := decodeTexts(b); err == nil {
			again, err := decodeTexts(encodeTexts(records))
			if err != nil || len(again) != len(records) {
				t.Fatal(len(again), err)
			}
		}
	})
}

// TestEmptyIDOverALostIndex: an event whose eventID is the empty text goes by its text's hash, also in an index that is made anew.
func TestEmptyIDOverALostIndex(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, []Target{everything(1)}, func(c *Config) { c.Logger = quiet })
	r, err := event.NewDecoder().Decode([]byte(`{"eventVersion":"1.08","eventID":"","eventName":"A","eventSource":"s3.amazonaws.com","eventTime":"` + base.Format(time.RFC3339) + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	d := Delivery{Records: []event.Record{r}, Read: 1, Stores: []string{storeID(1)}}
	if c := accept(t, s.Ingest, d); c.Stored != 1 {
		t.Fatalf("%+v", c)
	}
	flush(t, s.Ingest)
	s.stop(t)
	if err := os.RemoveAll(filepath.Join(dir, "identity")); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, []Target{everything(1)}, func(c *Config) { c.Logger = quiet })
	if c := accept(t, s.Ingest, d); c.Known != 1 {
		t.Errorf("%+v", c)
	}
}

// unread are tables that nothing can be read of, as while their object store is away.
type unread struct {
	*lake.Lake
	away atomic.Bool
}

func (u *unread) fails() error {
	if u.away.Load() {
		return errFlaky
	}
	return nil
}

func (u *unread) Applied(ctx context.Context, id string) (int64, error) {
	if err := u.fails(); err != nil {
		return 0, err
	}
	return u.Lake.Applied(ctx, id)
}

func (u *unread) Identities(ctx context.Context, id string, since int64, fn func(*lake.Stored) error) error {
	if err := u.fails(); err != nil {
		return err
	}
	return u.Lake.Identities(ctx, id, since, fn)
}

// TestStartWithoutTables: a start whose tables cannot be read takes events, says what it waits for, and brings all to the tables when these are back.
func TestStartWithoutTables(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, []Target{everything(1)}, blocked)
	accept(t, s.Ingest, Delivery{Records: records(t, ids("a", 5)...), Read: 5, Stores: []string{storeID(1)}})
	abandon(t, s)
	tables := &unread{}
	tables.away.Store(true)
	s = start(t, dir, []Target{everything(1)}, func(c *Config) {
		tables.Lake = c.Tables.(*lake.Lake)
		c.Tables, c.Logger = tables, quiet
	})
	for s.Replaying() {
		runtime.Gosched()
	}
	if _, err := s.Accept(t.Context(), Delivery{Records: records(t, ids("b", 5)...), Read: 5, Stores: []string{storeID(1)}, NoWait: true}); err != nil {
		t.Error(err)
	}
	for len(s.Stalls()) == 0 {
		runtime.Gosched()
	}
	if got := s.Stalls()[0]; got.Store != storeID(1) || !errors.Is(got.Err, errFlaky) || got.Tries < 1 {
		t.Errorf("%+v", got)
	}
	tables.away.Store(false)
	flush(t, s.Ingest)
	if n := len(s.rows(t, storeID(1))); n != 10 {
		t.Errorf("%d rows", n)
	}
	if got := s.Stalls(); len(got) > 0 {
		t.Errorf("still %+v", got)
	}
}

// TestMetadataSetBack: over metadata that is older than the tables nothing comes in, and nothing that the log holds is given up: not of a store that the older metadata does not know, either. The stop does
// not wait. With the newer metadata all of it is brought to the tables.
func TestMetadataSetBack(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "meta.db")
	old, newer := filepath.Join(t.TempDir(), "old.db"), filepath.Join(t.TempDir(), "newer.db")
	s := start(t, dir, []Target{everything(2)}, nil)
	if err := s.db.CopyTo(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	s = start(t, dir, []Target{everything(1), everything(2)}, blocked)
	accept(t, s.Ingest, Delivery{Records: records(t, ids("a", 5)...), Read: 5, Live: true, Scope: home})
	abandon(t, s)
	if err := errors.Join(os.Rename(at, newer), os.Rename(old, at)); err != nil {
		t.Fatal(err)
	}

	known := atomic.Pointer[error]{}
	unknown := errors.New("nobody looked")
	known.Store(&unknown)
	tables := &unread{}
	tables.away.Store(true)
	s = start(t, dir, []Target{everything(2)}, func(c *Config) {
		tables.Lake = c.Tables.(*lake.Lake)
		c.Tables, c.Logger = tables, quiet
		c.Sound = func() error { return *known.Load() }
	})
	for s.Replaying() { // nobody waits for the store that it does not know
		runtime.Gosched()
	}
	for tries := 0; tries < 3; { // of that
		for _, stall := range s.Stalls() {
			if stall.Store == storeID(1) {
				tries = stall.Tries
			}
		}
		runtime.Gosched()
	}
	back := fmt.Errorf("store 1: %w", meta.ErrSetBack)
	known.Store(&back)
	for _, noWait := range []bool{true, false} {
		if _, err := s.Accept(t.Context(), Delivery{Records: records(t, ids("b", 5)...), Read: 5, Stores: []string{storeID(2)}, NoWait: noWait}); !errors.Is(err, meta.ErrSetBack) {
			t.Error(err)
		}
	}
	if err := s.Room(t.Context(), 1); !errors.Is(err, meta.ErrSetBack) {
		t.Error(err)
	}
	if err := s.Flush(t.Context()); !errors.Is(err, meta.ErrSetBack) {
		t.Error(err)
	}
	s.stop(t)

	if err := errors.Join(os.Remove(at), os.Rename(newer, at)); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, []Target{everything(1), everything(2)}, nil)
	flush(t, s.Ingest)
	for n := 1; n <= 2; n++ {
		if got := len(s.rows(t, storeID(n))); got != 5 {
			t.Errorf("store %d has %d rows", n, got)
		}
	}
}
