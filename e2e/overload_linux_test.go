package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// peakBytes is the greatest memory that a process has had (proc(5), VmHWM).
func peakBytes(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	var kb int64
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// overload makes calls whose sizes are all the same.
type overload struct {
	*outside
	pad    string
	client http.Client
}

const overloadEvents = 100 // of a call

// call makes a signed call of 100 events, which a caller numbers, of some 400 kB.
func (o *overload) call(t *testing.T, caller, n int) (*http.Request, error) {
	type object = map[string]any
	var in []object
	for i := range overloadEvents {
		id := fmt.Sprintf("%04d-%04d-%04d", caller, n, i)
		in = append(in, object{"id": id, "eventData": fmt.Sprintf(`{"version":"1.0","UID":%q,"userIdentity":{"type":"USER","principalId":"p"},"eventTime":%q,"eventName":"Probe","eventSource":"load.example","recipientAccountId":%q,"additionalEventData":{"pad":%q}}`,
			id, time.Now().UTC().Format(time.RFC3339), account, o.pad[(caller*n+i)%2000:][:3700])})
	}
	body, err := json.Marshal(object{"auditEvents": in})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.Endpoint+"/PutAuditEvents?channelArn="+url.QueryEscape(o.channel), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(body)
	return req, o.Sign(t.Context(), req, "cloudtrail-data", hex.EncodeToString(sum[:]))
}

// answered tells whether the call was taken, false where it was refused with ThrottlingException. Any other answer is an error.
func answered(resp *http.Response) (taken bool, err error) {
	said, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return false, err
	case resp.Header.Get("x-amzn-ErrorType") == "ThrottlingException":
		return false, nil
	case resp.StatusCode == http.StatusOK:
		return true, nil
	}
	return false, fmt.Errorf("%s: %.200s", resp.Status, said)
}

// send makes a call and gives what came of it.
func (o *overload) send(t *testing.T, caller, n int) (taken bool, err error) {
	req, err := o.call(t, caller, n)
	if err != nil {
		return false, err
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return false, fmt.Errorf("a call without an answer: %w", err) // one that is refused before it is read has one, too
	}
	defer resp.Body.Close()
	return answered(resp)
}

// held begins a call and keeps its last byte back. Its answer comes to answers.
func (o *overload) held(t *testing.T, caller int, answers chan<- error) (finish func(), size int64) {
	t.Helper()
	req, err := o.call(t, caller, 0)
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	if err := req.Write(&raw); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", req.URL.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	last := raw.Len() - 1
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if _, err := conn.Write(raw.Bytes()[:last]); err != nil {
			t.Error(err)
		}
	}()
	go func() {
		<-sent
		resp, err := http.ReadResponse(bufio.NewReader(conn), req)
		if err != nil {
			answers <- err
			return
		}
		taken, err := answered(resp)
		if err == nil && !taken {
			err = errThrottled
		}
		answers <- err
	}()
	return func() {
		<-sent
		_, _ = conn.Write(raw.Bytes()[last:]) // the answer tells
	}, req.ContentLength
}

var errThrottled = errors.New("throttled")

// TestOverload has far more callers send large calls at once than the server can work on. Each call is taken or refused with ThrottlingException, a refusal waits for no call that is
// worked on, the server's memory keeps its bound, and what was taken is there once.
func TestOverload(t *testing.T) {
	const (
		callers  = 256
		each     = 4        // calls of a caller that are taken or refused
		room     = 16 << 20 // of the bodies that are in hand at once (api's bodiesSize)
		waiting  = 64       // calls that begin and do not end: more than there is room for
		beyond   = 440      // others that come meanwhile: more than ten times as many as there is room for
		mostPeak = 800 << 20
	)
	bin := build(t)
	r := serve(t, bin, t.TempDir(), nil, "--audit-events-rate", "1000000")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = callers
	o := &overload{outside: newOutside(t, r), pad: noise(1) + noise(2) + noise(3), client: http.Client{Transport: transport}}
	var taken, refused atomic.Int64
	sending := func(first, callers, each int, tell func(taken bool)) {
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for n := range each {
					ok, err := o.send(t, first+c, n)
					switch {
					case err != nil:
						t.Error(err)
					case ok:
						taken.Add(1)
					default:
						refused.Add(1)
					}
					tell(ok)
				}
			})
		}
		wg.Wait()
	}

	// While all the room is held by calls that do not come to their end, every other one is refused: none waits for one of them.
	answers := make(chan error, waiting)
	var finish []func()
	var size int64
	for c := range waiting {
		end, n := o.held(t, c, answers)
		if finish = append(finish, end); size != 0 && n != size {
			t.Fatalf("calls of %d and %d bytes", size, n)
		}
		size = n
	}
	in := int(room / size)
	for range waiting - in {
		if err := <-answers; !errors.Is(err, errThrottled) {
			t.Errorf("a call beyond the room: %v", err)
		}
		refused.Add(1)
	}
	sending(waiting, beyond/20, 20, func(ok bool) {
		if ok {
			t.Error("a call was taken for which there was no room")
		}
	})
	if len(answers) > 0 {
		t.Errorf("%d calls were answered whose last bytes are not sent", len(answers))
	}
	if want := int64(waiting - in + beyond); refused.Load() != want || beyond < 10*in || in < 2 {
		t.Errorf("%d calls refused, not %d; %d have room", refused.Load(), want, in)
	}
	for _, end := range finish {
		end()
	}
	for range in {
		if err := <-answers; err != nil {
			t.Errorf("a call that had room: %v", err)
		}
		taken.Add(1)
	}

	// All at once, as fast as they can.
	sending(waiting+beyond, callers, each, func(bool) {})
	if peak := peakBytes(t, r.cmd.Process.Pid); peak > mostPeak {
		t.Errorf("the server took %d MB", peak>>20)
	} else {
		t.Logf("%d calls taken, %d refused, the server took %d MB at most", taken.Load(), refused.Load(), peak>>20)
	}
	o.taken = overloadEvents * int(taken.Load())
	if all, distinct := o.stored(t); all != o.taken || distinct != all {
		t.Errorf("%d events were taken, the table has %d, of %d identities", o.taken, all, distinct)
	}
	r.stop(t)
	if !r.cleanLog() {
		t.Errorf("refusals fill the log:\n%s", tail(r.stderr()))
	}
}

// cleanLog tells whether the server, which has ended, logged no errors.
func (r *running) cleanLog() bool { return !strings.Contains(r.stderr(), "level=ERROR") }
