package imports_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/imports"
	"github.com/lochlake/loch/imports/importstest"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/logfile"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/objstore/s3test"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// bucket is an S3 bucket with log files as a trail lays them out.
type bucket struct {
	t     *testing.T
	store *objstore.S3
	url   string
	cfg   objstore.S3Config
}

func newBucket(t *testing.T) *bucket {
	srv := s3test.Start(t)
	url := srv.Bucket(t, "trail-bucket")
	return &bucket{t: t, store: srv.Open(t, url), url: url, cfg: srv.Config("")}
}

func (b *bucket) put(key string, body []byte) {
	b.t.Helper()
	if err := b.store.Put(b.t.Context(), key, bytes.NewReader(body), int64(len(body)), false); err != nil {
		b.t.Fatal(err)
	}
}

// trail writes, for two regions and days of which the first is at noon, files of five events each.
func (b *bucket) trail(prefix string, days, files int) (events int) {
	b.t.Helper()
	for _, region := range []string{"eu-central-1", "us-east-1"} {
		for d := range days {
			for f := range files {
				at := noon.AddDate(0, 0, d).Add(time.Duration(f) * time.Minute)
				k := logfile.Key{Prefix: prefix, Account: "111122223333", Kind: logfile.LogKey, Region: region, Time: at.Add(5 * time.Minute), Unique: fmt.Sprint("u", f)}
				b.put(k.String(), importstest.File(fmt.Sprintf("%s-%d-%d", region, d, f), 5, at))
				events += 5
			}
		}
	}
	return events
}

func (b *bucket) request(uri string) imports.Request {
	return imports.Request{Store: "audit", S3: imports.S3Source{S3LocationUri: uri, S3BucketRegion: "us-east-1", S3BucketAccessRoleArn: "arn:aws:iam::111122223333:role/import"}}
}

