package verify

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/tlog"
)

var key = proof.NewKey(bytes.Repeat([]byte{3}, proof.SeedSize))

// liar is metadata that can tell of other batches than a commit brings.
type liar struct {
	meta.DB
	use     bool // a commit tells of batches and not of its own
	batches [][]byte
	rewrite func(*proof.Leaf)      // nil: leaves stay as they are
	erasure func(*proof.Leaf) bool // changes the leaf of an erasure, or says no: it is left out; nil: it stays
	unheld  bool                   // holds are not heeded
}

func (l *liar) RemoveFromTable(ctx context.Context, id, old, location string, applied int64, r meta.Removal, leaves ...[]byte) error {
	var told [][]byte
	for _, b := range leaves {
		leaf, err := proof.DecodeLeaf(b)
		if err != nil {
			return err
		}
		if leaf.Erasure != nil && l.erasure != nil {
			if !l.erasure(&leaf) {
				continue
			}
			if b, err = leaf.Encode(); err != nil {
				return err
			}
		}
		told = append(told, b)
	}
	if l.unheld {
		r.Allow = func(meta.EventDataStore, []meta.Hold) error { return nil }
	}
	return l.DB.RemoveFromTable(ctx, id, old, location, applied, r, told...)
}

func (l *liar) SwapTable(ctx context.Context, id, old, location string, applied int64, leaves ...[]byte) error {
	var batches, rest [][]byte
	for _, b := range leaves {
		leaf, err := proof.DecodeLeaf(b)
		if err != nil {
			return err
		}
		if l.rewrite != nil {
			if l.rewrite(&leaf); leaf.Snapshot != nil {
				if b, err = leaf.Encode(); err != nil {
					return err
				}
			}
		}
		if leaf.Batch != nil {
			batches = append(batches, b)
		} else {
			rest = append(rest, b)
		}
	}
	if l.use {
		leaves = append(l.batches, rest...)
	} else if l.rewrite != nil {
		leaves = append(batches, rest...)
	}
	return l.DB.SwapTable(ctx, id, old, location, applied, leaves...)
}

// bed is a lake with a log, as a server leaves it behind.
type bed struct {
	t       *testing.T
	dir     string
	objects objstore.Store
	db      meta.DB
	liar    *liar
	lake    *lake.Lake
	reg     *registry.Registry
	logs    *tlog.Service
	store   string
	seq     int64
}

func newBed(t *testing.T) *bed {
	t.Helper()
	dir := t.TempDir()
	objects, err := objstore.OpenLocal(filepath.Join(dir, "lake"))
	if err != nil {
		t.Fatal(err)
	}
	return newBedOn(t, dir, objects)
}

func newBedOn(t *testing.T, dir string, objects objstore.Store) *bed {
	t.Helper()
	b := &bed{t: t, dir: dir, objects: objects}
	var err error
	b.db, err = meta.OpenSQLite(t.Context(), filepath.Join(b.dir, "meta.db"))
	b.ok(err)
	t.Cleanup(func() { b.db.Close() })
	b.liar = &liar{DB: b.db}
	b.lake, err = lake.Open(t.Context(), lake.Config{Objects: b.objects, Meta: b.liar})
	b.ok(err)
	b.reg, err = registry.New(t.Context(), registry.Config{DB: b.db, Lake: b.lake})
	b.ok(err)
	name := "audit"
	s, err := b.reg.CreateStore(t.Context(), meta.Scope{Account: "111122223333", Region: "us-east-1"}, registry.StoreSettings{Name: &name})
	b.ok(err)
	b.store = s.ID
	b.logs = tlog.Open(tlog.Config{Meta: b.db, Objects: b.objects, Key: key, Every: time.Hour})
	t.Cleanup(func() { b.logs.Close(t.Context()) })
	return b
}

func (b *bed) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// rows are the events of one record of the durable log, on two days.
func (b *bed) rows(n int) (rows []lake.Row) {
	b.seq++
	d := event.NewDecoder()
	for i := range n {
		text := fmt.Sprintf(`{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/u%d"},"eventTime":"2024-05-0%dT10:00:0%dZ","eventSource":"s3.amazonaws.com","eventName":"Get%d","awsRegion":"us-east-1",`+
			`"sourceIPAddress":"192.0.2.%d","requestParameters":{"bucketName":"b%d","list":[1,2]},"resources":[{"ARN":"arn:aws:s3:::b","type":"AWS::S3::Bucket"},{"ARN":"x"}],"eventID":"%08d-0000-0000-0000-%012d","eventType":"AwsApiCall","recipientAccountId":"111122223333","eventCategory":"Management"}`,
			i%3, 1+i%2, i%10, i%4, i%200, i, b.seq, i)
		r, err := d.Decode([]byte(text))
		b.ok(err)
		rows = append(rows, lake.Row{Event: &r, Envelope: lake.Envelope{Writer: "w", Epoch: 1, Sequence: b.seq, Position: int32(i), Accepted: 1_700_000_000_000_000 + b.seq, Provenance: "s3://bucket/" + strconv.FormatInt(b.seq, 10)}})
	}
	return rows
}

