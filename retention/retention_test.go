package retention

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3test"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/tlog"
	"github.com/lochlake/loch/verify"
)

var (
	here = meta.Scope{Account: "111122223333", Region: "us-east-1"}
	key  = proof.NewKey(bytes.Repeat([]byte{3}, proof.SeedSize))
)

// bed is a lake with stores, a log, and a clock that only the test moves.
type bed struct {
	*Service
	t        *testing.T
	dir      string
	clock    time.Time
	up       time.Duration
	db       meta.DB
	bucket   objstore.Store
	objects  objstore.Store
	lake     *lake.Lake
	registry *registry.Registry
	logs     *tlog.Service
	crash    string // where removals end as if the process had
	said     bytes.Buffer
	store    string
	sequence int64
}

func newBed(t *testing.T) *bed { t.Helper(); return newBedOn(t, nil) }

// newBedOn makes a bed whose tables lie in a bucket, nil: in a folder.
func newBedOn(t *testing.T, bucket objstore.Store) *bed {
	t.Helper()
	b := &bed{t: t, dir: t.TempDir(), bucket: bucket, clock: time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)}
	b.open()
	t.Cleanup(func() { b.close() })
	name, off, days := "audit", false, int32(30)
	s, err := b.registry.CreateStore(t.Context(), here, registry.StoreSettings{Name: &name, TerminationProtection: &off, RetentionDays: &days})
	b.ok(err)
	b.store = s.ID
	return b
}

func (b *bed) open() {
	b.t.Helper()
	ctx := b.t.Context()
	var err error
	b.db, err = meta.OpenSQLite(ctx, filepath.Join(b.dir, "meta.db"))
	b.ok(err)
	if b.objects = b.bucket; b.bucket == nil {
		b.objects, err = objstore.OpenLocal(filepath.Join(b.dir, "lake"))
		b.ok(err)
	}
	b.lake, err = lake.Open(ctx, lake.Config{Objects: b.objects, Meta: crashes{b.db, b}, KeepSnapshots: 1})
	b.ok(err)
	now := func() time.Time { return b.clock }
	b.registry, err = registry.New(ctx, registry.Config{DB: crashes{b.db, b}, Lake: b.lake, Now: now, Latest: func() time.Time { return b.Service.Latest() }, Log: slog.New(slog.DiscardHandler)})
	b.ok(err)
	b.logs = tlog.Open(tlog.Config{Meta: b.db, Objects: b.objects, Key: key, Every: time.Hour})
	b.Service, err = Open(ctx, Config{DB: b.db, Tables: b.lake, Stores: b.registry, Now: now, Uptime: func() time.Duration { return b.up }, Log: slog.New(slog.NewTextHandler(&b.said, nil))})
	b.ok(err)
}

func (b *bed) close() {
	b.t.Helper()
	b.ok(errors.Join(b.logs.Close(context.WithoutCancel(b.t.Context())), b.db.Close()))
}

func (b *bed) restart() {
	b.t.Helper()
	b.close()
	b.open()
}

func (b *bed) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// pass lets time go by, for the clock and for the server.
func (b *bed) pass(d time.Duration) { b.clock, b.up = b.clock.Add(d), b.up+d }

// days lets days go by, with a look every six hours.
func (b *bed) daysPass(n int) {
	b.t.Helper()
	for range 4 * n {
		b.pass(6 * time.Hour)
		b.ok(b.Round(b.t.Context()))
	}
}

// commit brings an event for each of some days before today.
func (b *bed) commit(ago ...int) {
	b.t.Helper()
	b.sequence++
	d := event.NewDecoder()
	var rows []lake.Row
	for i, n := range ago {
		at := b.clock.AddDate(0, 0, -n)
		r, err := d.Decode(fmt.Appendf(nil, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser"},"eventTime":%q,"eventSource":"s3.amazonaws.com","eventName":"Get","awsRegion":"us-east-1",`+
			`"eventID":"%08d-0000-0000-0000-%012d","eventType":"AwsApiCall","recipientAccountId":"111122223333","eventCategory":"Management"}`, at.Format(time.RFC3339), b.sequence, i))
		b.ok(err)
		rows = append(rows, lake.Row{Event: &r, Envelope: lake.Envelope{Writer: "w", Epoch: 1, Sequence: b.sequence, Position: int32(i), Accepted: at.UnixMicro(), Provenance: "test"}})
	}
	files, err := b.lake.Write(b.t.Context(), b.store, rows)
	b.ok(err)
	b.ok(b.lake.Commit(b.t.Context(), b.store, files, b.sequence))
}

