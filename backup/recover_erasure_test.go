package backup

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/redaction"
	"github.com/lochlake/loch/tlog"
)

// idle is a server's queries where none ever ran.
type idle struct{}

func (idle) Forget(context.Context, string) ([]string, error) { return nil, nil }
func (idle) ForgetEnded(context.Context, string) error        { return nil }

// replaced counts the data files in the store's folder that its table does not name any more.
func (r *rig) replaced(store string) (n int) {
	r.t.Helper()
	r.ok(r.logs.Flush(r.t.Context()))
	h, err := readHistory(r.t.Context(), tlog.Reader{Objects: r.objects, StoreID: store}, proof.NewKey(seed).Public())
	r.ok(err)
	folder := "tables/" + store + "/"
	r.ok(r.objects.List(r.t.Context(), folder+"data/", "", func(o objstore.Object) error {
		if _, live := h.files[strings.TrimPrefix(o.Key, folder)]; !live {
			n++
		}
		return nil
	}))
	return n
}

// TestRecoverErasure: a copy of the metadata that is older than an erasure does not say that files of before are still to go. They go all the same, whether or not the log told of the erasure.
func TestRecoverErasure(t *testing.T) {
	for _, told := range []bool{false, true} {
		a := newAfar(t)
		ctx := t.Context()
		store, other := a.create("main"), a.create("other")
		a.accept(store, "a", 0, 30)
		a.accept(other, "o", 0, 3)
		a.flush()
		a.copyNow()
		gone, err := a.lake.Erase(ctx, store, lake.Erasure{EventID: "a-3", Reason: "asked for", By: "arn:me", At: time.Now(), Dir: t.TempDir()})
		if err != nil || len(gone) != 1 {
			t.Fatalf("%d erased, %v", len(gone), err)
		}
		if told {
			a.ok(a.logs.Flush(ctx))
		} else { // a later commit shows that the erasure was one
			a.accept(store, "b", 0, 4)
			a.ok(a.ingest.Flush(ctx))
		}
		n, found := recovered(t, a.lost(nil))
		if n.replaced(store) == 0 {
			t.Fatalf("told %v: nothing is left to be removed; %+v", told, found)
		}
		if noted, err := n.db.Value(ctx, "redaction.pending"); err != nil || noted != `["`+store+`"]` {
			t.Errorf("told %v: noted %q, %v", told, noted, err)
		}
		s, err := redaction.Open(ctx, redaction.Config{DB: n.db, Tables: n.lake, Stores: n.reg, Ingest: n.ingest, Queries: idle{}, Dir: t.TempDir(), Allowed: true, Every: time.Hour})
		n.ok(err)
		again := redaction.Request{Store: store, EventID: "a-3", Reason: "again", By: "arn:me", Confirm: "a-3"}
		answer, err := s.Erase(ctx, home, again)
		for err == nil && answer.Erased == 0 && len(answer.Waits) > 0 { // a call waits for some seconds at most
			answer, err = s.Erase(ctx, home, again)
		}
		if err != nil || answer.Erased != 0 {
			t.Errorf("told %v: %+v, %v", told, answer, err)
		}
		n.ok(s.Close())
		if left := n.replaced(store); left != 0 {
			t.Errorf("told %v: %d files are left that the table does not name", told, left)
		}
		n.verify()
	}
}
