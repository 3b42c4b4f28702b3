package verify

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// beside is a running server without a network: its snapshots are the bed's lake as it is.
type beside struct {
	*bed
	taken   int
	closed  int
	on      func(taken int) objstore.Store // what is read of a snapshot; nil: what is there
	without error                          // of the store
}

func (s *beside) Stores(context.Context) ([]string, error) { return []string{s.store}, nil }
func (s *beside) Logs() objstore.Store                     { return s.objects }

func (s *beside) Snapshot(context.Context, string) (Snapshot, error) {
	if s.without != nil {
		return nil, s.without
	}
	s.taken++
	objects := s.objects
	if s.on != nil {
		objects = s.on(s.taken)
	}
	return &moment{s.db, s, objects}, nil
}

type moment struct {
	Meta
	server  *beside
	objects objstore.Store
}

func (m *moment) Objects() objstore.Store   { return m.objects }
func (m *moment) Lost(context.Context) bool { return false }
func (m *moment) Close(context.Context) error {
	m.server.closed++
	return nil
}

// unreadable is a store whose data files cannot be read.
type unreadable struct{ objstore.Store }

var errDisk = errors.New("the disk says no")

func (u unreadable) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if strings.HasSuffix(key, ".parquet") {
		return nil, errDisk
	}
	return u.Store.Get(ctx, key, off, n)
}

// A running server's checkpoint that is not cosigned yet is asked for again; every snapshot is let go, and a store that cannot be read is told, with what was found of it, and not remembered.
func TestSnapshotsOfAServer(t *testing.T) {
	b := newBed(t)
	b.commit(2, 6)
	b.flush()
	w := newFixedWitness(t, "witness.example/w", 5)
	seen := Seen{}
	s := &beside{bed: b, on: func(taken int) objstore.Store {
		if taken == 2 {
			b.cosign(w)
		}
		return b.objects
	}}
	opt := Options{Key: key.Public(), Full: true, Seen: seen}
	required := opt
	required.Witnesses = []proof.Witness{w.Witness}
	report, err := RunServer(t.Context(), required, s)
	if err != nil || len(report.Findings)+len(report.Unverified) > 0 || s.taken != 2 || s.closed != 2 || len(report.Cosigned) != 1 || report.Checked != 12 || len(seen) != 1 {
		t.Errorf("%d snapshots, %d let go: %+v, %v", s.taken, s.closed, report, err)
	}
	b.commit(1, 6)
	b.flush()
	s.on = func(int) objstore.Store { return unreadable{b.objects} }
	before := seen[b.store][0].Size
	report, err = RunServer(t.Context(), opt, s)
	if err != nil || len(report.Unverified) != 1 || !strings.Contains(report.Unverified[0].Reason, errDisk.Error()) || report.Stores != 0 || seen[b.store][0].Size != before || s.taken != s.closed {
		t.Errorf("a store that cannot be read: %+v, %v; %d snapshots, %d let go", report, err, s.taken, s.closed)
	}
	s.without = ErrDenied
	if report, err = RunServer(t.Context(), opt, s); err != nil || len(report.Unverified) != 1 || report.Unverified[0].Reason != ErrDenied.Error() {
		t.Errorf("a store that may not be read: %+v, %v", report, err)
	}
	gone, stop := context.WithCancel(t.Context())
	stop()
	if _, err := RunServer(gone, opt, s); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}