// commit brings records to the table, the last of them in two commits.
func (b *bed) commit(records, events int) {
	b.t.Helper()
	for n := range records {
		rows := b.rows(events)
		parts := [][]lake.Row{rows}
		if n == records-1 {
			parts = [][]lake.Row{rows[:events/2], rows[events/2:]}
		}
		for _, part := range parts {
			files, err := b.lake.Write(b.t.Context(), b.store, part)
			b.ok(err)
			b.ok(b.lake.Commit(b.t.Context(), b.store, files, b.seq))
		}
	}
}

func (b *bed) flush() { b.t.Helper(); b.ok(b.logs.Flush(b.t.Context())) }

func (b *bed) verify(full bool, seen Seen) Report {
	b.t.Helper()
	r, err := Run(b.t.Context(), Options{Objects: b.objects, Meta: b.db, Key: key.Public(), Full: full, Seen: seen})
	b.ok(err)
	return r
}

func (b *bed) clean(full bool, seen Seen) Report {
	b.t.Helper()
	r := b.verify(full, seen)
	for _, f := range r.Findings {
		b.t.Errorf("%s %s: %s", f.Store, f.Object, f.Problem)
	}
	return r
}

func TestWhatIsWholeHasNoFindings(t *testing.T) {
	b := newBed(t)
	b.clean(true, nil)
	b.flush()
	seen := Seen{}
	b.clean(true, seen)
	b.commit(5, 20)
	if r := b.clean(true, seen); r.Pending == 0 || r.Checked != 100 || r.Events != 100 {
		t.Errorf("%+v", r)
	}
	b.flush()
	days := int32(30)
	_, err := b.reg.UpdateStore(t.Context(), meta.Scope{Account: "111122223333", Region: "us-east-1"}, b.store, registry.StoreSettings{RetentionDays: &days})
	b.ok(err)
	b.commit(40, 4) // manifests are merged and snapshots expire
	b.flush()
	if r := b.clean(true, seen); r.Pending != 0 || r.Checked != 260 {
		t.Errorf("%+v", r)
	}
	for worked := true; worked; {
		worked, err = b.lake.Compact(t.Context(), b.store)
		b.ok(err)
	}
	b.flush()
	if r := b.clean(true, seen); r.Checked != 260 || len(seen) != 1 {
		t.Errorf("%+v %v", r, seen)
	}
}

