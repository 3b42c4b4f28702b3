package e2e

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/objstore/s3test"
)

// values runs a query with --format csv and gives its rows.
func values(t *testing.T, r *running, bin, sql string) [][]string {
	t.Helper()
	out := run(t, r.env(), bin, "query", "--endpoint", r.endpoint, "--format", "csv", sql)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("%s: %q, %v", sql, out, err)
	}
	return rows[1:]
}

type summary struct {
	Status, ImportID          string
	Files, FilesKnown, Failed int64
	Counts                    struct{ Read, Stored, Known, Filtered, Expired, Bad, Foreign, Conflict int64 }
	Failures                  []struct{ Location, Type, Message string }
}

func importInto(t *testing.T, r *running, bin string, args ...string) summary {
	t.Helper()
	cmd := exec.Command(bin, append([]string{"import", "--json", "--endpoint", r.endpoint}, args...)...)
	cmd.Env = append(os.Environ(), r.env()...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 3) {
		t.Fatalf("loch import %s: %v\n%s%s", args, err, out, &errs)
	}
	var s summary
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := s.Counts
	if c.Read != c.Stored+c.Known+c.Filtered+c.Expired+c.Bad {
		t.Errorf("counts do not add up: %+v", c)
	}
	return s
}

func createStore(t *testing.T, r *running, name string) {
	t.Helper()
	run(t, r.env(), python(t), filepath.Join(filepath.Dir(python(t)), "aws"), "--endpoint-url", r.endpoint, "cloudtrail", "create-event-data-store", "--name", name, "--retention-period", "2557", "--no-termination-protection-enabled")
}