// has tells how many days before today the events are that the table holds.
func (b *bed) has() (ago []int) {
	b.t.Helper()
	days, err := b.lake.Days(b.t.Context(), b.store)
	b.ok(err)
	for _, d := range days {
		ago = append(ago, int(b.clock.Unix()/86400)-int(d.Day))
	}
	return ago
}

func (b *bed) want(ago ...int) {
	b.t.Helper()
	if got := b.has(); !slices.Equal(got, ago) {
		b.t.Errorf("the table has the days %v ago, want %v", got, ago)
	}
}

func (b *bed) round() { b.t.Helper(); b.ok(b.Round(b.t.Context())) }

func (b *bed) verify() verify.Report {
	b.t.Helper()
	b.ok(b.logs.Flush(b.t.Context()))
	r, err := verify.Run(b.t.Context(), verify.Options{Objects: b.objects, Meta: b.db, Key: key.Public(), Full: true, Now: b.clock})
	b.ok(err)
	for _, f := range r.Findings {
		b.t.Errorf("%s %s: %s", f.Store, f.Object, f.Problem)
	}
	return r
}

func (b *bed) files() (n int) {
	b.t.Helper()
	b.ok(b.objects.List(b.t.Context(), "tables/"+b.store+"/data/", "", func(objstore.Object) error { n++; return nil }))
	return n
}

// Days go when all of them is past the retention, and everything that is left balances; their files seven days later.
func TestDaysGoWhenDue(t *testing.T) {
	b := newBed(t)
	b.commit(0, 29, 30, 31, 32)
	b.round()
	b.want(30, 29, 0)
	if r := b.verify(); r.Events != 3 || r.Checked != 3 {
		t.Errorf("%+v", r)
	}
	if n := b.files(); n != 5 {
		t.Errorf("%d files", n)
	}
	b.pass(11*time.Hour + 59*time.Minute + 59*time.Second)
	b.round()
	b.want(30, 29, 0)
	b.pass(time.Second)
	b.round()
	b.want(30, 1)
	v, err := b.View(t.Context(), b.mine(), 0)
	b.ok(err)
	if v.Has.Events != 2 || v.Waiting.Files != 3 || v.Waiting.Events != 3 || v.Goes.Events != 0 {
		t.Errorf("%+v", v)
	}
	b.restart()
	b.pass(7*24*time.Hour - 12*time.Hour - time.Second)
	b.ok(b.Service.clock.confirm(t.Context()))
	b.round()
	if n := b.files(); n != 5 { // one more was removed, and none deleted
		t.Errorf("%d files", n)
	}
	b.daysPass(8)
	b.want(15)
	if n := b.files(); n != 1 {
		t.Errorf("%d files", n)
	}
	if r := b.verify(); r.Events != 1 {
		t.Errorf("%+v", r)
	}
	if said, ok := b.python(); !ok {
		t.Error(said)
	}
}

// python runs the second verifier over the lake's log and files.
func (b *bed) python() (string, bool) {
	b.t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		b.t.Skip("the second verifier needs python3")
	}
	out, err := exec.Command(path, "../verify/testdata/verify.py", key.Public().String(), "lake", filepath.Join(b.dir, "lake"), b.store).CombinedOutput()
	if err != nil != strings.HasPrefix(string(out), "invalid: ") {
		b.t.Fatalf("%v: %s", err, out)
	}
	return string(out), err == nil
}

func (b *bed) mine() meta.EventDataStore {
	b.t.Helper()
	s, err := b.db.Store(b.t.Context(), b.store)
	b.ok(err)
	return s
}

