package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/ingest"
)

// full has no room, and must not be given anything.
type full struct{ t *testing.T }

func (f full) Accept(context.Context, ingest.Delivery) (*ingest.Ticket, error) {
	f.t.Error("what there was no room for came to be accepted")
	return nil, ingest.ErrBusy
}

func (full) Room(context.Context, int64) error { return fmt.Errorf("%w: full", ingest.ErrBusy) }

// rawCall is a signed PutAuditEvents call with a body of n bytes, as it goes over the wire: its head and its body.
func (w *wire) rawCall(n int, header ...string) (head, body []byte) {
	w.t.Helper()
	begin, end := `{"auditEvents":[{"id":"1","eventData":"`, `"}]}`
	text := begin + strings.Repeat("x", n-len(begin)-len(end)) + end
	var raw bytes.Buffer
	if err := w.request("POST", "/PutAuditEvents?channelArn=arn%3Aaws", "cloudtrail-data", text, append(header, "Content-Type", "application/json")...).Write(&raw); err != nil {
		w.t.Fatal(err)
	}
	return raw.Bytes()[:raw.Len()-n], raw.Bytes()[raw.Len()-n:]
}

// answered reads the next answer of a connection.
func (w *wire) answered(in *bufio.Reader) answer {
	w.t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// TestRefusedAtTheHead: a call that there is no room for is answered before anything of its body is sent; the body may come all the same, as from clients that read no answer before they have written all, and the connection serves the next
// call.
func TestRefusedAtTheHead(t *testing.T) {
	w := serveTest(t, func(s *Server) { s.HandleAuditEvents(AuditEvents{Channels: fakeChannels{}, Ingest: full{t}}) })
	c, err := net.Dial("tcp", w.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for i, size := range []int{100, 1 << 20, 300 << 10} {
		head, body := w.rawCall(size)
		for k, part := range [][]byte{head, body} {
			if _, err := c.Write(part); err != nil {
				t.Fatalf("call %d, part %d: %v", i, k, err)
			}
			if k > 0 {
				continue
			}
			if a := w.answered(in); a.status != http.StatusBadRequest || a.code(t) != "ThrottlingException" || a.header.Get("x-amzn-ErrorType") != "ThrottlingException" {
				t.Errorf("call %d: %d %s", i, a.status, a.body)
			}
		}
	}
	if err := w.s.bodies.Acquire(t.Context(), bodiesSize); err != nil { // given back behind the answer
		t.Fatal(err)
	}
	w.s.bodies.Release(bodiesSize)
	// Whoever asks whether to go on is told not to, and sends no body: nothing waits for it.
	head, _ := w.rawCall(1000, "Expect", "100-continue")
	if _, err := c.Write(head); err != nil {
		t.Fatal(err)
	}
	if a := w.answered(in); a.code(t) != "ThrottlingException" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	w.http.Close() // waits for what comes behind the answers
	metrics, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range metrics {
		if m.GetName() != "loch_api_answer_seconds" {
			continue
		}
		if l := m.GetMetric(); len(l) != 1 || l[0].GetLabel()[0].GetValue() != throttling || l[0].GetHistogram().GetSampleCount() != 4 {
			t.Errorf("%v", l)
		}
	}
	if log := w.log.String(); strings.Count(log, "calls are refused") != 1 || strings.Contains(log, "operation=PutAuditEvents") {
		t.Errorf("not one line for all:\n%s", log)
	}
}

// TestQuotaIsAskedAtTheHead: whoever has used up his calls of a second is told so before the body is sent, and by a call that does not prove whose it is nobody loses one.
func TestQuotaIsAskedAtTheHead(t *testing.T) {
	w := serveTest(t, func(s *Server) {
		s.HandleAuditEvents(AuditEvents{Channels: fakeChannels{}, Ingest: acceptFunc(func(ingest.Delivery) error { return nil }), Rate: 0.001})
	})
	head, body := w.rawCall(1000)
	call := func(parts ...[]byte) answer {
		t.Helper()
		c, err := net.Dial("tcp", w.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, p := range parts {
			if _, err := c.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		return w.answered(bufio.NewReader(c))
	}
	if a := call(head, bytes.ToUpper(body)); a.code(t) != "InvalidSignatureException" {
		t.Errorf("another body than was signed: %d %s", a.status, a.body)
	}
	if a := call(head, body); a.code(t) != "InvalidChannelARN" {
		t.Errorf("the one call that there is: %d %s", a.status, a.body)
	}
	if a := call(head); a.code(t) != "ThrottlingException" || !strings.Contains(a.body, "Rate exceeded") {
		t.Errorf("one more: %d %s", a.status, a.body)
	}
}

func TestThrottledIsToldOnceInAWhile(t *testing.T) {
	var l throttled
	begun := time.Unix(1_800_000_000, 0)
	for i, c := range []struct {
		at    time.Duration
		calls int64
		since time.Duration
	}{{0, 1, 0}, {time.Second, 0, 0}, {-time.Millisecond, 0, 0}, {10 * time.Second, 3, time.Second}, {11 * time.Second, 0, 0}, {time.Hour, 2, 11 * time.Second},
		{0, 1, 0}} { // the clock was set back
		calls, since := l.count(begun.Add(c.at))
		if calls != c.calls || calls > 0 && !since.Equal(begun.Add(c.since)) {
			t.Errorf("refusal %d: %d since %v", i, calls, since)
		}
	}
}

// TestRefusalsArePaced: a burst is read on at once, then one connection after the other, and a pause in which none comes makes up for nothing but a burst.
func TestRefusalsArePaced(t *testing.T) {
	const cores = 2
	r, now := newRefusals(cores), time.Unix(1_800_000_000, 0)
	burst := refusalsPerCore * cores / 10
	for _, at := range []time.Time{now, now.Add(time.Hour)} {
		for i := range burst {
			if d := r.pause(at); d != 0 {
				t.Fatalf("refusal %d of a burst waits %v", i, d)
			}
		}
		for i := range 2000 {
			want := time.Duration(i+1) * time.Second / (refusalsPerCore * cores)
			if d := r.pause(at); (d - want).Abs() > time.Microsecond {
				t.Fatalf("refusal %d after a burst waits %v, not %v", i, d, want)
			}
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for range 10 * burst { // minutes, if it waited
		r.wait(ended, now.Add(time.Hour))
	}
}
