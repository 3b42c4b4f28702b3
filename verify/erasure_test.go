package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/lake/laketest"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3test"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// erase erases every event under an ID, and what was left of it.
func (b *bed) erase(id string) []lake.Kept {
	b.t.Helper()
	erased, err := b.lake.Erase(b.t.Context(), b.store, lake.Erasure{EventID: id, Reason: "ticket 12", By: "arn:aws:iam::111122223333:root", At: time.Now(), Dir: b.t.TempDir()})
	b.ok(err)
	b.cleanse()
	return erased
}

func (b *bed) cleanse() {
	b.t.Helper()
	from, err := b.lake.CleanseFrom(b.t.Context(), b.store)
	b.ok(err)
	b.ok(b.lake.Cleanse(b.t.Context(), b.store, from, nil))
}

// secret is an event of which everything but its identity and time is to go; its name is the least of all, so that it is a bound of its file.
func (b *bed) secret(id string, sequence int64, position int32) lake.Row {
	b.t.Helper()
	text := fmt.Sprintf(`{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","arn":"AAA-secret-arn","userName":"AAA-secret-user"},"eventTime":"2024-05-01T11:12:13Z","eventSource":"AAA-secret-source","eventName":"AAA-secret-name","awsRegion":"us-east-1",`+
		`"sourceIPAddress":"00-secret-address","requestParameters":{"AAA-secret-key":"AAA-secret-value"},"resources":[{"ARN":"AAA-secret-resource"}],"eventID":"%s","eventType":"AwsApiCall","recipientAccountId":"111122223333"}`, id)
	r, err := event.NewDecoder().Decode([]byte(text))
	b.ok(err)
	return lake.Row{Event: &r, Envelope: lake.Envelope{Writer: "w", Epoch: 1, Sequence: sequence, Position: position, Accepted: 1_700_000_000_000_000, Provenance: "s3://bucket/x"}}
}

const secretID = "5ec4e700-0000-0000-0000-000000000001"

// plant commits events with a secret one among them.
func (b *bed) plant(id string) {
	b.t.Helper()
	rows := b.rows(9)
	rows = append(rows, b.secret(id, b.seq, 9))
	files, err := b.lake.Write(b.t.Context(), b.store, rows)
	b.ok(err)
	b.ok(b.lake.Commit(b.t.Context(), b.store, files, b.seq))
}

func (b *bed) compact() {
	b.t.Helper()
	for worked := true; worked; {
		var err error
		worked, err = b.lake.Compact(b.t.Context(), b.store)
		b.ok(err)
	}
}

// An erased event leaves its identity, envelope and time; nothing else of it is in the folder, and the lake verifies as before: erased from a fresh file, or from one that was merged; and files
// with tombstones are merged like others.
func TestErasedEventsLeaveNothing(t *testing.T) {
	for _, merged := range []bool{false, true} {
		t.Run(fmt.Sprintf("merged %t", merged), func(t *testing.T) {
			b := newBed(t)
			b.commit(4, 10)
			b.plant(secretID)
			b.commit(2, 10)
			if merged {
				b.compact()
			}
			b.flush()
			folder := filepath.Join(b.dir, "lake")
			if found := laketest.Holding(t, folder, "secret"); len(found) < 2 { // a data file and a manifest
				t.Fatal("the test finds nothing where there is something:", found)
			}
			seen := Seen{}
			b.clean(true, seen)
			erased := b.erase(secretID)
			if len(erased) != 1 || erased[0].ID != secretID || erased[0].Position != 9 || erased[0].Erased {
				t.Fatalf("%+v", erased)
			}
			if found := laketest.Holding(t, folder, "secret"); len(found) > 0 {
				t.Error("left:", found)
			}
			check := func() {
				t.Helper()
				b.flush()
				if r := b.clean(true, seen); r.Events != 70 || r.Checked != 70 || r.Erased != 1 || r.Orphans != 0 && !merged {
					t.Errorf("%+v", r)
				}
				var rows []lake.Kept
				var texts []string
				b.ok(b.lake.Under(t.Context(), b.store, secretID, func(k *lake.Kept, text []byte) error {
					rows, texts = append(rows, *k), append(texts, string(text))
					return nil
				}))
				if len(rows) != 1 || !rows[0].Erased || rows[0].Event != erased[0].Event || rows[0].Time != erased[0].Time || texts[0] != fmt.Sprintf(`{"lochErased":"%x"}`, erased[0].Text) {
					t.Errorf("%+v %q", rows, texts)
				}
			}
			check()
			// The identity index made anew knows the event by its hash.
			known := false
			b.ok(b.lake.Identities(t.Context(), b.store, -1, func(s *lake.Stored) error {
				known = known || string(s.EventID) == secretID && s.Hash == erased[0].Text
				return nil
			}))
			if !known {
				t.Error("an index that is made anew would not know the event")
			}
			if again := b.erase(secretID); len(again) != 0 {
				t.Error("erased twice:", again)
			}
			b.commit(3, 10)
			b.erase("00000005-0000-0000-0000-000000000001") // of plant's record: its neighbour
			b.compact()
			b.cleanse()
			b.flush()
			if r := b.clean(true, seen); r.Events != 100 || r.Erased != 2 {
				t.Errorf("%+v", r)
			}
			if found := laketest.Holding(t, folder, "secret"); len(found) > 0 {
				t.Error("left after compaction:", found)
			}

			log := tlog.Reader{Objects: b.objects, StoreID: b.store}
			if _, err := Prove(t.Context(), b.lake, log, key.Public(), secretID); !errors.Is(err, ErrErased) {
				t.Errorf("a proof of what was erased: %v", err)
			}
			if _, err := Prove(t.Context(), b.lake, log, key.Public(), "00000005-0000-0000-0000-000000000002"); err != nil {
				t.Errorf("a proof of an event beside it: %v", err)
			}
			if said, ok := python(t, "lake", folder, b.store); !ok || !strings.Contains(said, "100 events") || !strings.Contains(said, "2 erased") {
				t.Error("the second verifier:", said)
			}
		})
	}
}

