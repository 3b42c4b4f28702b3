package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/query"
)

const (
	testStoreID = "0233062b-51c6-4d18-8dec-a8c90da840d9"
	testQueryID = "11111111-2222-4333-8444-555555555555"
)

// fakeQueries has one store and five queries, the first of which answers 2,500 rows of two columns of one name; where it runs it has ended once it was waited for.
type fakeQueries struct {
	started, waited []string
	running         bool
}

func (f *fakeQueries) Store(_ context.Context, _ meta.Scope, ref string) (meta.EventDataStore, error) {
	if !strings.HasSuffix(ref, testStoreID) {
		return meta.EventDataStore{}, awserr.New("EventDataStoreNotFoundException", "none")
	}
	return meta.EventDataStore{ID: testStoreID}, nil
}

func (f *fakeQueries) Start(_ context.Context, _ meta.Scope, principal string, r query.Request) (meta.Query, error) {
	f.started = append(f.started, principal+" "+strings.Join(append([]string{r.Alias + r.SQL}, r.Parameters...), ",")+r.DeliverTo)
	return meta.Query{ID: testQueryID}, nil
}

func (f *fakeQueries) Wait(_ context.Context, id string, d time.Duration) {
	f.waited = append(f.waited, id+" "+d.String())
	f.running = false
}

func (f *fakeQueries) Describe(_ context.Context, _ meta.Scope, id, _ string) (meta.Query, error) {
	if id != testQueryID {
		return meta.Query{}, awserr.New("QueryIdNotFoundException", "none")
	}
	if f.running {
		return meta.Query{ID: id, Status: "RUNNING"}, nil
	}
	return meta.Query{ID: id, SQL: "SELECT 1", Status: "FINISHED", Rows: 2500, Scanned: 7, Matched: 6, BytesScanned: 5, Execution: 1500 * time.Millisecond, Created: time.UnixMilli(1_700_000_000_123)}, nil
}

func (f *fakeQueries) Last(ctx context.Context, sc meta.Scope, alias, store string) (meta.Query, error) {
	if alias != "abc" {
		return meta.Query{}, awserr.New("QueryIdNotFoundException", "none")
	}
	q, err := f.Describe(ctx, sc, testQueryID, store)
	q.DeliveryURI, q.Delivery, q.Error = "s3://bucket", "ACCESS_DENIED", "why"
	return q, err
}

func (f *fakeQueries) Results(ctx context.Context, sc meta.Scope, id, store string, from int64, n int, row func([]string, [][]byte)) (meta.Query, int64, error) {
	q, err := f.Describe(ctx, sc, id, store)
	if err != nil {
		return q, -1, err
	}
	to := min(from+int64(n), q.Rows)
	for i := from; i < to; i++ {
		row([]string{"a", "a"}, [][]byte{fmt.Appendf(nil, "\"%d\"\n<é>", i), nil})
	}
	if to == q.Rows {
		return q, -1, nil
	}
	return q, to, nil
}

func (f *fakeQueries) Cancel(_ context.Context, _ meta.Scope, id, _ string) (meta.Query, error) {
	return meta.Query{ID: id, Status: "CANCELLED"}, nil
}

func (f *fakeQueries) List(_ context.Context, _ meta.Scope, _, _ string, _, _ time.Time, after string, limit int) ([]meta.Query, error) {
	var out []meta.Query
	for i := range 5 {
		if q := (meta.Query{ID: fmt.Sprint(i), Status: "RUNNING", Created: time.Unix(int64(i), 0)}); q.ID > after && len(out) < limit {
			out = append(out, q)
		}
	}
	return out, nil
}

