package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

func (w *world) guard() *Guard {
	return NewGuard(GuardConfig{Meta: w.db, Objects: w.objects, Key: key.Public(), Registerer: prometheus.NewRegistry()})
}

func (w *world) flush() {
	w.t.Helper()
	if err := w.service().Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// keep makes a copy of the metadata as it is now.
func (w *world) keep() string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "meta.db")
	if err := w.db.CopyTo(w.t.Context(), path); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// back puts a copy in the metadata's place.
func (w *world) back(path string) {
	w.t.Helper()
	db, err := meta.OpenSQLite(w.t.Context(), path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	w.db = db
}

// forgetful is metadata in which a crash keeps from being noted what was published.
type forgetful struct{ meta.DB }

func (forgetful) PublishedLeaves(context.Context, string, int64) error { return errKilled }

// Wherever a crash comes between a leaf's way into the metadata and its going from there, the metadata is not taken for an older one.
func TestGuardAndCrashes(t *testing.T) {
	for _, n := range []int{1, 255, 256, 600} {
		for left := range 12 {
			w := newWorld(t)
			w.add(3)
			w.flush()
			for _, db := range []Meta{w.db, forgetful{w.db}} {
				w.add(n)
				w.objects.left = left
				err := service(db, w.objects).Flush(t.Context())
				w.objects.left = -1
				if db != w.db && err == nil {
					t.Fatal("no crash")
				}
				if err := w.guard().Check(t.Context(), store); err != nil {
					t.Errorf("%d leaves, %d steps: %v", n, left, err)
				}
			}
			w.flush()
			if err := w.guard().Check(t.Context(), store); err != nil {
				t.Errorf("%d leaves, %d steps, and then the rest: %v", n, left, err)
			}
		}
	}
}

// Metadata that is older than a log is found, whether it went on or not, and nothing is done to the logs; the newer one back, all goes on.
func TestSetBack(t *testing.T) {
	for _, grown := range []int{0, 1, 4, 5, 600} {
		for _, waiting := range []int{0, 2} { // leaves of the older metadata that no checkpoint covered
			t.Run(fmt.Sprint(grown, waiting), func(t *testing.T) {
				w := newWorld(t)
				w.add(300)
				w.flush()
				w.add(waiting)
				old := w.keep()
				w.add(5)
				w.flush()
				newer := w.keep()
				before := maps.Clone(w.objects.objects)

				w.back(old)
				w.leaves = 1_000_000 // others than those that the log has
				w.add(grown)
				s := w.service()
				for range 2 {
					if err := s.Flush(t.Context()); !errors.Is(err, meta.ErrSetBack) {
						t.Fatal(err)
					}
				}
				if err := s.guard.Known(); !errors.Is(err, meta.ErrSetBack) || !strings.Contains(err.Error(), store) {
					t.Error(err)
				}
				if err := s.guard.Check(t.Context(), "another"); !errors.Is(err, meta.ErrSetBack) {
					t.Error("another store:", err)
				}
				if got := s.guard.SetBack(); len(got) != 1 || got[0] != store || metric(t, s, "loch_metadata_set_back") != 1 {
					t.Error(got)
				}
				if _, err := s.Pause(t.Context()); !errors.Is(err, meta.ErrSetBack) {
					t.Error("a copy:", err)
				}
				if !maps.EqualFunc(before, w.objects.objects, bytes.Equal) {
					t.Error("the log was written")
				}

				w.back(newer)
				w.leaves = 305 + waiting
				w.add(1)
				w.flush()
				s = w.service()
				if err := s.guard.Check(t.Context(), store); err != nil || s.guard.Known() != nil || len(s.guard.SetBack()) != 0 || metric(t, s, "loch_metadata_set_back") != 0 {
					t.Error(err)
				}
			})
		}
	}
}

// What is published is compared, too: metadata that is exchanged beneath a server covers nothing up.
func TestSetBackWhilePublishing(t *testing.T) {
	w := newWorld(t)
	w.add(10)
	old := w.keep()
	w.add(10)
	w.flush()
	s := w.service()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.back(old)
	w.leaves = 1_000_000
	w.add(20)
	s.cfg.Meta = w.db // the guard has looked, and does not look again
	if err := s.Flush(t.Context()); !errors.Is(err, meta.ErrSetBack) {
		t.Error(err)
	}
	if err := s.Flush(t.Context()); !errors.Is(err, meta.ErrSetBack) || !errors.Is(s.guard.Known(), meta.ErrSetBack) {
		t.Error(err)
	}
	if n, err := w.db.Leaves(t.Context(), store, 100); err != nil || len(n) != 30 {
		t.Errorf("%d leaves are left, %v", len(n), err)
	}
}

// unread is an object store that does not answer for some keys.
type unread struct {
	*memory
	keys string
}

func (u *unread) Get(ctx context.Context, key string, from, n int64) (io.ReadCloser, error) {
	if u.keys != "" && strings.Contains(key, u.keys) {
		return nil, errKilled
	}
	return u.memory.Get(ctx, key, from, n)
}

// While a checkpoint cannot be read nothing is known. A log that does not tell, since its checkpoint is not this key's, is one store's fault alone, until it is mended.
func TestGuardCannotTell(t *testing.T) {
	w := newWorld(t)
	w.add(3)
	w.flush()
	u := &unread{memory: w.objects, keys: proof.CheckpointPath}
	g := NewGuard(GuardConfig{Meta: w.db, Objects: u, Key: key.Public()})
	for range 2 {
		if err := g.Check(t.Context(), "another"); !errors.Is(err, errUnchecked) || !errors.Is(err, errKilled) || !errors.Is(g.Known(), errUnchecked) {
			t.Error(err)
		}
	}
	u.keys = ""
	at := Reader{w.objects, store}.Key(proof.CheckpointPath)
	good := w.objects.objects[at]
	w.objects.objects[at] = []byte("no checkpoint")
	if err := g.Check(t.Context(), "another"); err != nil || g.Known() != nil {
		t.Error(err)
	}
	if err := g.Check(t.Context(), store); !errors.Is(err, errStrange) || errors.Is(err, meta.ErrSetBack) {
		t.Error(err)
	}
	delete(w.objects.objects, at)
	if err := g.Check(t.Context(), store); !errors.Is(err, errStrange) || errors.Is(err, meta.ErrSetBack) {
		t.Error(err)
	}
	w.objects.objects[at] = good
	if err := g.Check(t.Context(), store); err != nil {
		t.Error(err)
	}
}

// simple is a store without create-only writes.
type simple struct{ *memory }

func (s simple) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	if onlyNew {
		return objstore.ErrUnsupported
	}
	return s.memory.Put(ctx, key, r, size, false)
}