// What is lowered by AWS's call goes after a grace, in which it can be raised again; what is lowered by a caller who has seen what goes, at once.
func TestLoweredRetention(t *testing.T) {
	b := newBed(t)
	b.commit(0, 10, 20, 30)
	lower := func(days int32) {
		t.Helper()
		_, err := b.registry.UpdateStore(t.Context(), here, b.store, registry.StoreSettings{RetentionDays: &days})
		b.ok(err)
	}
	v, err := b.View(t.Context(), b.mine(), 15)
	b.ok(err)
	if v.Goes.Events != 2 || v.Goes.Days != 2 || v.Goes.Oldest != "2026-05-16" || v.Goes.Newest != "2026-05-26" || v.Goes.Bytes == 0 || v.Asked != 15 || v.RetentionDays != 30 || v.Has.Days != 4 {
		t.Errorf("%+v", v)
	}
	lower(15)
	b.round()
	b.want(30, 20, 10, 0)
	if v, err = b.View(t.Context(), b.mine(), 0); err != nil || v.Goes.Events != 2 || !v.RemoveAfter.Equal(b.clock.AddDate(0, 0, 7)) {
		t.Errorf("%+v, %v", v, err)
	}
	b.daysPass(6)
	b.want(36, 26, 16, 6)
	lower(50) // raised
	b.daysPass(3)
	b.want(39, 29, 19, 9)
	lower(30)
	b.daysPass(7)
	b.want(26, 16)
	b.verify()
	if _, err := b.View(t.Context(), b.mine(), 3); err == nil {
		t.Error("a retention of 3 days")
	}
	if v, err = b.SetRetention(t.Context(), here, b.store, 20); err != nil || v.Goes.Events != 1 || v.RetentionDays != 20 || !v.RemoveAfter.IsZero() {
		t.Errorf("%+v, %v", v, err)
	}
	b.round()
	b.want(16)
	b.verify()
}

// Nothing that is on hold goes, by retention or by the deletion of its store, and the log proves it.
func TestHeldEventsStay(t *testing.T) {
	b := newBed(t)
	b.commit(10, 30, 31, 32, 33)
	from := b.clock.AddDate(0, 0, -32).Truncate(24 * time.Hour).Add(time.Hour)
	h, err := b.registry.PlaceHold(t.Context(), here, "me", b.store, from, from.Add(time.Second), "case 7")
	b.ok(err)
	b.round()
	b.want(32, 30, 10)
	v, err := b.View(t.Context(), b.mine(), 15)
	b.ok(err)
	if v.Held.Events != 1 || v.Held.Oldest != v.Held.Newest || v.Goes.Events != 1 {
		t.Errorf("%+v", v)
	}
	b.verify()
	// Nor do files go that were removed before the hold was placed.
	before, err := b.registry.PlaceHold(t.Context(), here, "me", b.store, time.Time{}, from.Truncate(24*time.Hour), "case 8")
	b.ok(err)
	b.daysPass(8)
	b.want(40, 18)
	if n := b.files(); n != 3 { // two that the table has, and that of the day that was 33 ago
		t.Errorf("%d files", n)
	}
	for _, id := range []string{h.ID, before.ID} {
		_, err = b.registry.LiftHold(t.Context(), here, "me", id, "over")
		b.ok(err)
	}
	b.round()
	b.want(18)
	b.daysPass(8)
	if n := b.files(); n != 1 {
		t.Errorf("%d files", n)
	}
	b.verify()
}

// A deleted store is whole for seven days, and then gone with its files, though its log stays.
func TestDeletedStoreGoes(t *testing.T) {
	b := newBed(t)
	b.commit(0, 28, 30)
	b.ok(b.registry.DeleteStore(t.Context(), here, b.store))
	b.daysPass(6) // days that fall due meanwhile stay
	b.want(36, 34, 6)
	b.verify()
	_, err := b.registry.RestoreStore(t.Context(), here, b.store)
	b.ok(err)
	b.round()
	b.want(6)
	b.ok(b.registry.DeleteStore(t.Context(), here, b.store))
	b.daysPass(7)
	if _, err := b.db.Store(t.Context(), b.store); !errors.Is(err, meta.ErrNotFound) {
		t.Error(err)
	}
	n := 0
	b.ok(b.objects.List(t.Context(), "tables/"+b.store, "", func(objstore.Object) error { n++; return nil }))
	if n != 0 {
		t.Errorf("%d objects are left", n)
	}
	if r := b.verify(); r.Events != 0 || r.Leaves == 0 {
		t.Errorf("%+v", r)
	}
}

