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
	objects  objstore.Store
	lake     *lake.Lake
	registry *registry.Registry
	logs     *tlog.Service
	crash    string // where removals end as if the process had
	said     bytes.Buffer
	store    string
	sequence int64
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, dir: t.TempDir(), clock: time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)}
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
	b.objects, err = objstore.OpenLocal(filepath.Join(b.dir, "lake"))
	b.ok(err)
	b.lake, err = lake.Open(ctx, lake.Config{Objects: b.objects, Meta: crashes{b.db, b}, KeepSnapshots: 1})
	b.ok(err)
	now := func() time.Time { return b.clock }
	b.registry, err = registry.New(ctx, registry.Config{DB: crashes{b.db, b}, Lake: b.lake, Now: now, Log: slog.New(slog.DiscardHandler)})
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
	r, err := verify.Run(b.t.Context(), verify.Options{Objects: b.objects, Meta: b.db, Key: key.Public(), Full: true})
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

// A clock that jumps ahead removes nothing, also after a restart, until it is right again, somebody confirms it, or time has gone by.
func TestClockJumps(t *testing.T) {
	ctx := t.Context()
	jumped := func() *bed {
		t.Helper()
		b := newBed(t)
		b.commit(0, 20)
		b.round()
		b.clock = b.clock.AddDate(0, 0, 25)
		b.round()
		b.want(45, 25)
		b.restart()
		b.round()
		b.want(45, 25)
		w, err := b.Warning(ctx)
		b.ok(err)
		if !strings.Contains(w, "2026-07-10T12:00:00Z") || !strings.Contains(w, "2026-06-15T12:00:00Z") {
			t.Error(w)
		}
		return b
	}
	b := jumped()
	b.clock = b.clock.AddDate(0, 0, -25)
	b.round()
	if w, err := b.Warning(ctx); err != nil || w != "" {
		t.Error(w, err)
	}
	b.daysPass(11)
	b.want(11)

	b = jumped()
	if _, err := b.ConfirmClock(ctx, "2026-06-15"); !errors.Is(err, ErrWrongDate) {
		t.Error(err)
	}
	b.round()
	b.want(45, 25)
	c, err := b.ConfirmClock(ctx, "2026-07-10")
	if err != nil || c.Halted {
		t.Errorf("%+v, %v", c, err)
	}
	b.round()
	b.want(25)
	b.restart()
	b.round()
	if w, err := b.Warning(ctx); err != nil || w != "" {
		t.Error(w, err)
	}

	// Left alone, it goes on when it has run as long as it was off, and that is known over restarts.
	b = jumped()
	c, err = b.Clock(ctx)
	b.ok(err)
	if !c.Until.Equal(b.clock.AddDate(0, 0, 24)) {
		t.Errorf("%+v", c)
	}
	b.daysPass(12)
	b.restart()
	b.daysPass(11)
	b.want(68, 48)
	b.daysPass(1)
	b.round()
	b.want()
	said := b.said.String()
	if n := strings.Count(said, "level=ERROR"); n < 24*4-3 || n > 24*4+6 || !strings.Contains(said, "removal goes on") {
		t.Errorf("%d alarms:\n%s", n, said)
	}
	b.verify()
}

