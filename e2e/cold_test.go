package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/lochlake/loch/client"
)

// serveCold starts a server anew that moves every file of a day which is over to a second folder, and returns when it has.
func serveCold(t *testing.T, r *running, bin, cold string, env []string) *running {
	t.Helper()
	r.stop(t)
	r = serve(t, bin, r.dir, env, "--compaction", "0", "--cold-path", cold, "--cold-after", "1d")
	for {
		links, whole := dataFiles(t, filepath.Join(r.dir, "lake", "tables"))
		if whole == 0 && links > 0 {
			return r
		}
		select {
		case err := <-r.done:
			r.cmd = nil
			t.Fatalf("loch serve ended: %v\n%s", err, tail(r.stderr()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// dataFiles counts the tables' data files below a folder, links and others.
func dataFiles(t *testing.T, dir string) (links, whole int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !strings.HasSuffix(path, ".parquet"):
		case d.Type().IsRegular():
			whole++
		default:
			links++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return links, whole
}

// TestColdDays: days that lie in a second folder are queried, verified and proved like others, whoever knows of the folder; and found to be missing when it is away.
func TestColdDays(t *testing.T) {
	bin := build(t)
	data, logs, cold := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "slow", "disk")
	state := filepath.Join(t.TempDir(), "checkpoints.json")
	run(t, nil, bin, "generate", "--events", "3000", "--seed", "21", "--days", "12", "--start", "2026-03-01", logs)
	r := serve(t, bin, data, nil)
	createStore(t, r, "kept")
	importInto(t, r, bin, "--store", "kept", logs)
	ask := func() string {
		return run(t, r.env(), bin, "query", "SELECT date_trunc('day', eventTime) AS day, count(*), count(DISTINCT eventID), sum(length(eventJson)), max(userIdentity.arn) FROM kept GROUP BY 1 ORDER BY 1", "--format", "csv")
	}
	before := ask()
	if n := strings.Count(before, "\n"); n < 12 {
		t.Fatalf("%d lines: %s", n, before)
	}
	r = serveCold(t, r, bin, cold, nil)
	if after := ask(); after != before {
		t.Errorf("before the move:\n%safter it:\n%s", before, after)
	}
	more := t.TempDir() // events of days that were moved
	run(t, nil, bin, "generate", "--events", "500", "--seed", "22", "--days", "12", "--start", "2026-03-01", more)
	importInto(t, r, bin, "--store", "kept", more)
	before = ask()
	r.stop(t)
	r = serve(t, bin, data, nil, "--compaction", "0") // without the second folder's flag; were all its files merged with what came late, none would be missed below
	if after := ask(); after != before {
		t.Errorf("before a start without the folder's flag:\n%safter it:\n%s", before, after)
	}
	r.stop(t)
	whole := func() (string, error) { return command(nil, bin, "verify", "--data", data, "--state", state, "--full") }
	if out, err := whole(); err != nil || !strings.Contains(out, "valid: 1 store") {
		t.Errorf("%v: %s", err, out)
	}
	if err := os.Rename(cold, cold+".away"); err != nil {
		t.Fatal(err)
	}
	if out, err := whole(); err == nil || !strings.Contains(out, ".parquet: missing") {
		t.Errorf("without the second folder: %v: %s", err, out)
	}
	if out, err := command(nil, bin, "serve", "--data", data, "--listen", "127.0.0.1:0", "--cold-path", cold); err == nil || !strings.Contains(out, "is its disk mounted?") {
		t.Errorf("a start without the second folder: %v: %s", err, out)
	}
}

// chill moves the store's files to a second folder, for Trino to read them there.
func (f *federatedStore) chill(t *testing.T) {
	t.Helper()
	f.running = serveCold(t, f.running, f.bin, t.TempDir(), nil)
	var err error
	if f.client, err = client.WithCredentials(f.endpoint, "us-east-1", credentials.NewStaticCredentialsProvider(f.key.ID, f.key.Secret, "")); err != nil {
		t.Fatal(err)
	}
}
