package delivery

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore/s3test"
	"github.com/lochlake/loch/query"
	"github.com/lochlake/loch/signing"
)

const queryID = "11111111-2222-4333-8444-555555555555"

var ended = time.Date(2026, 11, 26, 23, 59, 59, 0, time.UTC)

// rows answers every query with n rows of three columns, two of one name.
type rows int

func (n rows) Read(_ context.Context, _ string, columns func([]string) error, row func([][]byte) error) error {
	if err := columns([]string{"name", "a \"b\"", "name"}); err != nil {
		return err
	}
	for i := range int(n) {
		if err := row([][]byte{rowText(i), nil, {}}); err != nil {
			return err
		}
	}
	return nil
}

// rowText is hard to compress, so that a few thousand of them fill several files.
func rowText(i int) []byte {
	sum := sha256.Sum256(fmt.Append(nil, i))
	return fmt.Appendf(nil, "row %d, é\n\"x\" %s", i, base64.StdEncoding.EncodeToString(sum[:]))
}

// bed is a service over a bucket of a real S3 server.
type bed struct {
	s3   *s3test.Server
	db   meta.DB
	keys *signing.Keys
	cfg  Config
}

func newBed(t *testing.T) *bed {
	t.Helper()
	dir := t.TempDir()
	b := &bed{s3: s3test.Start(t)}
	var err error
	if b.db, err = meta.OpenSQLite(t.Context(), filepath.Join(dir, "meta.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.db.Close(); err != nil {
			t.Error(err)
		}
	})
	if b.keys, err = signing.Open(dir, func() time.Time { return ended.Add(-time.Hour) }); err != nil {
		t.Fatal(err)
	}
	b.cfg = Config{DB: b.db, Results: rows(5), Keys: b.keys, Targets: Targets{S3: b.s3.Config("")}, Dir: filepath.Join(dir, "deliveries"), Pause: time.Millisecond,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: func() time.Time { return ended }}
	return b
}

// ask makes a finished query whose results wait.
func (b *bed) ask(t *testing.T, id, uri string) {
	t.Helper()
	if err := b.db.CreateQuery(t.Context(), meta.Query{Scope: meta.Scope{Account: "111122223333", Region: "eu-west-1"}, ID: id, Status: query.Finished, DeliveryURI: uri,
		Delivery: query.DeliveryPending, Created: ended.Add(-time.Minute), Ended: ended}); err != nil {
		t.Fatal(err)
	}
}