// TestClaim: a bucket is the first server's that finds it free, and stays so. One with logs of another key, and without a claim, is claimed by nobody but who signs them.
func TestClaim(t *testing.T) {
	w := newWorld(t)
	stranger := proof.NewKey(bytes.Repeat([]byte{77}, proof.SeedSize)).Public()
	check := func(who proof.PublicKey) error {
		return NewGuard(GuardConfig{Meta: w.db, Objects: w.objects, Key: who, Shared: true}).Check(t.Context(), "")
	}
	w.add(3)
	w.flush()
	claimed := func() bool {
		w.objects.mu.Lock()
		defer w.objects.mu.Unlock()
		_, ok := w.objects.objects[ownerKey]
		return ok
	}
	if err := check(stranger); err != nil || claimed() {
		t.Errorf("beside a log of another key: %v, claimed %v", err, claimed())
	}
	for range 2 {
		if err := check(key.Public()); err != nil || !claimed() {
			t.Errorf("%v, claimed %v", err, claimed())
		}
	}
	err := check(stranger)
	if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), key.Public().String()) || !strings.Contains(err.Error(), stranger.String()) {
		t.Errorf("another's bucket: %v", err)
	}
	delete(w.objects.objects, ownerKey)
	if err := NewGuard(GuardConfig{Meta: w.db, Objects: simple{w.objects}, Key: key.Public(), Shared: true}).Check(t.Context(), ""); err != nil || !claimed() {
		t.Errorf("without create-only writes: %v, claimed %v", err, claimed())
	}
	if err := check(stranger); !errors.Is(err, ErrForeign) {
		t.Errorf("another's bucket: %v", err)
	}
}