// life is how many changes a process makes before it is killed; below zero: it is not.
type life struct{ left int }

var errKilled = errors.New("killed")

func (l *life) step() error {
	if l.left == 0 {
		return errKilled
	}
	l.left--
	return nil
}

// dyingObjects and dyingDB are those of such a process.
type dyingObjects struct {
	objstore.Store
	*life
}

type dyingDB struct {
	meta.DB
	*life
}

func (d dyingObjects) Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Store.Put(ctx, key, r, size, onlyNew)
}

func (d dyingObjects) Delete(ctx context.Context, key string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Store.Delete(ctx, key)
}

func (d dyingDB) SwapTable(ctx context.Context, id, old, location string, applied int64, leaves ...[]byte) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.DB.SwapTable(ctx, id, old, location, applied, leaves...)
}

func (d dyingDB) RemoveFromTable(ctx context.Context, id, old, location string, applied int64, r meta.Removal, leaves ...[]byte) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.DB.RemoveFromTable(ctx, id, old, location, applied, r, leaves...)
}

// Wherever an erasure is cut off, the lake verifies, the event is whole or a tombstone, and doing it again brings it to its end: erased once, and nothing left.
func TestCrashesInErasures(t *testing.T) {
	b := newBed(t)
	b.commit(2, 4)
	folder := filepath.Join(b.dir, "lake")
	rounds, done := 0, false
	for ; !done; rounds++ {
		if rounds > 100 {
			t.Fatal("there is no end")
		}
		id := fmt.Sprintf("5ec4e700-0000-0000-0000-%012d", rounds)
		b.plant(id)
		run := func(left int) error { // in a process of its own
			its := &life{left}
			l, err := lake.Open(t.Context(), lake.Config{Objects: dyingObjects{b.objects, its}, Meta: dyingDB{b.db, its}})
			b.ok(err)
			_, err = l.Erase(t.Context(), b.store, lake.Erasure{EventID: id, Reason: "ticket 12", By: "me", At: time.Now(), Dir: t.TempDir()})
			if err != nil {
				return err
			}
			from, err := l.CleanseFrom(t.Context(), b.store)
			if err != nil {
				return err
			}
			return l.Cleanse(t.Context(), b.store, from, nil)
		}
		err := run(rounds)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		done = err == nil
		b.flush()
		b.clean(false, nil)
		b.ok(run(-1))
		b.flush()
		if r := b.clean(done, nil); r.Erased != int64(rounds)+1 {
			t.Errorf("cut after %d changes, %d of %d events are erased", rounds, r.Erased, rounds+1)
		}
		if found := laketest.Holding(t, folder, "secret"); len(found) > 0 {
			t.Errorf("cut after %d changes, left: %v", rounds, found)
		}
		// What the test's own lake knows of the table is from before.
		b.lake, err = lake.Open(t.Context(), lake.Config{Objects: b.objects, Meta: b.liar})
		b.ok(err)
	}
	if rounds < 10 {
		t.Errorf("an erasure makes only %d changes", rounds)
	}
}

