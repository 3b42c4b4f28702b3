package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lochlake/loch/objstore/s3test"
)

// merged asks the server whether it has merged files.
func merged(t *testing.T, r *running) bool {
	t.Helper()
	resp, err := http.Get(r.endpoint + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^loch_compaction_files_total\{direction="in"\} [1-9]`).Match(b)
}

// TestVerifyARunningServer: `loch verify` over the network finds nothing wrong in a server that takes an import and merges files meanwhile, with its tables in a folder or in a bucket; what is changed below
// it is found and named.
func TestVerifyARunningServer(t *testing.T) {
	bin := build(t)
	logs := t.TempDir()
	run(t, nil, bin, "generate", "--events", "20000", "--seed", "51", "--days", "3", logs)
	for _, in := range []string{"folder", "bucket"} {
		t.Run(in, func(t *testing.T) {
			var env, place []string
			if in == "bucket" {
				s3 := s3test.Start(t)
				store := s3.Bucket(t, "audit") + "/lake"
				env = []string{"LOCH_STORE_URL=" + store, "LOCH_S3_ENDPOINT=" + s3.Endpoint, "LOCH_S3_PATH_STYLE=true", "LOCH_S3_ACCESS_KEY=" + s3.AccessKey, "LOCH_S3_SECRET_KEY=" + s3.SecretKey, "LOCH_S3_REGION=" + s3.Region}
				place = []string{"--store-url", store}
			}
			data, state := t.TempDir(), filepath.Join(t.TempDir(), "checkpoints.json")
			r := serve(t, bin, data, env, "--commit-interval", "50ms", "--compaction", "1", "--compaction-quiet", "1ms")
			createStore(t, r, "watched")
			importing := exec.Command(bin, "import", "--store", "watched", logs)
			importing.Env = append(os.Environ(), r.env()...)
			if err := importing.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- importing.Wait() }()
			var report struct {
				Valid                  bool
				Stores, Leaves, Events int64
				Files, Bytes, Checked  int64
			}
			verify := func(full ...string) {
				t.Helper()
				out := run(t, r.env(), bin, append([]string{"verify", "--state", state, "--json"}, full...)...)
				if err := json.Unmarshal([]byte(out), &report); err != nil || !report.Valid || full != nil && report.Checked != report.Events {
					t.Fatalf("%v: %s", err, out)
				}
			}
			times := 0
			for over := false; !over || !merged(t, r); times++ {
				verify("--full")
				verify()
				select {
				case err := <-done:
					if over = true; err != nil {
						t.Fatal(err)
					}
				default:
				}
			}
			verify("--full")
			if report.Events == 0 || report.Stores < 1 || times < 2 {
				t.Errorf("verified %d times, the last time %+v", times, report)
			}
			out := run(t, r.env(), bin, "verify", "--state", state)
			if !strings.HasPrefix(out, "valid: ") || !strings.Contains(out, " files (") {
				t.Errorf("in words: %s", out)
			}
			run(t, r.env(), bin, "verify", "--logs", "--state", state)
			if out, err := command(append(r.env(), "AWS_SHARED_CREDENTIALS_FILE="+wrongKey(t)), bin, "verify", "--state", state); err == nil || !strings.Contains(out, "security token") {
				t.Errorf("with a key that is none: %v, %s", err, out)
			}
			r.stop(t)
			run(t, env, bin, append([]string{"verify", "--data", data, "--state", state, "--full"}, place...)...)
			if in == "bucket" {
				return
			}
			r = serve(t, bin, data, nil, "--compaction", "0")
			files, err := filepath.Glob(filepath.Join(data, "lake", "tables", "*", "data", "*", "*.parquet"))
			if err != nil || len(files) == 0 {
				t.Fatal(err)
			}
			for _, f := range files { // those that were merged, too, which nothing names
				flip(t, f)
			}
			out, err = command(r.env(), bin, "verify", "--state", state)
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 || !strings.Contains(out, ".parquet: changed") {
				t.Errorf("files that were changed below the server: %v, %s", err, out)
			}
		})
	}
}

// wrongKey is a credentials file with a key that no server has.
func wrongKey(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	text := "[default]\naws_access_key_id = AKIANOSUCHKEYNOSUCH2\naws_secret_access_key = " + strings.Repeat("k", 40) + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