// ended waits for an import's end.
func ended(t *testing.T, s *imports.Service, id string) meta.Import {
	t.Helper()
	for {
		imp, err := s.Get(t.Context(), importstest.Scope, id)
		if err != nil {
			t.Fatal(err)
		}
		if imp.Status != imports.Initializing && imp.Status != imports.InProgress {
			return imp
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func do(t *testing.T, s *imports.Service, r imports.Request) meta.Import {
	t.Helper()
	imp, err := s.Start(t.Context(), importstest.Scope, r)
	if err != nil {
		t.Fatal(err)
	}
	if imp.Status != imports.Initializing {
		t.Errorf("it starts as %s", imp.Status)
	}
	return balanced(t, ended(t, s, imp.ID))
}

func balanced(t *testing.T, imp meta.Import) meta.Import {
	t.Helper()
	if c := imp.Counts; c.Read != c.Stored+c.Known+c.Filtered+c.Expired+c.Bad {
		t.Errorf("counts do not add up: %+v", c)
	}
	return imp
}

func code(t *testing.T, err error, want string) {
	t.Helper()
	if !awserr.Is(err, want) {
		t.Errorf("want %s, got %v", want, err)
	}
}

func TestImport(t *testing.T) {
	b := newBucket(t)
	n := b.trail("logs", 3, 4)
	b.put("logs/AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/03/10/111122223333_CloudTrail-Digest_eu-central-1_t_eu-central-1_20260310T120000Z.json.gz",
		importstest.Gzip([]byte(`{"digestS3Bucket":"x"}`)))
	b.put("logs/AWSLogs/111122223333/elasticloadbalancing/eu-central-1/2026/03/10/lb.log.gz", importstest.Gzip([]byte("http 2026…")))
	lake := &importstest.Lake{}
	db := importstest.DB(t)
	s := importstest.Service(db, lake, b.cfg)
	defer s.Close()

	imp := do(t, s, b.request(b.url+"/logs"))
	if imp.Status != imports.Completed || imp.Files != 24 || imp.Counts.Stored != int64(n) || imp.Failed != 0 || lake.Len() != n {
		t.Errorf("first: %+v, %d events kept", imp, lake.Len())
	}
	if imp.PrefixesFound != 6 || imp.PrefixesDone != 6 || imp.Bytes == 0 {
		t.Errorf("prefixes %d of %d, %d bytes", imp.PrefixesDone, imp.PrefixesFound, imp.Bytes)
	}

	again := do(t, s, b.request(b.url+"/logs/"))
	if again.Status != imports.Completed || again.Files != 0 || again.FilesKnown != 24 || again.Counts != (meta.Counts{}) {
		t.Errorf("second: %+v", again)
	}

	// One new file, and one that was replaced.
	b.put("logs/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/10/new.json.gz", importstest.File("new", 3, noon))
	third := do(t, s, b.request(b.url+"/logs/AWSLogs"))
	if third.Files != 1 || third.Counts.Stored != 3 || third.FilesKnown != 24 {
		t.Errorf("third: %+v", third)
	}

	// Other selectors: what they left out before may be wanted now.
	if _, err := db.UpdateStore(t.Context(), importstest.StoreID, func(e *meta.EventDataStore) error { e.Selectors = []byte(`[{"Name":"other"}]`); return nil }); err != nil {
		t.Fatal(err)
	}
	fourth := do(t, s, b.request(b.url+"/logs"))
	if fourth.Files != 25 || fourth.Counts.Stored != 0 || fourth.Counts.Known != int64(n+3) {
		t.Errorf("fourth: %+v", fourth)
	}
	one := do(t, s, b.request(b.url+"/logs/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/10/new.json.gz"))
	if one.FilesKnown != 1 || one.Files != 0 || one.Status != imports.Completed {
		t.Errorf("one object: %+v", one)
	}

	list, next, err := s.List(t.Context(), importstest.Scope, importstest.StoreID, "", "", 2)
	if err != nil || len(list) != 2 || list[0].ID != one.ID || next == "" {
		t.Fatalf("list: %v, %q, %v", list, next, err)
	}
	list, next, err = s.List(t.Context(), importstest.Scope, "", imports.Completed, next, 10)
	if err != nil || len(list) != 3 || list[2].ID != imp.ID || next != "" {
		t.Errorf("list goes on: %v, %q, %v", list, next, err)
	}
}

func TestImportOfATime(t *testing.T) {
	b := newBucket(t)
	b.trail("", 6, 4)
	lake := &importstest.Lake{}
	s := importstest.Service(importstest.DB(t), lake, b.cfg)
	defer s.Close()

	r := b.request(b.url)
	day := noon.AddDate(0, 0, 2)
	r.From, r.To = day, day.Add(time.Minute+2*time.Second) // the first file of a day whole, and three events of the second
	imp := do(t, s, r)
	if imp.Status != imports.Completed || imp.Counts.Stored != 2*(5+3) || lake.Len() != 16 {
		t.Errorf("%+v, %d events", imp, lake.Len())
	}
	if imp.PrefixesFound != 2 || imp.Files != 8 {
		t.Errorf("more was listed than that day: %d folders, %d files", imp.PrefixesFound, imp.Files)
	}
	again := do(t, s, r)
	if again.FilesKnown != 8 || again.Files != 0 {
		t.Errorf("the same time again: %+v", again)
	}
	r.To = day.AddDate(0, 0, 1) // up to the next day's first event
	wider := do(t, s, r)
	if wider.Counts.Stored != 2*(20-8)+2 || wider.Counts.Known != 2*3 {
		t.Errorf("a longer time: %+v", wider)
	}
	r.From, r.To = r.To, r.From
	_, err := s.Start(t.Context(), importstest.Scope, r)
	code(t, err, "InvalidParameterException")
}

func TestImportOfBadFiles(t *testing.T) {
	b := newBucket(t)
	whole := importstest.File("whole", 5, noon)
	b.put("in/1-good.json.gz", whole)
	b.put("in/2-cut.json.gz", importstest.File("cut", 500, noon)[:2000])
	b.put("in/3-notes.txt", []byte("these are notes, no events"))
	first := importstest.Record("bad-0", noon)
	b.put("in/4-one-bad.json", []byte(`{"Records":[`+first+`,{"eventID":"no time"},`+importstest.Record("bad-1", noon)+`]}`))
	b.put("in/5-empty.json", nil)
	b.put("in/6-lines.jsonl", []byte(importstest.Record("l-0", noon)+"\n"+importstest.Record("l-1", noon)+"\n"))
	b.put("in/7-list.json", []byte("["+importstest.Record("li-0", noon)+"]"))
	lake := &importstest.Lake{}
	s := importstest.Service(importstest.DB(t), lake, b.cfg)
	defer s.Close()
	imp := do(t, s, b.request(b.url+"/in"))
	if imp.Status != imports.Completed || imp.Files != 7 || imp.Counts.Bad != imp.Failed || imp.Failed < 4 {
		t.Errorf("%+v", imp)
	}
	fails, err := s.Failures(t.Context(), importstest.Scope, imp.ID, 0, 0)
	if err != nil || int64(len(fails)) != imp.Failed {
		t.Fatalf("%d failures listed of %d: %v", len(fails), imp.Failed, err)
	}
	find := func(name string) meta.Failure {
		i := slices.IndexFunc(fails, func(f meta.Failure) bool { return strings.HasSuffix(f.Location, name) })
		if i < 0 {
			t.Fatalf("nothing is listed of %s: %+v", name, fails)
		}
		return fails[i]
	}
	if f := find("4-one-bad.json"); f.Type != string(event.NoTime) || f.Offset != int64(len(`{"Records":[`+first+`,`)) || f.Status != "FAILED" || f.Message == "" {
		t.Errorf("bad record: %+v", f)
	}
	if f := find("3-notes.txt"); f.Type != logfile.NotLogFile || f.Location != b.url+"/in/3-notes.txt" {
		t.Errorf("stranger: %+v", f)
	}
	find("2-cut.json.gz")
	if f := find("5-empty.json"); f.Type != logfile.EmptyFile {
		t.Errorf("empty: %+v", f)
	}
	stored := lake.Len()
	again := do(t, s, b.request(b.url+"/in"))
	if again.Counts.Stored != 0 || lake.Len() != stored || again.FilesKnown != 3 || again.Failed != imp.Failed {
		t.Errorf("again: %+v", again)
	}
}

func TestImportOfLargeObject(t *testing.T) {
	b := newBucket(t)
	const n = 40_000 // 12 MB of text: more than a batch, and not compressed more than is read whole
	b.put("big/big.json", importstest.Plain("big", n, noon))
	b.put("big/bigger.json.gz", importstest.File("bigger", 2*n, noon)) // small as it lies there
	lake := &importstest.Lake{}
	s := importstest.Service(importstest.DB(t), lake, b.cfg)
	defer s.Close()
	imp := do(t, s, b.request(b.url+"/big/"))
	if imp.Counts.Stored != 3*n || imp.Files != 2 || lake.Len() != 3*n || lake.WithoutPayload() < 4 {
		t.Errorf("%+v; %d events, %d deliveries without payload", imp, lake.Len(), lake.WithoutPayload())
	}
}

func TestStopAndGoOn(t *testing.T) {
	b := newBucket(t)
	n := b.trail("", 5, 10)
	lake := &importstest.Lake{}
	var taken atomic.Int64
	reached := make(chan struct{})
	lake.Gate = func(ctx context.Context, d ingest.Delivery) error {
		switch k := taken.Add(1); {
		case k == 30:
			close(reached)
			fallthrough
		case k > 30:
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	s := importstest.Service(importstest.DB(t), lake, b.cfg)
	defer s.Close()
	imp, err := s.Start(t.Context(), importstest.Scope, b.request(b.url))
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	_, err = s.Start(t.Context(), importstest.Scope, b.request(b.url))
	code(t, err, "AccountHasOngoingImportException")
	_, err = s.Restart(t.Context(), importstest.Scope, imp.ID)
	code(t, err, "InvalidParameterException")
	stopped, err := s.Stop(t.Context(), importstest.Scope, imp.ID)
	if err != nil || stopped.Status != imports.Stopped {
		t.Fatalf("%+v, %v", stopped, err)
	}
	if stopped.Counts.Stored != int64(lake.Len()) || lake.Len() != 29*5 {
		t.Errorf("%d counted, %d kept", stopped.Counts.Stored, lake.Len())
	}
	_, err = s.Stop(t.Context(), importstest.Scope, imp.ID)
	code(t, err, "InvalidParameterException")
	lake.Gate = nil
	if _, err := s.Restart(t.Context(), importstest.Scope, imp.ID); err != nil {
		t.Fatal(err)
	}
	done := balanced(t, ended(t, s, imp.ID))
	if done.Status != imports.Completed || done.Counts.Stored != int64(n) || lake.Len() != n {
		t.Errorf("%+v", done)
	}
}

func TestServerRestart(t *testing.T) {
	b := newBucket(t)
	n := b.trail("", 5, 10)
	lake := &importstest.Lake{}
	// When the server ends, all of the first region is taken, and of the second one file that is listed behind another, which waits.
	lake.Gate = func(ctx context.Context, d ingest.Delivery) error {
		if strings.Contains(d.Provenance, "_eu-central-1_") || strings.HasSuffix(d.Provenance, "_20260310T1206Z_u1.json.gz") {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	db := importstest.DB(t)
	s := importstest.Service(db, lake, b.cfg)
	imp, err := s.Start(t.Context(), importstest.Scope, b.request(b.url))
	if err != nil {
		t.Fatal(err)
	}
	for lake.Len() < n/2+5 {
		time.Sleep(time.Millisecond)
	}
	s.Close()
	half, err := db.Import(t.Context(), imp.ID)
	if err != nil || half.Status != imports.InProgress {
		t.Fatalf("%+v, %v", half, err)
	}
	if !strings.Contains(half.Cursor, "_eu-central-1_") {
		t.Errorf("of where the listing stood %q is remembered", half.Cursor)
	}
	lake.Gate = nil
	s = importstest.Service(db, lake, b.cfg)
	defer s.Close()
	if err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := balanced(t, ended(t, s, imp.ID))
	if done.Status != imports.Completed || lake.Len() != n || done.Counts.Stored != int64(n) || done.Files != 100 {
		t.Errorf("%+v, %d events", done, lake.Len())
	}
}

func TestDestinationsAndSources(t *testing.T) {
	b := newBucket(t)
	b.trail("", 1, 1)
	db := importstest.DB(t)
	add := func(id, name, status string, kind event.Kind) {
		importstest.AddStore(t, db, meta.EventDataStore{Scope: importstest.Scope, ID: id, Name: name, Status: status, Kind: uint8(kind), RetentionDays: 7})
	}
	add("11111111-2222-4333-8444-000000000001", "going", "PENDING_DELETION", event.CloudTrail)
	add("11111111-2222-4333-8444-000000000002", "stopping", "STOPPING_INGESTION", event.CloudTrail)
	add("11111111-2222-4333-8444-000000000003", "activity", "ENABLED", event.Activity)
	add("11111111-2222-4333-8444-000000000004", "halted", "STOPPED_INGESTION", event.CloudTrail)
	importstest.AddStore(t, db, meta.EventDataStore{Scope: meta.Scope{Account: "999999999999", Region: "eu-central-1"}, ID: "11111111-2222-4333-8444-000000000005", Name: "theirs",
		Status: "ENABLED", Kind: uint8(event.CloudTrail)})
	s := importstest.Service(db, &importstest.Lake{}, b.cfg)
	defer s.Close()
	for store, want := range map[string]string{
		"going": "InactiveEventDataStoreException", "stopping": "InvalidEventDataStoreStatusException", "activity": "InvalidEventDataStoreCategoryException",
		"nobody": "EventDataStoreNotFoundException", "theirs": "EventDataStoreNotFoundException", "11111111-2222-4333-8444-000000000005": "EventDataStoreNotFoundException",
		"arn:aws:cloudtrail:eu-central-1:999999999999:eventdatastore/11111111-2222-4333-8444-000000000005": "EventDataStoreNotFoundException",
		"arn:aws:cloudtrail:eu-central-1:111122223333:trail/x":                                             "EventDataStoreARNInvalidException",
	} {
		r := b.request(b.url)
		r.Store = store
		_, err := s.Start(t.Context(), importstest.Scope, r)
		code(t, err, want)
	}
	for _, uri := range []string{"s3://no-such-bucket", b.url + "/nothing/here", "https://example.org/x", "s3://"} {
		_, err := s.Start(t.Context(), importstest.Scope, b.request(uri))
		code(t, err, "InvalidImportSourceException")
	}
	for _, store := range []string{"halted", importstest.StoreID, "arn:aws:cloudtrail:eu-central-1:111122223333:eventdatastore/" + importstest.StoreID} {
		r := b.request(b.url)
		r.Store = store
		if imp := do(t, s, r); imp.Status != imports.Completed {
			t.Errorf("%s: %+v", store, imp)
		}
	}
	_, err := s.Get(t.Context(), importstest.Scope, "11111111-2222-4333-8444-000000000009")
	code(t, err, "ImportNotFoundException")
}

// An object that vanishes between listing and reading is listed, and fails the import; another run of it may do better.
func TestUnreadableObjects(t *testing.T) {
	b := newBucket(t)
	b.trail("", 1, 3)
	lake := &importstest.Lake{}
	lake.Gate = func(ctx context.Context, d ingest.Delivery) error {
		if strings.Contains(d.Provenance, "us-east-1") {
			return fmt.Errorf("the table is broken")
		}
		return nil
	}
	s := importstest.Service(importstest.DB(t), lake, b.cfg)
	defer s.Close()
	imp := do(t, s, b.request(b.url))
	if imp.Status != imports.Failed || imp.Failed != 1 {
		t.Errorf("%+v", imp)
	}
	fails, err := s.Failures(t.Context(), importstest.Scope, imp.ID, 0, 10)
	if err != nil || len(fails) != 1 || !strings.Contains(fails[0].Message, "the table is broken") {
		t.Errorf("%+v, %v", fails, err)
	}
	lake.Gate = nil
	if _, err := s.Restart(t.Context(), importstest.Scope, imp.ID); err != nil {
		t.Fatal(err)
	}
	done := balanced(t, ended(t, s, imp.ID))
	if done.Status != imports.Completed || lake.Len() != 30 {
		t.Errorf("%+v, %d", done, lake.Len())
	}
}
