package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
)

func echo(s *Server) {
	register(s, "GetQueryResults", func(_ context.Context, c *Call, in *model.GetQueryResultsRequest) (*model.GetQueryResultsResponse, error) {
		switch *in.QueryId {
		case "00000000-0000-0000-0000-000000000001":
			panic("a slip")
		case "00000000-0000-0000-0000-000000000002":
			return nil, fmt.Errorf("looking: %w", awserr.New("QueryIdNotFoundException", "no query <%s>", *in.QueryId))
		case "00000000-0000-0000-0000-000000000003":
			return nil, errors.New("secret cause")
		case "00000000-0000-0000-0000-000000000004":
			return nil, nil
		}
		status := c.Scope.Account + " " + c.Scope.Region + " " + c.Operation
		return &model.GetQueryResultsResponse{QueryStatus: &status}, nil
	})
	register(s, "PutAuditEvents", func(_ context.Context, c *Call, in *model.PutAuditEventsRequest) (*model.PutAuditEventsResponse, error) {
		return &model.PutAuditEventsResponse{Successful: []model.AuditEventResultEntry{{Id: in.AuditEvents[0].Id, EventID: in.ChannelArn}}, Failed: []model.ResultErrorEntry{}}, nil
	})
	s.handleSigned("PUT /loch/v1/things/{id}", 1<<10, func(_ context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		return writeJSON(w, map[string]any{"id": r.PathValue("id"), "bytes": len(b), "account": c.Scope.Account})
	})
	s.HandleOpen("GET /healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") }))
}

func TestControlPlane(t *testing.T) {
	w := serveTest(t, echo)
	for _, c := range []struct {
		name, operation, body string
		status                int
		want                  string // of the error's name or the body
	}{
		{"success", "GetQueryResults", `{"QueryId":"00000000-0000-0000-0000-000000000000"}`, 200, `{"QueryStatus":"123456789012 eu-west-1 GetQueryResults"}`},
		{"nil answer", "GetQueryResults", `{"QueryId":"00000000-0000-0000-0000-000000000004"}`, 200, `{}`},
		{"error of a room, not escaped for HTML", "GetQueryResults", `{"QueryId":"00000000-0000-0000-0000-000000000002"}`, 400,
			`{"__type":"QueryIdNotFoundException","message":"no query <00000000-0000-0000-0000-000000000002>"}`},
		{"violation", "GetQueryResults", `{"QueryId":"00000000-0000-0000-0000-000000000000","MaxQueryResults":1001}`, 400,
			`{"__type":"InvalidMaxResultsException","message":"1 validation error detected: Value '1001' at 'maxQueryResults' failed to satisfy constraint: Member must have value less than or equal to 1000"}`},
		{"no body", "GetQueryResults", ``, 400, "InvalidParameterException"},
		{"not JSON", "GetQueryResults", `{"QueryId":`, 400, "SerializationException"},
		{"panic", "GetQueryResults", `{"QueryId":"00000000-0000-0000-0000-000000000001"}`, 500, "InternalFailure"},
		{"fault", "GetQueryResults", `{"QueryId":"00000000-0000-0000-0000-000000000003"}`, 500, "InternalFailure"},
		{"of the model, not here", "CreateTrail", `{}`, 400, `{"__type":"UnsupportedOperationException","message":"Loch does not have the operation CreateTrail yet."}`},
		{"of the data plane", "PutAuditEvents", `{}`, 400, "UnsupportedOperationException"},
		{"of no model", "Nonsense", `{}`, 404, "UnknownOperationException"},
		{"too large", "GetQueryResults", strings.Repeat(" ", 1<<20+1), 413, "RequestEntityTooLargeException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.call(c.operation, c.body)
			if a.status != c.status || !strings.Contains(a.body, c.want) {
				t.Errorf("%d %s, want %d %s", a.status, a.body, c.status, c.want)
			}
			if got := a.header.Get("Content-Type"); got != "application/x-amz-json-1.1" {
				t.Errorf("content type %q", got)
			}
			if len(a.header.Get("x-amzn-RequestId")) != 36 || a.header.Get("Date") == "" {
				t.Errorf("headers %v", a.header)
			}
		})
	}
	log := w.log.String()
	for _, want := range []string{"secret cause", "a slip", "operation=GetQueryResults", "code=InternalFailure", "key=AKIAROOTROOTROOTROOT"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(log, rootKey.Secret) || strings.Contains(log, "Signature=") {
		t.Error("the log has a secret")
	}
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := 0
	for _, f := range families {
		if f.GetName() == "loch_api_requests_total" {
			series = len(f.GetMetric())
		}
	}
	if series < 6 {
		t.Errorf("%d series", series)
	}
}