// Erasures that the log does not tell of, tells wrongly, or tells of although they did not happen, are found.
func TestFalseErasuresAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		rewrite func(*proof.Leaf)
		drop    bool
		problem string
	}{
		"no leaf":       {drop: true, problem: "is a tombstone, and the log does not tell of its erasure"},
		"another entry": {rewrite: func(l *proof.Leaf) { l.Erasure.Entry[0] ^= 1 }, problem: "was another by the leaf of its erasure"},
		"another time":  {rewrite: func(l *proof.Leaf) { l.Erasure.Time = "2024-05-01T00:00:00Z" }, problem: "has another time"},
		"another place": {rewrite: func(l *proof.Leaf) { l.Erasure.Position = 8 }, problem: "is still there"},
		"no batch":      {rewrite: func(l *proof.Leaf) { l.Erasure.Sequence += 100 }, problem: "is in no batch"},
		"no reason":     {rewrite: func(l *proof.Leaf) { l.Erasure.Reason = "" }, problem: "without a time, a reason or a name"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.commit(2, 10)
			b.plant(secretID)
			b.liar.erasure = func(l *proof.Leaf) bool {
				if c.rewrite != nil {
					c.rewrite(l)
				}
				return !c.drop
			}
			b.erase(secretID)
			b.flush()
			found := false
			report := b.verify(true, nil)
			for _, f := range report.Findings {
				found = found || strings.Contains(f.Problem, c.problem)
			}
			if !found {
				t.Errorf("not found: %v", report.Findings)
			}
		})
	}
}

// An event that a hold covers is not erased, and one beside the hold's range is; a log in which one was, is false.
func TestHoldsKeepFromErasure(t *testing.T) {
	b := newBed(t)
	b.plant(secretID)
	sc, at := meta.Scope{Account: "111122223333", Region: "us-east-1"}, time.Date(2024, 5, 1, 11, 12, 13, 0, time.UTC)
	hold, err := b.reg.PlaceHold(t.Context(), sc, "me", b.store, at, at.Add(time.Millisecond), "case 7")
	b.ok(err)
	refused := func(id string) error {
		_, err := b.lake.Erase(t.Context(), b.store, lake.Erasure{EventID: id, Reason: "x", By: "me", At: time.Now(), Dir: t.TempDir()})
		return err
	}
	if err := refused(secretID); !errors.Is(err, meta.ErrHeld) || !strings.Contains(err.Error(), "case 7") {
		t.Error(err)
	}
	b.ok(refused("00000001-0000-0000-0000-000000000002"))
	b.flush()
	if r := b.clean(true, nil); r.Erased != 1 {
		t.Errorf("%+v", r)
	}
	b.liar.unheld = true
	b.ok(refused(secretID))
	b.flush()
	if r := b.verify(false, nil); len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Problem, "hold "+hold.ID) {
		t.Errorf("erased under a hold: %v", r.Findings)
	}
}

// No text that looks like a tombstone is an event, of any kind of store.
func TestTombstonesAreNoEvents(t *testing.T) {
	text := proof.Tombstone(proof.Hash{1, 2, 3})
	if h, ok := proof.ParseTombstone(text); !ok || h != (proof.Hash{1, 2, 3}) {
		t.Error(h, ok)
	}
	d := event.NewDecoder()
	if r, err := d.Decode(text); err == nil {
		t.Errorf("%+v", r)
	}
	if r, err := d.DecodeActivity(text, "id", "arn:aws:cloudtrail:us-east-1:111122223333:channel/x", "111122223333", "us-east-1", time.Now()); err == nil {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"", "{}", string(text[:len(text)-1]), string(text) + " ", strings.ToUpper(string(text)), strings.Replace(string(text), "01", "0x", 1), strings.Replace(string(text), "03", "0A", 1)} {
		if _, ok := proof.ParseTombstone([]byte(bad)); ok {
			t.Errorf("%q is a tombstone", bad)
		}
	}
}

// In a bucket nothing is left either.
func TestErasureInABucket(t *testing.T) {
	srv := s3test.Start(t)
	objects := srv.Open(t, srv.Bucket(t, "lake")+"/some/prefix")
	b := newBedOn(t, t.TempDir(), objects)
	b.commit(1, 6)
	b.plant(secretID)
	b.flush()
	copied := func() string {
		t.Helper()
		dir := t.TempDir()
		b.ok(objects.List(t.Context(), "", "", func(o objstore.Object) error {
			content, err := (&run{Options: Options{Objects: objects}}).read(t.Context(), o.Key)
			if err == nil {
				err = os.MkdirAll(filepath.Join(dir, filepath.Dir(o.Key)), 0o700)
			}
			return errors.Join(err, os.WriteFile(filepath.Join(dir, o.Key), content, 0o600))
		}))
		return dir
	}
	if found := laketest.Holding(t, copied(), "secret"); len(found) < 2 {
		t.Fatal("the test finds nothing where there is something:", found)
	}
	if erased := b.erase(secretID); len(erased) != 1 {
		t.Error(erased)
	}
	b.flush()
	if found := laketest.Holding(t, copied(), "secret"); len(found) > 0 {
		t.Error("left:", found)
	}
	if r := b.clean(true, nil); r.Events != 16 || r.Erased != 1 || r.Orphans != 0 {
		t.Errorf("%+v", r)
	}
}