// tamper writes over an object, as somebody may who may change its mode.
func tamper(path string, content []byte) error {
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// copyTree keeps a folder as it is now.
func (b *bed) snapshot() map[string][]byte {
	out := map[string][]byte{}
	b.ok(b.objects.List(b.t.Context(), "", "", func(o objstore.Object) error {
		c, err := os.ReadFile(b.objects.LocalPath(o.Key))
		out[o.Key] = c
		return err
	}))
	return out
}

func (b *bed) restore(objects map[string][]byte, prefix string) {
	b.ok(b.objects.List(b.t.Context(), prefix, "", func(o objstore.Object) error { return os.Remove(b.objects.LocalPath(o.Key)) }))
	for k, c := range objects {
		if strings.HasPrefix(k, prefix) {
			path := b.objects.LocalPath(k)
			b.ok(os.MkdirAll(filepath.Dir(path), 0o700))
			b.ok(os.WriteFile(path, c, 0o600))
		}
	}
}

// What somebody who may write everything but has no key can do to whole objects.
func TestRollbacksAndSwapsAreFound(t *testing.T) {
	b := newBed(t)
	b.commit(3, 10)
	b.flush()
	old := b.snapshot()
	oldRow, err := b.db.Table(t.Context(), b.store)
	b.ok(err)
	b.commit(3, 10)
	b.flush()
	seen := Seen{}
	b.clean(true, seen)
	now := b.snapshot()
	found := func(name string, seen Seen, objects ...string) {
		t.Helper()
		r := b.verify(false, seen)
		for _, o := range objects {
			if !says(r, o, "") {
				t.Errorf("%s: %s is not named: %v", name, o, r.Findings)
			}
		}
		b.restore(now, "")
	}
	log, row := tlog.Prefix+b.store, "metadata: table"
	checkpoint := log + "/checkpoint"
	last := maps.Clone(seen)
	b.restore(old, tlog.Prefix)
	found("the log set back", Seen{}, log)
	b.restore(old, "")
	found("log and table set back", Seen{}, log, row)
	newRow, err := b.db.Table(t.Context(), b.store)
	b.ok(err)
	b.restore(old, "")
	b.ok(b.db.SwapTable(t.Context(), b.store, newRow.Location, oldRow.Location, 0))
	found("log, table and metadata set back, and only the verifier remembers", last, checkpoint)
	found("the table set back in the metadata", Seen{}, row)
	b.ok(b.db.SwapTable(t.Context(), b.store, oldRow.Location, newRow.Location, 0))
	b.clean(true, seen)
	b.restore(nil, tlog.Prefix)
	found("the log removed", last, checkpoint)

	var data []string
	for k := range now {
		if strings.Contains(k, "/data/") {
			data = append(data, k)
		}
	}
	slices.Sort(data)
	b.ok(tamper(b.objects.LocalPath(data[0]), now[data[1]]))
	found("a file in another's place", Seen{}, data[0])
	b.ok(os.Remove(b.objects.LocalPath(data[0])))
	found("a file removed", Seen{}, data[0])

	// Another key's checkpoint over other leaves.
	r := tlog.Reader{Objects: b.objects, StoreID: b.store}
	other, err := proof.NewKey(make([]byte, proof.SeedSize)).Sign(b.store, seen[b.store][0].Size, proof.Hash(seen[b.store][0].Root))
	b.ok(err)
	b.ok(tamper(b.objects.LocalPath(r.Key(proof.CheckpointPath)), other))
	found("a checkpoint of another key", Seen{}, checkpoint)

	_, err = b.db.UpdateStore(t.Context(), b.store, func(s *meta.EventDataStore) error { s.RetentionDays = 7; return nil })
	b.ok(err)
	found("a retention that no leaf tells of", Seen{}, "metadata: store")
}

// A table whose metadata says other of its files than the log does: as the bounds that planning leaves files out by, altered to hide rows.
func TestMetadataThatSaysOther(t *testing.T) {
	for name, c := range map[string]struct {
		rewrite func(*proof.Snapshot)
		finding string
	}{
		"statistics":    {func(s *proof.Snapshot) { s.Added[0].Stats[7] ^= 1 }, "statistics were changed"},
		"size":          {func(s *proof.Snapshot) { s.Added[0].Size++ }, "statistics were changed"},
		"another file":  {func(s *proof.Snapshot) { s.Added[0].Path += "x" }, "the log does not tell of it"},
		"manifest":      {func(s *proof.Snapshot) { s.Manifests[0].SHA256[0] ^= 1 }, "changed: its SHA-256"},
		"no manifest":   {func(s *proof.Snapshot) { s.Manifests = nil }, "the log does not tell of it"},
		"manifest list": {func(s *proof.Snapshot) { s.List.SHA256[0] ^= 1 }, "changed: its SHA-256"},
		"metadata":      {func(s *proof.Snapshot) { s.Metadata.SHA256[0] ^= 1 }, "changed: its SHA-256"},
		"a hash":        {func(s *proof.Snapshot) { s.Added[1].SHA256[0] ^= 1 }, "changed: "},
		"rows":          {func(s *proof.Snapshot) { s.Added[1].Rows-- }, "came in batches"},
		"snapshot":      {func(s *proof.Snapshot) { s.ID++ }, "by its log at"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.commit(1, 6)
			b.liar.rewrite = func(l *proof.Leaf) {
				if l.Snapshot != nil {
					c.rewrite(l.Snapshot)
				}
			}
			rows := b.rows(6)
			files, err := b.lake.Write(t.Context(), b.store, rows)
			b.ok(err)
			b.ok(b.lake.Commit(t.Context(), b.store, files, b.seq))
			b.flush()
			if r := b.verify(false, nil); !slices.ContainsFunc(r.Findings, func(f Finding) bool { return strings.Contains(f.Problem, c.finding) }) {
				t.Errorf("%v", r.Findings)
			}
		})
	}
}
