package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"golang.org/x/sys/unix"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
)

// outside sends events from outside AWS to a running server, and remembers how many were taken.
type outside struct {
	*client.Client
	channel, store string
	next, taken    int
}

func newOutside(t *testing.T, r *running) *outside {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithSharedCredentialsFiles([]string{filepath.Join(r.dir, "credentials")}), config.WithSharedConfigFiles(nil))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.WithCredentials(r.endpoint, "us-east-1", cfg.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{Client: c}
	type object = map[string]any
	var store struct{ EventDataStoreArn string }
	err = c.Call(t.Context(), "CreateEventDataStore", object{"Name": "outside", "TerminationProtectionEnabled": false,
		"AdvancedEventSelectors": []object{{"FieldSelectors": []object{{"Field": "eventCategory", "Equals": []string{"ActivityAuditLog"}}}}}}, &store)
	if err != nil {
		t.Fatal(err)
	}
	o.store = store.EventDataStoreArn[strings.LastIndexByte(store.EventDataStoreArn, '/')+1:]
	var channel struct{ ChannelArn string }
	err = c.Call(t.Context(), "CreateChannel", object{"Name": "outside", "Source": "Custom", "Destinations": []object{{"Type": "EVENT_DATA_STORE", "Location": store.EventDataStoreArn}}}, &channel)
	if err != nil {
		t.Fatal(err)
	}
	o.channel = channel.ChannelArn
	return o
}

// send sends a call of n events, of some kilobytes each, once.
func (o *outside) send(t *testing.T, n int) error {
	t.Helper()
	type object = map[string]any
	var in []object
	for range n {
		o.next++
		id := fmt.Sprint("event-", o.next)
		in = append(in, object{"id": id, "eventData": fmt.Sprintf(`{"version":"1.0","UID":%q,"userIdentity":{"type":"USER","principalId":"p"},"eventTime":%q,"eventName":"Probe","eventSource":"disk.example","recipientAccountId":%q,"additionalEventData":{"pad":%q}}`,
			id, time.Now().UTC().Format(time.RFC3339), account, noise(o.next))})
	}
	var out model.PutAuditEventsResponse
	err := o.PutAuditEvents(t.Context(), o.channel, object{"auditEvents": in}, &out)
	if err == nil {
		o.taken += len(out.Successful)
	}
	return err
}

// noise is a text of two kilobytes that does not compress.
func noise(seed int) string {
	var b strings.Builder
	for x := uint64(seed); b.Len() < 2000; {
		x = x*6364136223846793005 + 1442695040888963407
		b.WriteString(strconv.FormatUint(x, 36))
	}
	return b.String()
}

