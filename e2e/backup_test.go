package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/objstore/s3test"
)

// secrets keeps a server's secrets elsewhere, as an operator does, and gives a folder of the new server with them.
func secrets(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"credentials", "token.key", "proof.key"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func number(t *testing.T, rows [][]string) int {
	t.Helper()
	n, err := strconv.Atoi(rows[0][0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLostDisk: a server with its tables in a bucket is killed while it imports, and its folder is deleted. Everything that was committed comes back from the bucket alone, and what is sent again
// makes it whole.
func TestLostDisk(t *testing.T) {
	bin := build(t)
	s3 := s3test.Start(t)
	store := s3.Bucket(t, "audit") + "/lake"
	env := []string{"LOCH_STORE_URL=" + store, "LOCH_S3_ENDPOINT=" + s3.Endpoint, "LOCH_S3_PATH_STYLE=true", "LOCH_S3_ACCESS_KEY=" + s3.AccessKey, "LOCH_S3_SECRET_KEY=" + s3.SecretKey, "LOCH_S3_REGION=" + s3.Region}
	data, first, second := filepath.Join(t.TempDir(), "data"), t.TempDir(), t.TempDir()
	run(t, nil, bin, "generate", "--events", "5000", "--seed", "31", first)
	run(t, nil, bin, "generate", "--events", "20000", "--seed", "32", second)
	r := serve(t, bin, data, env, "--commit-interval", "200ms")
	createStore(t, r, "kept")
	importInto(t, r, bin, "--store", "kept", first)
	const query = "SELECT count(*), count(DISTINCT eventID), to_hex(checksum(eventJson)) FROM kept"
	before := values(t, r, bin, "SELECT count(*) FROM kept")
	importing := exec.Command(bin, "import", "--store", "kept", second)
	importing.Env = append(os.Environ(), r.env()...)
	if err := importing.Start(); err != nil {
		t.Fatal(err)
	}
	for number(t, values(t, r, bin, "SELECT count(*) FROM kept")) == number(t, before) { // something of the second import is committed
	}
	for { // and the metadata has been copied
		copies, err := filepath.Glob(filepath.Join(s3.Dir, "audit", "lake", "metadata", "*.db.zst"))
		if err != nil {
			t.Fatal(err)
		}
		if len(copies) > 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	committed := number(t, values(t, r, bin, "SELECT count(*) FROM kept"))
	r.kill(t)
	_ = importing.Wait() // it lost its server, unless it was quicker
	again := secrets(t, data)
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if out, err := command(env, bin, "recover", "--data", filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(out, "proof.key is missing") {
		t.Errorf("without the key: %v, %s", err, out)
	}
	if out := run(t, env, bin, "recover", "--data", again); !strings.Contains(out, "recovered 1 store from the metadata as it was copied at") {
		t.Errorf("recover: %s", out)
	}
	verified := func(dir string) {
		t.Helper()
		if out := run(t, env, bin, "verify", "--data", dir, "--store-url", store, "--state", filepath.Join(t.TempDir(), "state"), "--full"); !strings.Contains(out, "valid: 1 store") {
			t.Errorf("verify: %s", out)
		}
	}
	verified(again)
	r = serve(t, bin, again, env)
	if got := number(t, values(t, r, bin, "SELECT count(*) FROM kept")); got < committed {
		t.Errorf("%d events came back, and %d were committed", got, committed)
	}
	importInto(t, r, bin, "--store", "kept", second)
	importInto(t, r, bin, "--store", "kept", first)
	got := values(t, r, bin, query)
	r.stop(t)
	verified(again)

	// The same events in a server that nothing happened to.
	whole := serve(t, bin, t.TempDir(), nil)
	createStore(t, whole, "kept")
	importInto(t, whole, bin, "--store", "kept", first)
	importInto(t, whole, bin, "--store", "kept", second)
	if want := values(t, whole, bin, query); strings.Join(got[0], " ") != strings.Join(want[0], " ") || got[0][0] != got[0][1] {
		t.Errorf("rows, events and their texts are %v, and %v without a loss", got[0], want[0])
	}
}

// TestBackupOfARunningServer: points are made while events come in, into a folder and a bucket, and each is whole where it is put back.
func TestBackupOfARunningServer(t *testing.T) {
	bin := build(t)
	s3 := s3test.Start(t)
	bucket := s3.Bucket(t, "backups") + "/loch"
	env := []string{"LOCH_S3_ENDPOINT=" + s3.Endpoint, "LOCH_S3_PATH_STYLE=true", "LOCH_S3_ACCESS_KEY=" + s3.AccessKey, "LOCH_S3_SECRET_KEY=" + s3.SecretKey, "LOCH_S3_REGION=" + s3.Region}
	data, logs, folder := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "backups")
	run(t, nil, bin, "generate", "--events", "3000", "--seed", "33", logs)
	r := serve(t, bin, data, nil, "--commit-interval", "100ms")
	createStore(t, r, "kept")
	importInto(t, r, bin, "--store", "kept", logs)
	stored := number(t, values(t, r, bin, "SELECT count(*) FROM kept"))
	point := func(dest string) (p struct {
		Name                string
		Events              int
		FileCount, NewFiles int
	}) {
		t.Helper()
		if err := json.Unmarshal([]byte(run(t, env, bin, "backup", "--data", data, "--json", dest)), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	more := t.TempDir()
	run(t, nil, bin, "generate", "--events", "10000", "--seed", "34", more)
	one := point(folder)
	importing := exec.Command(bin, "import", "--store", "kept", more)
	importing.Env = append(os.Environ(), r.env()...)
	if err := importing.Start(); err != nil {
		t.Fatal(err)
	}
	two, afar := point(folder), point(bucket)
	if err := importing.Wait(); err != nil {
		t.Error(err)
	}
	if one.Events != stored || two.NewFiles >= two.FileCount || afar.NewFiles != afar.FileCount {
		t.Errorf("points %+v, %+v, %+v of %d events at first", one, two, afar, stored)
	}
	if out, err := command(nil, bin, "backup", "--data", data, filepath.Join(data, "backups")); err == nil || !strings.Contains(out, "belongs elsewhere") {
		t.Errorf("a backup within the data folder: %v, %s", err, out)
	}
	if out := run(t, nil, bin, "backup", folder, "--list"); strings.Count(out, "\n") != 2 || !strings.HasPrefix(out, one.Name+"  1 store") {
		t.Errorf("the points: %s", out)
	}
	if out, err := command(nil, bin, "restore", folder, "--data", data); err == nil || !strings.Contains(out, "is not empty") {
		t.Errorf("over a server's folder: %v, %s", err, out)
	}
	for _, from := range []struct {
		source, name string
		least        int
	}{{folder, one.Name, stored}, {folder, two.Name, stored}, {bucket, afar.Name, stored}} {
		run(t, env, bin, "restore", from.source, "--point", from.name, "--check")
		dir := secrets(t, data)
		run(t, env, bin, "restore", from.source, "--point", from.name, "--data", dir)
		run(t, nil, bin, "verify", "--data", dir, "--state", filepath.Join(t.TempDir(), "state"), "--full")
		n := serve(t, bin, dir, nil)
		if got := number(t, values(t, n, bin, "SELECT count(*) FROM kept")); got < from.least {
			t.Errorf("point %s of %s has %d events, and %d were stored before", from.name, from.source, got, from.least)
		}
		importInto(t, n, bin, "--store", "kept", more)
		if got := values(t, n, bin, "SELECT count(*), count(DISTINCT eventID) FROM kept"); got[0][0] != got[0][1] {
			t.Errorf("point %s of %s: rows and events %v after the same import", from.name, from.source, got)
		}
		n.stop(t)
		run(t, nil, bin, "verify", "--data", dir, "--state", filepath.Join(t.TempDir(), "state"), "--full")
	}
	r.stop(t)
	if p := point(folder); p.Events < two.Events { // of a stopped server, too
		t.Errorf("%+v after %+v", p, two)
	}
}
