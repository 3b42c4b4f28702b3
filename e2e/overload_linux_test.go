package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
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

// TestOverload has far more callers send large calls at once than the server can work on. Each call is taken or refused with ThrottlingException, the server's
// memory keeps its bound, and what was taken is there once.
func TestOverload(t *testing.T) {
	const (
		callers  = 256
		each     = 4 // calls of a caller that are taken or refused
		perCall  = 100
		mostPeak = 800 << 20
	)
	bin := build(t)
	r := serve(t, bin, t.TempDir(), nil, "--audit-events-rate", "1000000")
	o := newOutside(t, r)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = callers
	pad := noise(1) + noise(2) + noise(3)
	var taken, refused atomic.Int64
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range each {
				type object = map[string]any
				var in []object
				for i := range perCall {
					in = append(in, object{"id": fmt.Sprint(c, "-", n, "-", i), "eventData": fmt.Sprintf(`{"version":"1.0","UID":"%d-%d-%d","userIdentity":{"type":"USER","principalId":"p"},"eventTime":%q,"eventName":"Probe","eventSource":"load.example","recipientAccountId":%q,"additionalEventData":{"pad":%q}}`,
						c, n, i, time.Now().UTC().Format(time.RFC3339), account, pad[:2000+(c*n+i)%4000])})
				}
				body, err := json.Marshal(object{"auditEvents": in})
				if err != nil {
					t.Error(err)
					return
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.endpoint+"/PutAuditEvents?channelArn="+url.QueryEscape(o.channel), bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				sum := sha256.Sum256(body)
				if err := o.Sign(t.Context(), req, "cloudtrail-data", hex.EncodeToString(sum[:])); err != nil {
					t.Error(err)
					return
				}
				resp, err := (&http.Client{Transport: transport}).Do(req)
				if err != nil {
					t.Errorf("a call without an answer: %v", err) // one that is refused before it is read has one, too
					continue
				}
				said, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				switch {
				case err != nil:
					t.Error(err)
				case resp.Header.Get("x-amzn-ErrorType") == "ThrottlingException":
					refused.Add(1)
				case resp.StatusCode == http.StatusOK:
					taken.Add(perCall)
				default:
					t.Errorf("%s: %.200s", resp.Status, said)
				}
			}
		})
	}
	wg.Wait()
	if peak := peakBytes(t, r.cmd.Process.Pid); peak > mostPeak {
		t.Errorf("the server took %d MB", peak>>20)
	} else {
		t.Logf("%d events taken, %d calls refused, the server took %d MB at most", taken.Load(), refused.Load(), peak>>20)
	}
	if taken.Load() == 0 {
		t.Error("nothing was taken")
	}
	o.taken = int(taken.Load())
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
