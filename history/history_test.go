package history

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == engine.WorkerArgument {
		engine.WorkerMain()
	}
	os.Exit(m.Run())
}

// rig is a lake with one store of event history, and a service over it.
type rig struct {
	t    testing.TB
	lake *lake.Lake
	svc  *Service
	seq  int64
}

const store = "00000000-0000-5000-8000-000000000001"

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func newRig(t testing.TB) *rig {
	dir := t.TempDir()
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := objstore.OpenLocal(filepath.Join(dir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := lake.Open(t.Context(), lake.Config{Objects: objects, Meta: db})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.NewDuckDB(engine.Config{TempDir: filepath.Join(dir, "engine"), Spare: 1, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range []interface{ Close() error }{e, l, db} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	if err := db.CreateStore(t.Context(), meta.EventDataStore{Scope: meta.Scope{Account: "123456789012", Region: "eu-west-1"}, ID: store, Name: "h", Kind: uint8(Kind), Internal: true, Created: now, Updated: now}); err != nil {
		t.Fatal(err)
	}
	if err := l.CreateTable(t.Context(), store, Kind); err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, lake: l, svc: New(Config{Lake: l, Engine: e, StoreID: func(account string) string {
		if account == "123456789012" {
			return store
		}
		return "00000000-0000-5000-8000-000000000002"
	}})}
}

// put commits events, in one go.
func (r *rig) put(texts ...string) {
	r.t.Helper()
	r.seq++
	d := event.NewDecoder()
	records := make([]event.Record, len(texts))
	rows := make([]lake.Row, len(texts))
	for i, text := range texts {
		var err error
		if records[i], err = d.Decode([]byte(text)); err != nil {
			r.t.Fatal(err, text)
		}
		rows[i] = lake.Row{Event: &records[i], Envelope: lake.Envelope{Writer: "w", Epoch: 1, Sequence: r.seq, Position: int32(i)}}
	}
	files, err := r.lake.Write(r.t.Context(), store, rows)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.lake.Commit(r.t.Context(), store, files, r.seq); err != nil {
		r.t.Fatal(err)
	}
}

// record is an event's text; more is put into it.
func record(id, name string, at time.Time, more string) string {
	if more != "" {
		more = "," + more
	}
	return fmt.Sprintf(`{"eventVersion":"1.11","eventID":%q,"eventName":%q,"eventTime":%q,"awsRegion":"eu-west-1","eventCategory":"Management","managementEvent":true%s}`,
		id, name, at.Format(time.RFC3339), more)
}

func (r *rig) lookup(q Query) ([]Event, *Position) {
	r.t.Helper()
	if q.Account == "" {
		q.Account, q.Region, q.Now = "123456789012", "eu-west-1", now
	}
	if q.From.IsZero() {
		q.From = now.AddDate(-1, 0, 0)
	}
	if q.To.IsZero() {
		q.To = now
	}
	if q.Limit == 0 {
		q.Limit = 50
	}
	events, next, err := r.svc.Lookup(context.Background(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	return events, next
}

func ids(events []Event) string {
	var all []string
	for _, e := range events {
		all = append(all, e.ID)
	}
	return strings.Join(all, " ")
}

func TestLookup(t *testing.T) {
	r := newRig(t)
	if got, next := r.lookup(Query{}); len(got) != 0 || next != nil {
		t.Errorf("an empty store has %v %v", got, next)
	}
	if got, next := r.lookup(Query{Account: "210987654321", Region: "eu-west-1", Now: now}); len(got) != 0 || next != nil {
		t.Errorf("an account without a store has %v %v", got, next)
	}
	user := record("user", "CreateUser", now.Add(-time.Hour), `"eventSource":"iam.amazonaws.com","readOnly":false,"userIdentity":{"type":"IAMUser","userName":"alice","accessKeyId":"AKIAALICE","arn":"arn:aws:iam::123456789012:user/alice"},"requestParameters":{"userName":"bob","path":"/it's/"}`)
	bucket := record("bucket", "PutBucketPolicy", now.Add(-2*time.Hour), `"eventSource":"s3.amazonaws.com","readOnly":false,"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/Admin/carol@x"},"resources":[{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::logs"},{"accountId":"1"},{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::logs"}],"requestParameters":{"bucketName":"logs"}`)
	root := record("root", "ConsoleLogin", now.Add(-3*time.Hour), `"eventSource":"signin.amazonaws.com","userIdentity":{"type":"Root","arn":"arn:aws:iam::123456789012:root"},"readOnly":true`)
	bare := record("bare", "x", now.AddDate(0, 0, -89), "")
	odd := strings.Replace(record("odd", "NAME", now.AddDate(0, 0, -30), `"eventSource":"o'hare"`), "NAME", `it's \u0000 --`, 1)
	r.put(user, strings.Replace(record("far", "CreateUser", now.Add(-time.Hour), ""), "eu-west-1", "us-east-1", 1), root)
	r.put(bare, record("old", "x", now.AddDate(0, 0, -91), ""))
	r.put(bucket, odd)

	got, next := r.lookup(Query{})
	if ids(got) != "user bucket root odd bare" || next != nil {
		t.Fatalf("%s %v", ids(got), next)
	}
	want := Event{ID: "user", Name: "CreateUser", Source: "iam.amazonaws.com", Username: "alice", AccessKeyID: "AKIAALICE", ReadOnly: "false", Time: now.Add(-time.Hour),
		Resources: []Resource{{"AWS::IAM::User", "bob"}}, Text: user}
	if !reflect.DeepEqual(got[0], want) {
		t.Errorf("%+v\nwant %+v", got[0], want)
	}
	if !reflect.DeepEqual(got[1].Resources, []Resource{{"AWS::S3::Bucket", "arn:aws:s3:::logs"}, {"AWS::S3::Bucket", "logs"}}) || got[1].Username != "carol@x" {
		t.Errorf("%+v", got[1])
	}
	if got[2].Username != "root" || got[2].ReadOnly != "true" || got[4].Username != "" || got[4].ReadOnly != "" || len(got[4].Resources) > 0 {
		t.Errorf("%+v\n%+v", got[2], got[4])
	}

	for _, c := range []struct {
		key         Attribute
		value, want string
	}{
		{EventID, "root", "root"}, {EventID, "old", ""}, {EventID, "far", ""}, {EventID, "none", ""},
		{EventName, "CreateUser", "user"}, {EventName, "createuser", ""}, {EventName, "it's \x00 --", "odd"}, {EventName, "it's ", ""},
		{EventName, "' OR true --", ""}, {EventName, `\' OR true --`, ""}, {EventName, "\x00' OR true --", ""},
		{EventSource, "o'hare", "odd"}, {EventSource, "s3.amazonaws.com", "bucket"},
		{ReadOnly, "true", "root"}, {ReadOnly, "false", "user bucket"},
		{Username, "alice", "user"}, {Username, "carol@x", "bucket"}, {Username, "root", "root"}, {Username, "bob", ""},
		{AccessKeyID, "AKIAALICE", "user"}, {AccessKeyID, "AKIABOB", ""},
		{ResourceType, "AWS::S3::Bucket", "bucket"}, {ResourceType, "AWS::IAM::User", "user"}, {ResourceType, "AWS::EC2::VPC", ""},
		{ResourceName, "logs", "bucket"}, {ResourceName, "arn:aws:s3:::logs", "bucket"}, {ResourceName, "bob", "user"}, {ResourceName, "ogs", ""}, {ResourceName, "b'b", ""},
	} {
		if got, _ := r.lookup(Query{Attribute: c.key, Value: c.value}); ids(got) != c.want {
			t.Errorf("%s %q: %q, want %q", c.key, c.value, ids(got), c.want)
		}
	}
	for _, c := range []struct {
		from, to time.Time
		want     string
	}{
		{now.Add(-2 * time.Hour), now.Add(-time.Hour), "user bucket"}, // both ends count
		{now.Add(-2*time.Hour + 1000), now, "user"},
		{now.AddDate(0, 0, -100), now.AddDate(0, 0, -89), "bare"},
		{now.AddDate(0, 0, -100), now.AddDate(0, 0, -90), ""},
		{now, now.Add(time.Hour), ""},
	} {
		if got, _ := r.lookup(Query{From: c.from, To: c.to}); ids(got) != c.want {
			t.Errorf("%v: %q, want %q", c, ids(got), c.want)
		}
	}
}

// Pages put together are the whole, whatever their size, with many events of one time, over days, and while newer events come in.
func TestPages(t *testing.T) {
	r := newRig(t)
	var batch []string
	for i := range 60 {
		batch = append(batch, record(fmt.Sprintf("e%03d", i), []string{"A", "B", "C"}[i%3], now.Add(-time.Duration(i/20)*40*24*time.Hour), ""))
	}
	r.put(batch[:30]...)
	r.put(batch[30:]...)
	whole, next := r.lookup(Query{Limit: 1000})
	if len(whole) != 60 || next != nil {
		t.Fatalf("%d events, %v", len(whole), next)
	}
	if !slices.IsSortedFunc(whole, func(a, b Event) int { return b.Time.Compare(a.Time) }) {
		t.Error("not newest first")
	}
	for _, limit := range []int{7, 20, 50} {
		var got []Event
		q := Query{Limit: limit}
		for pages := 1; ; pages++ {
			page, next := r.lookup(q)
			got = append(got, page...)
			if len(page) > limit || pages > 20 {
				t.Fatalf("%d events on page %d", len(page), pages)
			}
			if next == nil {
				break
			}
			text, err := json.Marshal(next) // as a token carries it
			if err != nil {
				t.Fatal(err)
			}
			q.After = new(Position)
			if err := json.Unmarshal(text, q.After); err != nil {
				t.Fatal(err)
			}
			if limit == 50 {
				r.put(record("new", "A", now, ""))
			}
		}
		if ids(got) != ids(whole) {
			t.Errorf("pages of %d: %s\nwant %s", limit, ids(got), ids(whole))
		}
	}
	if got, next := r.lookup(Query{Limit: 50, Attribute: EventName, Value: "B"}); len(got) != 20 || next != nil {
		t.Errorf("%d %v", len(got), next)
	}
}

func TestWindowsCoverTime(t *testing.T) {
	for _, c := range []struct{ from, to int64 }{{0, 0}, {0, day - 1}, {0, day}, {5, 90*day + 7}, {3, 2}} {
		w := newWindows(c.from, c.to, true)
		expect := c.to
		for w.left() {
			lo, hi := w.next()
			if hi != expect || lo > hi || lo < c.from {
				t.Fatalf("%v: window %d to %d, want the end %d", c, lo, hi, expect)
			}
			if w.enough(hi % 3 * plentySome) {
				w.take(lo)
				expect = lo - 1
			}
		}
		if c.from <= c.to && expect != c.from-1 {
			t.Errorf("%v: the time before %d was left out", c, expect)
		}
	}
}

func TestCancelled(t *testing.T) {
	r := newRig(t)
	r.put(record("a", "A", now, ""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := r.svc.Lookup(ctx, Query{Account: "123456789012", Region: "eu-west-1", Now: now, From: now.Add(-time.Hour), To: now, Limit: 1}); err == nil {
		t.Error("no error")
	}
}

// A literal, read as the engine reads it, is the text that it was made of.
func TestLiteral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune("'\x00\\\n|() -;")), rapid.Rune())).Draw(t, "text")
		l := literal(s)
		if strings.IndexByte(l, 0) >= 0 {
			t.Fatalf("%q has a NUL", l)
		}
		// Read it back as the engine does: quoted parts with doubled quotes, and chr(0).
		var got strings.Builder
		l = strings.TrimSuffix(strings.TrimPrefix(l, "("), ")")
		for l != "" {
			if rest, ok := strings.CutPrefix(l, "chr(0)"); ok {
				got.WriteByte(0)
				l = rest
			} else if rest, ok := strings.CutPrefix(l, " || "); ok {
				l = rest
			} else if l[0] == '\'' {
				i := 1
				for ; ; i++ {
					if l[i] == '\'' {
						if i+1 < len(l) && l[i+1] == '\'' {
							i++
						} else {
							break
						}
					}
					got.WriteByte(l[i])
				}
				l = l[i+1:]
			} else {
				t.Fatalf("%q stands outside quotes", l)
			}
		}
		if got.String() != s {
			t.Errorf("%q, want %q", got.String(), s)
		}
	})
}