// Small gaps, as of restarts, add up to nothing while the server runs in between; but a clock that is pushed ahead again and again is found.
func TestClockGaps(t *testing.T) {
	b := newBed(t)
	for range 30 {
		b.clock = b.clock.Add(10 * time.Hour) // off at night
		b.restart()
		b.pass(14 * time.Hour)
		if c, err := b.Clock(t.Context()); err != nil || c.Halted {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	halted := false
	for range 5 {
		b.clock = b.clock.Add(20 * time.Hour)
		b.pass(time.Hour)
		c, err := b.Clock(t.Context())
		b.ok(err)
		halted = halted || c.Halted
	}
	if !halted {
		t.Error("a clock that is pushed ahead by days is believed")
	}
}

// A server that never kept what is known of the clock takes the last commit.
func TestFirstLook(t *testing.T) {
	b := newBed(t)
	if c, err := b.Clock(t.Context()); err != nil || c.Halted || !c.Good.Equal(b.clock) {
		t.Errorf("%+v, %v", c, err) // no commit yet
	}
	old := time.Now().Add(-time.Hour)
	for at, halted := range map[time.Time]bool{old.AddDate(0, 0, 2): true, old.Add(20 * time.Hour): false, old.AddDate(0, 0, -2): false} {
		c, err := openClock(t.Context(), forgetful{b.db}, func() time.Time { return at }, func() time.Duration { return 0 }, func(context.Context) (time.Time, error) { return old, nil })
		b.ok(err)
		if s, err := c.look(t.Context()); err != nil || s.Halted != halted {
			t.Errorf("%v: %+v, %v", at, s, err)
		}
	}
	b.commit(0)
	if last, err := b.lake.LastCommit(t.Context()); err != nil || time.Since(last) > time.Minute {
		t.Error(last, err)
	}
}

type forgetful struct{ meta.DB }

func (forgetful) Value(context.Context, string) (string, error) { return "", meta.ErrNotFound }

// A removal that its server made too early is found, and named, whatever the server believed.
func TestEarlyRemovalIsFound(t *testing.T) {
	b := newBed(t)
	b.commit(0, 10, 20)
	day := int32(b.clock.AddDate(0, 0, -20).Unix() / 86400)
	_, err := b.lake.RemoveDays(t.Context(), b.store, []int32{day}, b.clock, proof.Removal{Rule: "retention", Due: proof.Time(b.clock)}, func(meta.EventDataStore, []meta.Hold) error { return nil })
	b.ok(err)
	b.ok(b.logs.Flush(t.Context()))
	r, err := verify.Run(t.Context(), verify.Options{Objects: b.objects, Meta: b.db, Key: key.Public(), Full: true})
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
	r, err := verify.Run(t.Context(), verify.Options{Objects: b.objects, Meta: b.db, Key: key.Public()})
	b.ok(err)
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Problem, "was on them") {
		t.Errorf("%v", r.Findings)
	}
	if said, ok := b.python(); ok || !strings.Contains(said, "on hold") {
		t.Errorf("the second verifier: %s", said)
	}
}

// crashes ends the process, as far as the test is concerned, at a named step of a removal.
type crashes struct {
	meta.DB
	b *bed
}

type crashed string

func (c crashes) pass(step string) {
	if c.b.crash == step {
		panic(crashed(step))
	}
}

func (c crashes) RemoveFromTable(ctx context.Context, id, old, location string, applied int64, r meta.Removal, leaves ...[]byte) error {
	c.pass("before days are removed")
	err := c.DB.RemoveFromTable(ctx, id, old, location, applied, r, leaves...)
	c.pass("after days are removed")
	return err
}

func (c crashes) ForgetRemovedFiles(ctx context.Context, id string, keys []string) error {
	c.pass("when files are deleted")
	return c.DB.ForgetRemovedFiles(ctx, id, keys)
}

func (c crashes) RetireStore(ctx context.Context, id string, leaves ...[]byte) error {
	c.pass("before a store is removed")
	err := c.DB.RetireStore(ctx, id, leaves...)
	c.pass("after a store is removed")
	return err
}

func (c crashes) ForgetDeletedTable(ctx context.Context, id string) error {
	c.pass("when a store's files are deleted")
	return c.DB.ForgetDeletedTable(ctx, id)
}

// Wherever a crash ends a removal, the lake balances with its log after it, and the next server brings it to its end.
func TestCrashes(t *testing.T) {
	for _, step := range []string{"before days are removed", "after days are removed", "when files are deleted", "before a store is removed", "after a store is removed", "when a store's files are deleted"} {
		t.Run(step, func(t *testing.T) {
			b := newBed(t)
			b.commit(0, 40, 41)
			gone := strings.Contains(step, "store")
			if gone {
				b.ok(b.registry.DeleteStore(t.Context(), here, b.store))
			}
			b.crash = step
			var at any
			for range 40 {
				func() {
					defer func() { at = recover() }()
					b.pass(6 * time.Hour)
					b.round()
				}()
				if at != nil {
					break
				}
			}
			if at != crashed(step) {
				t.Fatalf("ended with %v", at)
			}
			b.crash = ""
			b.restart()
			b.verify()
			b.round()
			b.verify()
			b.daysPass(9)
			r := b.verify()
			if gone && r.Events != 0 || !gone && r.Events != 1 {
				t.Errorf("%+v", r)
			}
			if n := b.files(); gone && n != 0 || !gone && n != 1 {
				t.Errorf("%d files are left", n)
			}
		})
	}
}