func TestQueries(t *testing.T) {
	f := &fakeQueries{}
	w := serveTest(t, func(s *Server) { s.HandleQueries(f) })
	a := w.call("StartQuery", `{"QueryStatement":"SELECT 1"}`)
	if a.status != 200 || a.body != `{"QueryId":"`+testQueryID+`"}` || len(f.started) != 1 || !strings.HasSuffix(f.started[0], " SELECT 1") || !strings.HasPrefix(f.started[0], "arn:aws:iam::") {
		t.Error(a.status, a.body, f.started)
	}
	a = w.call("DescribeQuery", `{"QueryId":"`+testQueryID+`","EventDataStore":"arn:aws:cloudtrail:eu-west-1:123456789012:eventdatastore/`+testStoreID+`"}`)
	if want := `{"QueryId":"` + testQueryID + `","QueryString":"SELECT 1","QueryStatus":"FINISHED","QueryStatistics":{"EventsMatched":6,"EventsScanned":7,"BytesScanned":5,"ExecutionTimeInMillis":1500,"CreationTime":1700000000.123}}`; a.body != want {
		t.Errorf("got  %s\nwant %s", a.body, want)
	}

	a = w.call("StartQuery", `{"QueryAlias":"abc","QueryParameters":["x","y"],"DeliveryS3Uri":"s3://bucket/p"}`)
	if a.status != 200 || len(f.started) != 2 || !strings.HasSuffix(f.started[1], " abc,x,ys3://bucket/p") {
		t.Error(a.status, a.body, f.started)
	}
	a = w.call("DescribeQuery", `{"QueryAlias":"abc"}`)
	if a.status != 200 || !strings.Contains(a.body, `"ErrorMessage":"why","DeliveryS3Uri":"s3://bucket","DeliveryStatus":"ACCESS_DENIED"`) {
		t.Error(a.status, a.body)
	}

	// Who asks for a query that runs has its answer when there is news, or when the patience ends that the request names.
	for _, c := range []struct {
		operation, prefer string
		waited            []string
	}{
		{"DescribeQuery", "wait=3", []string{testQueryID + " 3s"}},
		{"DescribeQuery", "", []string{testQueryID + " 100ms"}},
		{"DescribeQuery", "wait=0", nil},
		{"GetQueryResults", "", []string{testQueryID + " 100ms"}},
		{"GetQueryResults", "wait=0", nil},
	} {
		f.waited, f.running = nil, true
		r := w.request("POST", "/", "cloudtrail", `{"QueryId":"`+testQueryID+`"}`, "X-Amz-Target", "CloudTrail_20131101."+c.operation, "Content-Type", "application/x-amz-json-1.1", "Prefer", c.prefer)
		want := `"QueryStatus":"FINISHED"`
		if c.waited == nil {
			want = `"QueryStatus":"RUNNING"`
		}
		if a := w.do(r); a.status != 200 || !slices.Equal(f.waited, c.waited) || !strings.Contains(a.body, want) {
			t.Error(c, a.status, a.body, f.waited)
		}
	}
	f.waited, f.running = nil, false
	if w.call("DescribeQuery", `{"QueryId":"`+testQueryID+`"}`); len(f.waited) != 0 {
		t.Error("a query that has ended is not waited for", f.waited)
	}

	// Pages: the rows in order, none left out, none twice; the last without a token.
	seen, token := 0, ""
	for pages := 0; ; pages++ {
		body := `{"QueryId":"` + testQueryID + `"` + token + `}`
		var out struct {
			QueryResultRows [][]map[string]*string
			QueryStatistics model.QueryStatistics
			NextToken       *string
		}
		a := w.call("GetQueryResults", body)
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 {
			t.Fatal(a.status, a.body, err)
		}
		for _, row := range out.QueryResultRows {
			if want := fmt.Sprintf("\"%d\"\n<é>", seen); len(row) != 2 || *row[0]["a"] != want || row[1]["a"] != nil {
				t.Fatalf("row %d: %v", seen, row)
			}
			seen++
		}
		if *out.QueryStatistics.TotalResultsCount != 2500 || int(*out.QueryStatistics.ResultsCount) != len(out.QueryResultRows) {
			t.Errorf("%+v", out.QueryStatistics)
		}
		if out.NextToken == nil {
			if pages != 2 || seen != 2500 {
				t.Errorf("%d rows in %d pages", seen, pages+1)
			}
			break
		}
		token = `,"NextToken":"` + *out.NextToken + `"`
	}
	a = w.call("CancelQuery", `{"QueryId":"`+testQueryID+`"}`)
	if a.body != `{"QueryId":"`+testQueryID+`","QueryStatus":"CANCELLED"}` {
		t.Error(a.body)
	}

	ids, token := "", ""
	for {
		var out model.ListQueriesResponse
		a := w.call("ListQueries", `{"EventDataStore":"`+testStoreID+`","MaxResults":2`+token+`}`)
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 {
			t.Fatal(a.status, a.body, err)
		}
		for _, q := range out.Queries {
			ids += *q.QueryId
		}
		if out.NextToken == nil {
			break
		}
		token = `,"NextToken":"` + *out.NextToken + `"`
	}
	if ids != "01234" {
		t.Error(ids)
	}

	for _, tt := range []struct{ op, body, want string }{
		{"StartQuery", `{}`, "InvalidParameterException"},
		{"StartQuery", `{"QueryAlias":"abc","QueryStatement":"SELECT 1"}`, "InvalidParameterException"},
		{"StartQuery", `{"QueryAlias":"0bc"}`, "InvalidParameterException"},
		{"StartQuery", `{"QueryStatement":"SELECT 1","DeliveryS3Uri":"file:///tmp"}`, "InvalidParameterException"},
		{"StartQuery", `{"QueryAlias":"abc","QueryParameters":[]}`, "InvalidParameterException"},
		{"StartQuery", `{"QueryAlias":"abc","QueryParameters":["1","2","3","4","5","6","7","8","9","10","11"]}`, "InvalidParameterException"},
		{"StartQuery", `{"QueryStatement":"SELECT 1","EventDataStoreOwnerAccountId":"999999999999"}`, "OperationNotPermittedException"},
		{"DescribeQuery", `{}`, "InvalidParameterException"},
		{"DescribeQuery", `{"QueryAlias":"other"}`, "QueryIdNotFoundException"},
		{"DescribeQuery", `{"QueryAlias":"abc","QueryId":"` + testQueryID + `"}`, "InvalidParameterException"},
		{"DescribeQuery", `{"QueryAlias":"abc","RefreshId":"1234567890"}`, "QueryIdNotFoundException"},
		{"DescribeQuery", `{"QueryId":"` + testQueryID + `","RefreshId":"1234567890"}`, "InvalidParameterException"},
		{"DescribeQuery", `{"QueryId":"99999999-2222-4333-8444-555555555555"}`, "QueryIdNotFoundException"},
		{"DescribeQuery", `{"QueryId":"` + testQueryID + `","EventDataStore":"99999999-2222-4333-8444-555555555555"}`, "EventDataStoreNotFoundException"},
		{"GetQueryResults", `{"QueryId":"99999999-2222-4333-8444-555555555555"}`, "QueryIdNotFoundException"},
		{"GetQueryResults", `{"QueryId":"` + testQueryID + `","MaxQueryResults":0}`, "InvalidMaxResultsException"},
		{"GetQueryResults", `{"QueryId":"` + testQueryID + `","MaxQueryResults":1001}`, "InvalidMaxResultsException"},
		{"GetQueryResults", `{"QueryId":"` + testQueryID + `","NextToken":"abcdef"}`, "InvalidNextTokenException"},
		{"GetQueryResults", `{"QueryId":"99999999-2222-4333-8444-555555555555"` + token + `}`, "InvalidNextTokenException"},
		{"ListQueries", `{}`, "InvalidParameterException"},
		{"ListQueries", `{"EventDataStore":"` + testStoreID + `","StartTime":2,"EndTime":1}`, "InvalidDateRangeException"},
		{"ListQueries", `{"EventDataStore":"` + testStoreID + `","QueryStatus":"DONE"}`, "InvalidQueryStatusException"},
		{"ListQueries", `{"EventDataStore":"` + testStoreID + `","QueryStatus":"RUNNING"` + token + `}`, "InvalidNextTokenException"},
		{"ListQueries", `{"EventDataStore":"` + testStoreID + `","MaxResults":1001}`, "InvalidMaxResultsException"},
	} {
		if a := w.call(tt.op, tt.body); a.status != 400 || !strings.Contains(a.body, tt.want) {
			t.Errorf("%s %s: %d %s, want %s", tt.op, tt.body, a.status, a.body, tt.want)
		}
	}
}

func FuzzAppendJSON(f *testing.F) {
	f.Add("plain")
	f.Add("quote \" slash \\ line\nreturn\r tab\t bell\a é 🙂 \xff \xe2\x80")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		b := appendJSON(nil, s)
		if string(b) != string(appendJSON(nil, []byte(s))) {
			t.Fatalf("%q differs as bytes", s)
		}
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if utf8.ValidString(s) && back != s || back != strings.ToValidUTF8(s, "\uFFFD") && utf8.ValidString(s) {
			t.Fatalf("%q came back as %q", s, back)
		}
	})
}
