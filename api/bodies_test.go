package api

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/lochlake/loch/api/model"
)

// TestBodiesAreBounded has more callers begin large calls than there is room for, and none of them come to an end: the room is never exceeded, the others are refused
// before their bodies are read, and when the calls end there is room again.
func TestBodiesAreBounded(t *testing.T) {
	w := serveTest(t, func(s *Server) {
		register(s, "PutAuditEvents", func(_ context.Context, _ *Call, in *model.PutAuditEventsRequest) (*model.PutAuditEventsResponse, error) {
			return &model.PutAuditEventsResponse{Successful: []model.AuditEventResultEntry{}, Failed: []model.ResultErrorEntry{}}, nil
		})
	})
	const size = 1 << 20
	head := `{"auditEvents":[{"id":"1","eventData":"`
	body := head + strings.Repeat("x", size-len(head)-len(`"}]}`)) + `"}]}`
	var raw bytes.Buffer
	if err := w.request("POST", "/PutAuditEvents?channelArn=arn%3Aaws", "cloudtrail-data", body, "Content-Type", "application/json").Write(&raw); err != nil {
		t.Fatal(err)
	}
	// Everything but the last byte: the server waits for it, and answers those that it refuses without it.
	const callers = bodiesSize/size + 20
	var conns [callers]net.Conn
	answers := make(chan int, callers)
	for i := range conns {
		c, err := net.Dial("tcp", w.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
		go func() {
			if _, err := c.Write(raw.Bytes()[:raw.Len()-1]); err != nil {
				t.Error(err)
			}
		}()
		go func() {
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				answers <- 0
				return
			}
			b, err := io.ReadAll(resp.Body)
			switch {
			case err != nil:
				answers <- 0
			case resp.StatusCode == http.StatusBadRequest && !bytes.Contains(b, []byte("ThrottlingException")):
				answers <- -1
			default:
				answers <- resp.StatusCode
			}
		}()
	}
	// The others wait for their last byte, so only refusals can come.
	for range callers - bodiesSize/size {
		if got := <-answers; got != http.StatusBadRequest {
			t.Errorf("a call beyond the room is answered with %d", got)
		}
	}
	if w.s.bodies.TryAcquire(1) {
		t.Error("there is room left")
	}
	for _, c := range conns {
		if _, err := c.Write(raw.Bytes()[raw.Len()-1:]); err != nil {
			t.Error(err)
		}
	}
	for range bodiesSize / size {
		if got := <-answers; got != http.StatusOK {
			t.Errorf("a call that had room is answered with %d", got)
		}
	}
	if a := w.do(w.request("POST", "/PutAuditEvents?channelArn=arn%3Aaws", "cloudtrail-data", body, "Content-Type", "application/json")); a.status != http.StatusOK {
		t.Errorf("when all have ended: %d %s", a.status, a.body)
	}
	for !w.s.bodies.TryAcquire(bodiesSize) { // the handler gives it back behind the answer
	}
}