// stored counts the store's rows once everything that was taken is there.
func (o *outside) stored(t *testing.T) (all, distinct int) {
	t.Helper()
	sql := "SELECT count(*), count(DISTINCT eventID) FROM " + o.store
	for {
		_, err := o.Query(t.Context(), model.StartQueryRequest{QueryStatement: &sql}, nil, func([]string) error { return nil }, func(row []client.Cell) (err error) {
			all, err = strconv.Atoi(row[0].Text)
			if err == nil {
				distinct, err = strconv.Atoi(row[1].Text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if all >= o.taken {
			return all, distinct
		}
		if t.Context().Err() != nil {
			t.Fatalf("%d events were taken, the table has %d", o.taken, all)
		}
		time.Sleep(100 * time.Millisecond) // each query leaves a result
	}
}

func (r *running) health(t *testing.T) (int, string) {
	t.Helper()
	resp, err := http.Get(r.endpoint + "/healthz")
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(r.stderr()))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// sickAndWell has a disk fail under a server that works, and mends it: events are refused in the API's words, /healthz says so, the process stays; and then all is
// well again by itself.
func sickAndWell(t *testing.T, r *running, drains bool, fail, mend func()) *outside {
	t.Helper()
	o := newOutside(t, r)
	for range 5 {
		if err := o.send(t, 20); err != nil {
			t.Fatal(err)
		}
	}
	fail()
	// The log refuses at once, or when the disk is full. It tries again every second, so that what has no room for this call, and has it for a smaller one, may be well when it is asked.
	var err error
	status, body := http.StatusOK, ""
	for n, refusals := 0, 0; status == http.StatusOK && n < 2000 && refusals < 20; n++ {
		if err = o.send(t, 50); err != nil {
			refusals++
			status, body = r.health(t)
		}
	}
	refused, ok := errors.AsType[*client.Error](err)
	if !ok || refused.Code != "ServiceUnavailable" || refused.Status != http.StatusServiceUnavailable || !strings.Contains(refused.Message, "cannot store events now") {
		t.Errorf("events that the disk does not take are answered with %v", err)
	}
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "events are refused: the durable log takes none") {
		t.Errorf("health: %d %s", status, body)
	}
	// What was taken reaches its table while the disk is full.
	if drains {
		if all, distinct := o.stored(t); all != o.taken || distinct != all {
			t.Errorf("on a full disk: %d events were taken, the table has %d, of %d identities", o.taken, all, distinct)
		}
	}
	mend()
	for {
		if status, body := r.health(t); status == http.StatusOK && body == "ok\n" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := o.send(t, 20); err != nil {
		t.Errorf("after the disk was mended: %v", err)
	}
	if all, distinct := o.stored(t); all != o.taken || distinct != all {
		t.Errorf("%d events were taken, the table has %d, of %d identities", o.taken, all, distinct)
	}
	return o
}

// toldOfIt holds that the log of a server that was sick, and has ended, says so.
func (r *running) toldOfIt(t *testing.T) {
	t.Helper()
	if !strings.Contains(r.stderr(), "the durable log refuses events") {
		t.Errorf("the server's log does not tell of it:\n%s", tail(r.stderr()))
	}
}

// TestDiskTakesNothing: every write of the server fails, as on a disk that has failed. Nothing of what was refused comes back by a kill.
func TestDiskTakesNothing(t *testing.T) {
	bin := build(t)
	r := serve(t, bin, t.TempDir(), nil)
	limit := func(n uint64) {
		if err := unix.Prlimit(r.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Fatal(err)
		}
	}
	o := sickAndWell(t, r, false, func() { limit(0) }, func() { limit(unix.RLIM_INFINITY) })
	r.kill(t)
	r.toldOfIt(t)
	r = serve(t, bin, r.dir, nil)
	o.Endpoint = r.endpoint
	if all, distinct := o.stored(t); all != o.taken || distinct != all {
		t.Errorf("after a kill: %d events were taken, the table has %d, of %d identities", o.taken, all, distinct)
	}
	r.stop(t)
	run(t, r.env(), bin, "verify", "--data", r.dir, "--full")
}

// within runs a shell script in namespaces of its own, in which it may mount; then "$@", the server, takes the shell's place.
func within(t *testing.T, script string, command ...string) []string {
	t.Helper()
	prefix := []string{"unshare", "--user", "--map-root-user", "--mount"}
	if out, err := exec.Command(prefix[0], append(prefix[1:], "mount", "-t", "tmpfs", "none", t.TempDir())...).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted here: %v, %s", err, out)
	}
	return append(append(prefix, "sh", "-ec", script, "sh"), command...)
}

// TestFullDisk: the server's file system, a small one of its own, is full until something else on it is removed. What was taken before reaches its table all the same, since the
// log leaves room for that.
func TestFullDisk(t *testing.T) {
	bin := build(t)
	dir := t.TempDir()
	r := serveBy(t, within(t, "mount -t tmpfs -o size=256m none "+dir+`; head -c 100000000 /dev/zero > `+dir+`/other; exec "$@"`, bin), dir, nil)
	root := fmt.Sprintf("/proc/%d/root", r.cmd.Process.Pid)
	r.dir = root + dir // its file system is nobody else's
	sickAndWell(t, r, true, func() {}, func() {
		if err := os.Remove(r.dir + "/other"); err != nil {
			t.Fatal(err)
		}
	})
	r.stop(t)
	r.toldOfIt(t)
}

// TestReadOnlyDisk: a server does not start on a folder that it cannot write, and says why.
func TestReadOnlyDisk(t *testing.T) {
	bin := build(t)
	dir := t.TempDir()
	r := serve(t, bin, dir, nil)
	r.stop(t)
	args := within(t, "mount --bind "+dir+" "+dir+"; mount -o remount,bind,ro "+dir+`; exec "$@"`, bin, "serve", "--data", dir, "--listen", "127.0.0.1:0")
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "read-only file system") || !strings.Contains(string(out), dir) || strings.Contains(string(out), "listening on") {
		t.Errorf("%v, %s", err, out)
	}
	serve(t, bin, dir, nil).stop(t)
}
