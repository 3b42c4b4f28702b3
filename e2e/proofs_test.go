package e2e

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestProofs: the server is killed while an import runs, and started and stopped again; its lake verifies each time, its events are proved, and what is changed is found.
func TestProofs(t *testing.T) {
	bin := build(t)
	data, logs := t.TempDir(), t.TempDir()
	state := filepath.Join(t.TempDir(), "checkpoints.json")
	run(t, nil, bin, "generate", "--events", "20000", "--seed", "12", logs)
	more := t.TempDir()
	run(t, nil, bin, "generate", "--events", "100", "--seed", "13", more)
	r := serve(t, bin, data, nil, "--commit-interval", "200ms")
	createStore(t, r, "proved")
	importing := exec.Command(bin, "import", "--store", "proved", logs)
	importing.Env = append(os.Environ(), r.env()...)
	if err := importing.Start(); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(r.stderr(), "/objects") { // some of it is in the durable log, by the server's own word
		time.Sleep(time.Millisecond)
	}
	r.kill(t)
	_ = importing.Wait() // it lost its server, unless it was quicker
	whole := func(args ...string) string {
		t.Helper()
		return run(t, nil, bin, append([]string{"verify", "--data", data, "--state", state}, args...)...)
	}
	whole("--full")

	second := time.Now()
	r = serve(t, bin, data, nil, "--compaction", "0")
	importInto(t, r, bin, "--store", "proved", logs)
	importInto(t, r, bin, "--store", "proved", more)
	r.stop(t) // which publishes what waits for its log: an event that has just come cannot be proved yet
	r = serve(t, bin, data, nil, "--compaction", "0")
	out := run(t, r.env(), bin, "query", "SELECT eventID FROM proved WHERE eventID IS NOT NULL LIMIT 1", "--format", "jsonl")
	var row map[string]string
	if err := json.Unmarshal([]byte(strings.SplitN(out, "\n", 2)[0]), &row); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var id string
	for _, id = range row {
	}
	if out, err := command(nil, bin, "verify", "--data", data, "--state", state); err == nil || !strings.Contains(out, "a server runs") {
		t.Errorf("beside a running server: %v, %s", err, out)
	}
	file := filepath.Join(t.TempDir(), "proof.json")
	run(t, r.env(), bin, "prove", id, "--store", "proved", "-o", file)
	if out := run(t, r.env(), bin, "verify", "--logs", "--state", state); !strings.Contains(out, "valid: the logs of 1 store") {
		t.Errorf("loch verify --logs: %s", out)
	}
	if out, err := command(r.env(), bin, "prove", "none"); err == nil || !strings.Contains(out, "no such event") {
		t.Errorf("a proof of nothing: %v, %s", err, out)
	}
	r.stop(t)

	seed, err := os.ReadFile(filepath.Join(data, "proof.key"))
	if err != nil || len(seed) != 32 {
		t.Fatalf("%d bytes, %v", len(seed), err)
	}
	if out, err := command(nil, bin, "verify", "--proof", file); err == nil || !strings.Contains(out, "--key is needed") {
		t.Errorf("a proof without a key: %v, %s", err, out)
	}
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if out := run(t, nil, bin, "verify", "--proof", file, "--key", base64.StdEncoding.EncodeToString(public)); !strings.Contains(out, "valid: event "+id) {
		t.Errorf("a proof: %s", out)
	}
	if out, err := command(nil, bin, "verify", "--proof", file, "--key", base64.StdEncoding.EncodeToString(make([]byte, 32))); err == nil || !strings.Contains(out, "proves nothing") {
		t.Errorf("a proof by another key: %v, %s", err, out)
	}
	if out, err := command(nil, bin, "verify", "--data", data, "--state", state, "--new-key", base64.StdEncoding.EncodeToString(make([]byte, 32))); err == nil || !strings.Contains(out, "--new-key is") {
		t.Errorf("a new key that is not the lake's: %v, %s", err, out)
	}
	if out := whole("--full", "--json"); !strings.Contains(out, `"valid": true`) {
		t.Error(out)
	}
	if out, err := os.ReadFile(state); err != nil || !strings.Contains(string(out), base64.StdEncoding.EncodeToString(public)) || !strings.Contains(string(out), r.endpoint) || !strings.Contains(string(out), data) {
		t.Errorf("what the verifier remembers: %s, %v", out, err)
	}
	var damaged string // a file of the second start: the kill may have left some that no table names
	err = filepath.WalkDir(filepath.Join(data, "lake", "tables"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		info, err := d.Info()
		if err == nil && info.ModTime().After(second) {
			damaged = path
		}
		return err
	})
	if err != nil || damaged == "" {
		t.Fatal("no data file", err)
	}
	flip(t, damaged)
	out, err = command(nil, bin, "verify", "--data", data, "--state", state)
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 || !strings.Contains(out, filepath.Base(damaged)+": changed") {
		t.Errorf("a changed file: %v, %s", err, out)
	}
}