// TestQueryOverLogs is the responder's way: a folder, no server.
func TestQueryOverLogs(t *testing.T) {
	bin := build(t)
	logs := t.TempDir()
	run(t, nil, bin, "generate", "--events", "3000", "--seed", "5", logs)
	out := run(t, nil, bin, "query", "--logs", logs, "--format", "csv", "SELECT count(*), count(DISTINCT eventID), count_if(eventCategory = 'Data') > 0 FROM logs")
	if !strings.HasSuffix(out, "\n3000,3000,true\n") {
		t.Errorf("got %q", out)
	}
	cmd := exec.Command(bin, "query", "--logs", t.TempDir(), "SELECT 1 FROM logs")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "no CloudTrail event") {
		t.Errorf("an empty folder: %v, %s", err, out)
	}
	if corpus := "../../shared/corpus/cloudtrail"; exists(corpus) {
		out := run(t, nil, bin, "query", "--logs", corpus, "--format", "csv", "SELECT count(*), count(DISTINCT eventSource) FROM logs")
		if !strings.HasSuffix(out, "\n2900,29\n") {
			t.Errorf("the corpus: %q", out)
		}
	} else {
		t.Log("the corpus of real logs is not there")
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestDemo runs the demonstration to the end of its queries; every one must have found its rows.
func TestDemo(t *testing.T) {
	out := run(t, nil, build(t), "demo", "--once", "--events", "8000", "--listen", "127.0.0.1:0")
	for _, want := range []string{"8,000 events read = ", "UpdateDetector", "ConnectorDeletion", "support-sync", "kept 2557 days", "export AWS_SHARED_CREDENTIALS_FILE="} {
		if !strings.Contains(out, want) {
			t.Errorf("the demonstration does not show %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "(0 rows)") {
		t.Errorf("a query found nothing:\n%s", out)
	}
}

// TestImportTwiceAndBad imports a folder with good, bad and strange files into a store, twice.
func TestImportTwiceAndBad(t *testing.T) {
	bin := build(t)
	r := serve(t, bin, t.TempDir(), nil)
	createStore(t, r, "kept")
	logs := t.TempDir()
	run(t, nil, bin, "generate", "--events", "4000", "--seed", "6", logs)
	for name, body := range map[string]string{
		"bad/notes.txt":       "not a log file",
		"bad/cut.json":        `{"Records":[{"eventVersion":"1.08","eventTime":"2026-01-01T00:00:00Z","eventID":"cut-1","eventName":"A","eventCategory":"Management"},{"eventVersion":`,
		"bad/lines.jsonl":     `{"eventVersion":"1.08","eventTime":"2026-01-01T00:00:00Z","eventID":"line-1","eventName":"B","eventCategory":"Management"}` + "\n" + `{"eventVersion":"1.08","eventID":"line-2"}` + "\n",
		"bad/digest.json":     `{"awsAccountId":"111122223333","digestStartTime":"2026-01-01T00:00:00Z","digestS3Bucket":"b","logFiles":[]}`,
		"bad/bare-array.json": `[{"eventVersion":"1.08","eventTime":"2026-01-01T00:00:00Z","eventID":"array-1","eventName":"C","eventCategory":"Management"}]`,
	} {
		path := filepath.Join(logs, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	first := importInto(t, r, bin, "--store", "kept", logs)
	if first.Counts.Bad == 0 || first.Failed < 4 || first.Counts.Stored == 0 {
		t.Errorf("first: %+v", first)
	}
	named := map[string]bool{}
	for _, f := range first.Failures {
		named[filepath.Base(f.Location)] = true
	}
	for _, want := range []string{"notes.txt", "cut.json", "lines.jsonl", "digest.json"} {
		if !named[want] {
			t.Errorf("%s is not among the failures: %v", want, first.Failures)
		}
	}
	second := importInto(t, r, bin, "--store", "kept", logs)
	if second.Counts.Stored != 0 || second.FilesKnown == 0 {
		t.Errorf("second: %+v", second)
	}
	if got := values(t, r, bin, "SELECT count(*), count(DISTINCT eventID) FROM kept")[0]; got[0] != got[1] || got[0] != strconv.FormatInt(first.Counts.Stored, 10) {
		t.Errorf("the store has %v, the import stored %d", got, first.Counts.Stored)
	}
	if got := values(t, r, bin, "SELECT eventName FROM kept WHERE eventID IN ('cut-1', 'line-1', 'array-1') ORDER BY 1"); len(got) != 3 {
		t.Errorf("good records beside bad ones: %v", got)
	}
}

// TestKilled kills a server under an import, again and again; what was answered is there once.
func TestKilled(t *testing.T) {
	bin := build(t)
	dir := t.TempDir()
	logs := t.TempDir()
	run(t, nil, bin, "generate", "--events", "20000", "--seed", "8", "--per-file", "100", logs)
	r := serve(t, bin, dir, nil)
	createStore(t, r, "kept")
	for round := range 4 {
		cmd := exec.Command(bin, "import", "--endpoint", r.endpoint, "--store", "kept", logs)
		cmd.Env = append(os.Environ(), r.env()...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		ended := false
		for !ended && strings.Count(r.stderr(), "/objects") <= round { // some of it is in the log, by the server's own word
			select {
			case <-done:
				ended = true
			case <-time.After(time.Millisecond):
			}
		}
		r.kill(t)
		if !ended {
			cmd.Process.Kill()
			<-done
		}
		r = serve(t, bin, dir, nil)
	}
	last := importInto(t, r, bin, "--store", "kept", logs)
	want := values(t, r, bin, "SELECT count(*), count(DISTINCT eventID) FROM kept")[0]
	again := serveAgain(t, r, bin, dir)
	got := values(t, again, bin, "SELECT count(*), count(DISTINCT eventID) FROM kept")[0]
	if got[0] != got[1] || got[0] != want[0] || last.Counts.Bad != 0 {
		t.Errorf("after kills: %v, after a restart: %v, last import %+v", want, got, last.Counts)
	}
	fresh := serve(t, bin, t.TempDir(), nil)
	createStore(t, fresh, "kept")
	if s := importInto(t, fresh, bin, "--store", "kept", logs); strconv.FormatInt(s.Counts.Stored, 10) != got[0] {
		t.Errorf("a server that was never killed stored %d, the killed one %s", s.Counts.Stored, got[0])
	}
}

func serveAgain(t *testing.T, r *running, bin, dir string) *running {
	t.Helper()
	r.stop(t)
	return serve(t, bin, dir, nil)
}

// TestSecondServerRefuses: two servers on one folder would be two writers.
func TestSecondServerRefuses(t *testing.T) {
	bin := build(t)
	r := serve(t, bin, t.TempDir(), nil)
	out, err := exec.Command(bin, "serve", "--data", r.dir, "--listen", "127.0.0.1:0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another loch serves") {
		t.Errorf("a second server: %v, %s", err, out)
	}
}

// TestTablesInS3 puts the tables into a bucket, with a cache far smaller than what a query reads.
func TestTablesInS3(t *testing.T) {
	s3 := s3test.Start(t)
	if err := os.Mkdir(filepath.Join(s3.Dir, "lake"), 0o755); err != nil {
		t.Fatal(err)
	}
	bin := build(t)
	env := []string{"LOCH_S3_ENDPOINT=" + s3.Endpoint, "LOCH_S3_PATH_STYLE=true", "LOCH_S3_ACCESS_KEY=" + s3.AccessKey, "LOCH_S3_SECRET_KEY=" + s3.SecretKey, "LOCH_S3_REGION=" + s3.Region}
	dir := t.TempDir()
	r := serve(t, bin, dir, env, "--store-url", "s3://lake/tables", "--cache-size", "200KB")
	createStore(t, r, "kept")
	logs := t.TempDir()
	run(t, nil, bin, "generate", "--events", "12000", "--seed", "9", logs)
	s := importInto(t, r, bin, "--store", "kept", logs)
	check := func() {
		t.Helper()
		got := values(t, r, bin, "SELECT count(*), count(DISTINCT eventID), sum(length(eventJson)) > 1000000, count(DISTINCT eventJsonChecksum) FROM kept")[0]
		n := strconv.FormatInt(s.Counts.Stored, 10)
		if got[0] != n || got[1] != n || got[2] != "true" || got[3] != n {
			t.Errorf("got %v, stored %s", got, n)
		}
	}
	check()
	r.stop(t)
	r = serve(t, bin, dir, env, "--store-url", "s3://lake/tables", "--cache-size", "200KB")
	check()
	if exists(filepath.Join(dir, "lake")) {
		t.Error("tables lie in the local folder too")
	}
}
