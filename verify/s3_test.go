package verify

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3test"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// ordered is an S3 store that notes what is put in which order.
type ordered struct {
	objstore.Store
	mu   sync.Mutex
	puts []string
}

func (o *ordered) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	err := o.Store.Put(ctx, key, r, size, onlyNew)
	if strings.HasPrefix(key, tlog.Prefix) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.puts = append(o.puts, key)
	}
	return err
}

// A lake whose tables lie in a bucket has its logs there; the bucket alone is enough to verify it, and to prove its events.
func TestBuckets(t *testing.T) {
	srv := s3test.Start(t)
	objects := &ordered{Store: srv.Open(t, srv.Bucket(t, "lake")+"/some/prefix")}
	b := newBedOn(t, t.TempDir(), objects)
	b.commit(2, 6)
	b.flush()
	if last := objects.puts[len(objects.puts)-1]; !strings.HasSuffix(last, "/"+proof.CheckpointPath) {
		t.Errorf("%s was put after the checkpoint", last)
	}
	opt := Options{Objects: objects, Key: key.Public(), Full: true, Seen: Seen{}, TempDir: t.TempDir()}
	r, err := Run(t.Context(), opt)
	b.ok(err)
	if len(r.Findings) > 0 || r.Checked != 12 || r.Leaves < 8 || len(opt.Seen) != 1 {
		t.Errorf("%+v", r)
	}
	_, err = Prove(t.Context(), b.lake, tlog.Reader{Objects: objects, StoreID: b.store}, key.Public(), "00000001-0000-0000-0000-000000000003")
	b.ok(err)

	var keys []string
	b.ok(objects.List(t.Context(), "", "", func(o objstore.Object) error { keys = append(keys, o.Key); return nil }))
	for _, name := range keys {
		was, err := (&run{Options: opt}).read(t.Context(), name)
		b.ok(err)
		now := bytes.Clone(was)
		now[len(now)/3] ^= 4
		b.ok(objects.Put(t.Context(), name, bytes.NewReader(now), int64(len(now)), false))
		quick := opt
		quick.Full = false
		r, err := Run(t.Context(), quick)
		b.ok(err)
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Object == name }) {
			t.Errorf("%s was changed, and is not named: %v", name, r.Findings)
		}
		b.ok(objects.Put(t.Context(), name, bytes.NewReader(was), int64(len(was)), false))
	}
}