// delivered opens a service and gives the query when its delivery is over.
func (b *bed) delivered(t *testing.T, id string) meta.Query {
	t.Helper()
	s, err := Open(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	q := b.waitFor(t, id)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(b.cfg.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return q
}

func (b *bed) waitFor(t *testing.T, id string) meta.Query {
	t.Helper()
	for {
		q, err := b.db.Query(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if q.Delivery != query.DeliveryPending {
			return q
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the test ended first")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (b *bed) known(t *testing.T) Keys {
	t.Helper()
	list, err := b.keys.Public(ended, ended)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return Keys{list[0].Fingerprint: list[0].DER}
}

// folder is where CloudTrail's layout puts the results, in the server's own directory.
func (b *bed) folder(prefix string) string {
	return filepath.Join(b.s3.Dir, prefix, "AWSLogs/111122223333/CloudTrail-Lake/Query/2026/11/26", queryID)
}

// TestDelivered: what comes is CloudTrail's layout, the rows as they were, in files of bounded size, under a signature that verifies here and there.
func TestDelivered(t *testing.T) {
	b := newBed(t)
	b.s3.Bucket(t, "results")
	b.cfg.Results, b.cfg.PartBytes = rows(4_000), 32<<10
	b.ask(t, queryID, "s3://results/some/prefix")
	q := b.delivered(t, queryID)
	if q.Delivery != query.DeliverySuccess || q.Error != "" {
		t.Fatalf("%+v", q)
	}
	folder := b.folder("results/some/prefix")
	text, err := os.ReadFile(filepath.Join(folder, SignName))
	if err != nil {
		t.Fatal(err)
	}
	var sign SignFile
	if err := json.Unmarshal(text, &sign); err != nil {
		t.Fatal(err)
	}
	if sign.Version != "1.0" || sign.Region != "eu-west-1" || sign.QueryCompleteTime != "2026-11-26T23:59:59Z" || sign.QueryID != queryID || len(sign.Files) < 3 {
		t.Errorf("%+v", sign)
	}
	n := 0
	for i, f := range sign.Files {
		if f.Name != fmt.Sprintf("result_%d.csv.gz", i+1) {
			t.Errorf("file %d is %s", i, f.Name)
		}
		for k, record := range readCSV(t, filepath.Join(folder, f.Name)) {
			want := []string{string(rowText(n)), "", ""}
			if k == 0 {
				want = []string{"name", "a \"b\"", "name"}
			} else {
				n++
			}
			if !slices.Equal(record, want) {
				t.Fatalf("%s, record %d: %q, want %q", f.Name, k, record, want)
			}
		}
	}
	if n != 4_000 {
		t.Errorf("%d rows", n)
	}
	for _, location := range []string{folder, "s3://results/some/prefix/AWSLogs/111122223333/CloudTrail-Lake/Query/2026/11/26/" + queryID} {
		if r := b.verify(t, location); len(r.Findings) > 0 || r.Files != len(sign.Files) || r.Bytes == 0 || r.QueryID != queryID {
			t.Errorf("%s: %+v", location, r)
		}
	}
}

func (b *bed) verify(t *testing.T, location string) Report {
	t.Helper()
	f, err := OpenFolder(t.Context(), location, b.s3.Config(""))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Verify(t.Context(), f, b.known(t))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// TestNull: NULL and the empty text stay apart, and no row is an empty line.
func TestNull(t *testing.T) {
	for _, c := range []struct {
		texts [][]byte
		want  string
	}{
		{[][]byte{nil, {}, []byte(`a"b"`)}, ",\"\",\"a\"\"b\"\"\"\n"},
		{[][]byte{nil}, "\"\"\n"},
		{[][]byte{nil, nil}, ",\n"},
	} {
		if got := string(appendCSV(nil, c.texts)); got != c.want {
			t.Errorf("%q: %q, want %q", c.texts, got, c.want)
		}
	}
}

// TestNoRows: an answer without rows is a file with the columns' names.
func TestNoRows(t *testing.T) {
	b := newBed(t)
	b.s3.Bucket(t, "results")
	b.cfg.Results = rows(0)
	b.ask(t, queryID, "s3://results")
	if q := b.delivered(t, queryID); q.Delivery != query.DeliverySuccess {
		t.Fatalf("%+v", q)
	}
	if got := readCSV(t, filepath.Join(b.folder("results"), "result_1.csv.gz")); len(got) != 1 || got[0][0] != "name" {
		t.Errorf("%q", got)
	}
	if r := b.verify(t, b.folder("results")); len(r.Findings) > 0 {
		t.Errorf("%+v", r)
	}
}

// TestFails: the state says what went wrong.
func TestFails(t *testing.T) {
	b := newBed(t)
	b.ask(t, "no-bucket", "s3://nowhere-at-all/x")
	if q := b.delivered(t, "no-bucket"); q.Delivery != query.DeliveryNotFound || !strings.Contains(q.Error, "bucket") {
		t.Errorf("%+v", q)
	}
	b.s3.Bucket(t, "results")
	b.ask(t, "denied", "s3://results")
	wrong := b.cfg
	wrong.Targets.S3.Credentials = b.wrongKey()
	right := b.cfg
	b.cfg = wrong
	if q := b.delivered(t, "denied"); q.Delivery != query.DeliveryDenied || !strings.Contains(q.Error, "denied") {
		t.Errorf("%+v", q)
	}
	b.cfg = right
	b.cfg.Results = gone{}
	b.ask(t, "gone", "s3://results")
	if q := b.delivered(t, "gone"); q.Delivery != query.DeliveryFailed {
		t.Errorf("%+v", q)
	}
	b.cfg = right
	b.cfg.Targets.S3.Endpoint, b.cfg.Targets.S3.Attempts = "http://127.0.0.1:1", 1 // nobody listens there
	b.cfg.Now = func() time.Time { return ended.Add(25 * time.Hour) }
	b.ask(t, "too late", "s3://results")
	if q := b.delivered(t, "too late"); q.Delivery != query.DeliveryFailed {
		t.Errorf("%+v", q)
	}
	for _, f := range []struct {
		err  error
		want string
	}{
		{&failure{errors.New("x"), true}, query.DeliveryFailedSigning},
		{&failure{awserr.New("x", "y"), false}, query.DeliveryFailed},
	} {
		if got, _ := outcome(f.err); got != f.want {
			t.Errorf("%v: %s", f.err, got)
		}
	}
}

type gone struct{}

func (gone) Read(context.Context, string, func([]string) error, func([][]byte) error) error {
	return fmt.Errorf("results: %w", os.ErrNotExist)
}

// flaky fails until it has been asked often enough.
type flaky struct {
	rows
	left *int
}

func (f flaky) Read(ctx context.Context, id string, columns func([]string) error, row func([][]byte) error) error {
	if *f.left--; *f.left > 0 {
		return io.ErrUnexpectedEOF
	}
	return f.rows.Read(ctx, id, columns, row)
}

// TestTriedAgain: what fails for a while comes about later, also over a restart.
func TestTriedAgain(t *testing.T) {
	b := newBed(t)
	b.s3.Bucket(t, "results")
	left := 4
	b.cfg.Results = flaky{3, &left}
	b.ask(t, queryID, "s3://results")
	now := ended
	b.cfg.Now = func() time.Time { now = now.Add(time.Minute); return now }
	if q := b.delivered(t, queryID); q.Delivery != query.DeliverySuccess || left != 0 {
		t.Errorf("%+v after %d", q, left)
	}
}

// TestRestart: a delivery that a closing server leaves is taken up by the next one.
func TestRestart(t *testing.T) {
	b := newBed(t)
	b.s3.Bucket(t, "results")
	b.ask(t, queryID, "s3://results")
	reached := make(chan struct{})
	cfg := b.cfg
	cfg.Results = stuck(reached)
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if q, err := b.db.Query(t.Context(), queryID); err != nil || q.Delivery != query.DeliveryPending {
		t.Fatalf("%+v, %v", q, err)
	}
	if q := b.delivered(t, queryID); q.Delivery != query.DeliverySuccess {
		t.Errorf("%+v", q)
	}
}

// stuck says that it was reached, and waits for the end.
type stuck chan struct{}

func (s stuck) Read(ctx context.Context, _ string, columns func([]string) error, _ func([][]byte) error) error {
	if err := columns([]string{"a"}); err != nil {
		return err
	}
	close(s)
	<-ctx.Done()
	return ctx.Err()
}

func TestCheckTarget(t *testing.T) {
	b := newBed(t)
	b.s3.Bucket(t, "results")
	targets := b.cfg.Targets
	for uri, want := range map[string]string{
		"s3://results":                             "",
		"s3://results/":                            "",
		"s3://results/a/b/":                        "",
		"s3://nowhere-at-all":                      "S3BucketDoesNotExistException",
		"s3://results//a":                          "InvalidS3PrefixException",
		"s3://results/a/../b":                      "InvalidS3PrefixException",
		"s3://results/" + strings.Repeat("x", 201): "InvalidS3PrefixException",
		"s3://": "InvalidS3BucketNameException",
	} {
		err := targets.Check(t.Context(), uri)
		if want == "" && err != nil || want != "" && !awserr.Is(err, want) {
			t.Errorf("%s: %v, want %s", uri, err, want)
		}
	}
	targets.S3.Endpoint = "http://127.0.0.1:1"
	if err := targets.Check(t.Context(), "s3://results"); err != nil {
		t.Errorf("a store that does not answer: %v", err)
	}
}