func TestLongTarget(t *testing.T) {
	w := serveTest(t, echo)
	a := w.do(w.request("POST", "/", "cloudtrail", `{"QueryId":"00000000-0000-0000-0000-000000000000"}`, "X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.GetQueryResults",
		"Content-Type", "application/x-amz-json-1.1; charset=utf-8"))
	if a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = w.do(w.request("POST", "/", "cloudtrail", `{}`, "X-Amz-Target", "CloudTrail_20131101.GetQueryResults", "Content-Type", "application/cbor"))
	if a.status != 404 || a.code(t) != "UnknownOperationException" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestDataPlane(t *testing.T) {
	w := serveTest(t, echo)
	const path = "/PutAuditEvents?channelArn=arn%3Aaws%3Acloudtrail%3Aeu-west-1%3A123456789012%3Achannel%2Fabc&externalId=ab"
	a := w.do(w.request("POST", path, "cloudtrail-data", `{"auditEvents":[{"id":"1","eventData":"{}"}]}`, "Content-Type", "application/json"))
	if a.status != 200 || a.body != `{"failed":[],"successful":[{"eventID":"arn:aws:cloudtrail:eu-west-1:123456789012:channel/abc","id":"1"}]}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = w.do(w.request("POST", "/PutAuditEvents?channelArn=no", "cloudtrail-data", `{"auditEvents":[{"id":"1","eventData":"{}"}],"channelArn":"arn:x"}`))
	if a.status != 400 || a.code(t) != "InvalidChannelARN" || a.header.Get("x-amzn-ErrorType") != "InvalidChannelARN" {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	a = w.do(w.request("POST", path, "cloudtrail", `{"auditEvents":[{"id":"1","eventData":"{}"}]}`))
	if a.status != 403 || a.code(t) != "InvalidSignatureException" {
		t.Errorf("signed for the control plane: %d %s", a.status, a.body)
	}
}

func TestOwnEndpoints(t *testing.T) {
	w := serveTest(t, echo)
	const hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of hello
	if a := w.do(w.request("PUT", "/loch/v1/things/a%20b", "cloudtrail", "hello", "X-Amz-Content-Sha256", hash)); a.status != 200 || a.body != `{"account":"123456789012","bytes":5,"id":"a b"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.do(w.request("PUT", "/loch/v1/things/x", "cloudtrail", "hello")); a.code(t) != "MissingHeaderException" {
		t.Errorf("no hash: %d %s", a.status, a.body)
	}
	long := strings.Repeat("x", 1<<10+1)
	if a := w.do(w.request("PUT", "/loch/v1/things/x", "cloudtrail", long, "X-Amz-Content-Sha256", hash)); a.code(t) != "InvalidSignatureException" {
		t.Errorf("another hash: %d %s", a.status, a.body)
	}
	r := w.request("PUT", "/loch/v1/things/x", "cloudtrail", "hello", "X-Amz-Content-Sha256", hash)
	r.Body = io.NopCloser(strings.NewReader("jello"))
	if a := w.do(r); a.code(t) != "InvalidSignatureException" {
		t.Errorf("another body: %d %s", a.status, a.body)
	}
	if a := w.do(&http.Request{Method: "GET", URL: mustURL(t, w.http.URL+"/healthz")}); a.status != 200 || a.body != "ok\n" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"/nothing", "//", "/a/../healthz", "/healthz/"} {
		r := &http.Request{Method: "GET", URL: mustURL(t, w.http.URL+path)}
		if a := w.do(r); a.status != 404 || a.code(t) != "UnknownOperationException" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// An unsigned request learns nothing of what exists, and its body is not read.
func TestUnsigned(t *testing.T) {
	w := serveTest(t, echo)
	for _, target := range []string{"", "CloudTrail_20131101.GetQueryResults", "CloudTrail_20131101.Nonsense"} {
		r, err := http.NewRequest("POST", w.http.URL+"/", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", target)
		if a := w.do(r); a.status != 403 || a.body != `{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}` {
			t.Errorf("%q: %d %s", target, a.status, a.body)
		}
	}
}

// A client that goes away, and an operation that takes too long, are told apart from faults.
func TestAbortedAndLate(t *testing.T) {
	in := make(chan struct{})
	w := serveTest(t, func(s *Server) {
		register(s, "GetQueryResults", func(ctx context.Context, _ *Call, input *model.GetQueryResultsRequest) (*model.GetQueryResultsResponse, error) {
			if *input.QueryId == "00000000-0000-0000-0000-000000000001" {
				return nil, fmt.Errorf("waiting: %w", context.DeadlineExceeded)
			}
			close(in)
			<-ctx.Done()
			return nil, ctx.Err()
		})
	})
	if a := w.call("GetQueryResults", `{"QueryId":"00000000-0000-0000-0000-000000000001"}`); a.status != 503 || a.code(t) != "ServiceUnavailable" {
		t.Errorf("%d %s", a.status, a.body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := w.request("POST", "/", "cloudtrail", `{"QueryId":"00000000-0000-0000-0000-000000000002"}`, "X-Amz-Target", "CloudTrail_20131101.GetQueryResults", "Content-Type", "application/x-amz-json-1.1")
	done := make(chan error)
	go func() {
		_, err := http.DefaultClient.Do(r.WithContext(ctx))
		done <- err
	}()
	<-in
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.http.Close() // waits for the handler
	if log := w.log.String(); !strings.Contains(log, "code=RequestAbortedException") || strings.Contains(log, "code=InternalFailure") {
		t.Errorf("%s", log)
	}
}
