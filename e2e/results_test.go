package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/objstore/s3test"
)

// awscli2 is version 2 of the aws CLI, which alone checks delivered results.
func awscli2(t *testing.T) string {
	t.Helper()
	p, err := filepath.Abs("../build/awscli2/aws")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Skip("no aws CLI 2 in build/awscli2: run `make tools` (on Linux, x86-64)")
	}
	return p
}

// deliver runs a statement by the aws CLI with its results going to uri, and waits for both.
func (r *running) deliver(t *testing.T, aws, sql, uri string) (id, status string) {
	t.Helper()
	env := append(r.env(), "AWS_ENDPOINT_URL_CLOUDTRAIL="+r.endpoint)
	var started struct{ QueryId string }
	out := run(t, env, aws, "cloudtrail", "start-query", "--query-statement", sql, "--delivery-s3-uri", uri, "--output", "json")
	if err := json.Unmarshal([]byte(out), &started); err != nil {
		t.Fatal(err)
	}
	for {
		var d struct{ QueryStatus, DeliveryStatus, DeliveryS3Uri string }
		out := run(t, env, aws, "cloudtrail", "describe-query", "--query-id", started.QueryId, "--output", "json")
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			t.Fatal(err)
		}
		if d.DeliveryStatus != "PENDING" {
			if d.DeliveryS3Uri != uri {
				t.Errorf("%+v", d)
			}
			return started.QueryId, d.DeliveryStatus
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the test ended first")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestDeliveredResults has results delivered to a bucket, and lets the aws CLI and loch verify check them there and in a copy, whole and changed.
func TestDeliveredResults(t *testing.T) {
	aws := awscli2(t)
	bin := build(t)
	// The command signs for CloudTrail and for S3 with one key, so both servers have the same.
	const accessKey, secretKey = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	s3 := s3test.StartWith(t, accessKey, secretKey)
	s3.Bucket(t, "results")
	s3env := []string{"LOCH_S3_ENDPOINT=" + s3.Endpoint, "LOCH_S3_PATH_STYLE=true", "LOCH_S3_ACCESS_KEY=" + s3.AccessKey, "LOCH_S3_SECRET_KEY=" + s3.SecretKey, "LOCH_S3_REGION=" + s3.Region}
	data := t.TempDir()
	root := "[default]\naws_access_key_id = " + accessKey + "\naws_secret_access_key = " + secretKey + "\naws_account_id = " + account + "\nregion = us-east-1\n"
	if err := os.WriteFile(filepath.Join(data, "credentials"), []byte(root), 0o600); err != nil {
		t.Fatal(err)
	}
	r := serve(t, bin, data, s3env)
	createStore(t, r, "kept")
	logs := t.TempDir()
	run(t, nil, bin, "generate", "--events", "3000", "--seed", "11", logs)
	importInto(t, r, bin, "--store", "kept", logs)
	if out := run(t, r.env(), bin, "query", "--alias", "identity.console-logins", "-p", "kept", "-p", "2000-01-01", "-p", "2200-01-01", "--json"); !strings.Contains(out, `"logins"`) {
		t.Errorf("loch query --alias: %s", out)
	}
	if out := run(t, nil, bin, "queries", "leaked", "access", "key", "--json"); !strings.Contains(out, "forensics.timeline-of-access-key") {
		t.Errorf("loch queries: %s", out)
	}
	id, status := r.deliver(t, aws, "SELECT eventID, eventTime, eventName, eventJson FROM kept ORDER BY eventTime", "s3://results/audit")
	if status != "SUCCESS" {
		t.Fatalf("delivery: %s\n%s", status, tail(r.stderr()))
	}
	found, err := filepath.Glob(filepath.Join(s3.Dir, "results/audit/AWSLogs", account, "CloudTrail-Lake/Query/*/*/*", id, "result_sign.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	folder := filepath.Dir(found[0])
	prefix, err := filepath.Rel(filepath.Join(s3.Dir, "results"), folder)
	if err != nil {
		t.Fatal(err)
	}

	env := append(r.env(), "AWS_ENDPOINT_URL_CLOUDTRAIL="+r.endpoint)
	keys := filepath.Join(t.TempDir(), "keys.json")
	listed := run(t, env, aws, "cloudtrail", "list-public-keys", "--output", "json")
	if err := os.WriteFile(keys, []byte(listed), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(dir string, valid bool, finding string) {
		t.Helper()
		out, err := command(env, aws, "cloudtrail", "verify-query-results", "--local-export-path", dir)
		if (err == nil) != valid || valid != strings.Contains(out, "Successfully validated sign and query result files") {
			t.Errorf("%s: aws: %v, %s", filepath.Base(dir), err, out)
		}
		for _, args := range [][]string{{"--endpoint", r.endpoint}, {"--keys", keys}} {
			out, err := command(r.env(), bin, append([]string{"verify", dir}, args...)...)
			if (err == nil) != valid || !strings.Contains(out, finding) {
				t.Errorf("%s: loch verify %v: %v, %s", filepath.Base(dir), args, err, out)
			}
			if exit, ok := err.(*exec.ExitError); !valid && (!ok || exit.ExitCode() != 1) {
				t.Errorf("%s: loch verify %v: %v", filepath.Base(dir), args, err)
			}
		}
	}
	check(folder, true, "valid: 1 file")
	for name, change := range map[string]struct {
		do      func(t *testing.T, dir string)
		finding string
	}{
		"changed": {func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "result_1.csv.gz")) }, "result_1.csv.gz: changed"},
		"missing": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "result_1.csv.gz")); err != nil {
				t.Fatal(err)
			}
		}, "result_1.csv.gz: missing"},
		"signature": {func(t *testing.T, dir string) {
			path := filepath.Join(dir, "result_sign.json")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			i := strings.Index(string(text), `"hashSignature":"`) + len(`"hashSignature":"`) + 9
			text[i] = "10"[text[i]&1]
			text[i+1] = "ba"[text[i+1]&1]
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "result_sign.json: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			change.do(t, dir)
			check(dir, false, change.finding)
		})
	}

	// From the bucket.
	out, err := command(append(r.env(), s3env...), bin, "verify", "s3://results/"+prefix, "--endpoint", r.endpoint, "--json")
	if err != nil || !strings.Contains(out, `"Valid": true`) {
		t.Errorf("loch verify s3://…: %v, %s", err, out)
	}
	s3prefix := []string{"--s3-bucket", "results", "--s3-prefix", prefix}
	env = append(env, "AWS_ENDPOINT_URL_S3="+s3.Endpoint)
	if out, err := command(env, aws, append([]string{"cloudtrail", "verify-query-results"}, s3prefix...)...); err != nil || !strings.Contains(out, "Successfully validated") {
		t.Errorf("aws, from the bucket: %v, %s", err, out)
	}
	changed, err := os.ReadFile(filepath.Join(folder, "result_1.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	changed[len(changed)/2] ^= 1
	if err := s3.Open(t, "s3://results/"+prefix).Put(t.Context(), "result_1.csv.gz", bytes.NewReader(changed), int64(len(changed)), false); err != nil {
		t.Fatal(err)
	}
	if out, err := command(env, aws, append([]string{"cloudtrail", "verify-query-results"}, s3prefix...)...); err == nil || !strings.Contains(out, "inconsistent hash") {
		t.Errorf("aws, from the bucket, changed: %v, %s", err, out)
	}
	out, err = command(append(r.env(), s3env...), bin, "verify", "s3://results/"+prefix, "--endpoint", r.endpoint, "--json")
	if err == nil || !strings.Contains(out, `"File": "result_1.csv.gz"`) || !strings.Contains(out, `"Valid": false`) {
		t.Errorf("loch verify s3://…, changed: %v, %s", err, out)
	}

	// A bucket that does not exist is told at once; one that refuses costs nobody the answer.
	if out, err := command(env, aws, "cloudtrail", "start-query", "--query-statement", "SELECT 1", "--delivery-s3-uri", "s3://nowhere-at-all"); err == nil || !strings.Contains(out, "S3BucketDoesNotExistException") {
		t.Errorf("no bucket: %v, %s", err, out)
	}
	r.stop(t)
	r = serve(t, bin, data, append(s3env, "LOCH_S3_SECRET_KEY=another"))
	id, status = r.deliver(t, aws, "SELECT count(*) FROM kept", "s3://results")
	if status != "ACCESS_DENIED" {
		t.Errorf("a wrong key: %s", status)
	}
	env = append(r.env(), "AWS_ENDPOINT_URL_CLOUDTRAIL="+r.endpoint)
	if out := run(t, env, aws, "cloudtrail", "get-query-results", "--query-id", id, "--output", "json"); !strings.Contains(out, `"FINISHED"`) || !strings.Contains(out, `"_col0"`) {
		t.Errorf("the answer of a query whose delivery was refused: %s", out)
	}
}

// flip changes one bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.Chmod(path, 0o600); err != nil { // objects are read-only
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// command runs a command that may fail, and gives all that it said.
func command(env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