// A removal that its server made too early is found, and named, whatever the server believed.
func TestEarlyRemovalIsFound(t *testing.T) {
	b := newBed(t)
	b.commit(0, 10, 20)
	day := int32(b.clock.AddDate(0, 0, -20).Unix() / 86400)
	_, err := b.lake.RemoveDays(t.Context(), b.store, []int32{day}, b.clock, proof.Removal{Rule: "retention", Due: proof.Time(b.clock)}, func(meta.EventDataStore, []meta.Hold) error { return nil })
	b.ok(err)
	b.ok(b.logs.Flush(t.Context()))
	r, err := verify.Run(t.Context(), verify.Options{Objects: b.objects, Meta: b.db, Key: key.Public(), Full: true, Now: b.clock})
	b.ok(err)
	problems := map[string]bool{}
	for _, f := range r.Findings {
		problems[f.Problem] = true
	}
	if len(problems) != 1 || !strings.Contains(slices.Collect(maps.Keys(problems))[0], "the events of 2026-05-26 were removed at 2026-06-15T12:00:00Z: early, for the store keeps 30 days") {
		t.Errorf("%v", r.Findings)
	}
	if said, ok := b.python(); ok || !strings.Contains(said, "early") {
		t.Errorf("the second verifier: %s", said)
	}
}

// So is one by a clock that ran ahead, or that its server made up.
func TestRemovalToComeIsFound(t *testing.T) {
	b := newBed(t)
	b.commit(0, 20)
	b.daysPass(20)
	b.want(20)
	b.verify()
	b.clock = b.clock.AddDate(0, 0, -2)
	r, err := verify.Run(t.Context(), verify.Options{Objects: b.objects, Meta: b.db, Key: key.Public(), Now: b.clock})
	b.ok(err)
	if len(r.Findings) != 0 { // it went nine days ago
		t.Errorf("%v", r.Findings)
	}
	b.clock = b.clock.AddDate(0, 0, -9)
	r, err = verify.Run(t.Context(), verify.Options{Objects: b.objects, Meta: b.db, Key: key.Public(), Now: b.clock})
	b.ok(err)
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Problem, "still to come") {
		t.Errorf("%v", r.Findings)
	}
}

// So is one of what was on hold.
func TestRemovalOfHeldIsFound(t *testing.T) {
	b := newBed(t)
	b.commit(0, 40)
	_, err := b.registry.PlaceHold(t.Context(), here, "me", b.store, time.Time{}, b.clock, "case 7")
	b.ok(err)
	_, err = b.lake.RemoveDays(t.Context(), b.store, []int32{int32(b.clock.AddDate(0, 0, -40).Unix() / 86400)}, b.clock, proof.Removal{Rule: "retention", Due: proof.Time(b.clock)},
		func(meta.EventDataStore, []meta.Hold) error { return nil })
	b.ok(err)
	b.ok(b.logs.Flush(t.Context()))
	r, err := verify.Run(t.Context(), verify.Options{Objects: b.objects, Meta: b.db, Key: key.Public(), Now: b.clock})
	b.ok(err)
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Problem, "was on them") {
		t.Errorf("%v", r.Findings)
	}
	if said, ok := b.python(); ok || !strings.Contains(said, "on hold") {
		t.Errorf("the second verifier: %s", said)
	}
}

// The same where tables and logs lie in a bucket.
func TestInABucket(t *testing.T) {
	srv := s3test.Start(t)
	b := newBedOn(t, srv.Open(t, srv.Bucket(t, "lake")+"/prefix"))
	b.commit(0, 30, 31, 32)
	b.round()
	b.want(30, 0)
	b.verify()
	if n := b.files(); n != 4 {
		t.Errorf("%d files", n)
	}
	b.daysPass(9)
	b.want(9)
	if n := b.files(); n != 1 {
		t.Errorf("%d files", n)
	}
	b.ok(b.registry.DeleteStore(t.Context(), here, b.store))
	b.daysPass(8)
	if n := b.files(); n != 0 {
		t.Errorf("%d files", n)
	}
	b.verify()
}
