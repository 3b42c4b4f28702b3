package api

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/history"
)

// fakeHistory has ten events and keeps what it was asked.
type fakeHistory struct{ asked []history.Query }

func (f *fakeHistory) Lookup(_ context.Context, q history.Query) ([]history.Event, *history.Position, error) {
	f.asked = append(f.asked, q)
	first := 0
	if q.After != nil {
		first = int(q.After.Sequence)
	}
	last := min(10, first+q.Limit)
	var events []history.Event
	for i := first; i < last; i++ {
		events = append(events, history.Event{ID: fmt.Sprint(i), Name: "A", Time: time.Unix(1_700_000_000, 0).UTC(), ReadOnly: "true", Text: "{ }", Resources: []history.Resource{{Name: "n"}}})
	}
	if last == 10 {
		return events, nil, nil
	}
	return events, &history.Position{Sequence: int64(last)}, nil
}

func TestLookupEvents(t *testing.T) {
	h := &fakeHistory{}
	w := serveTest(t, func(s *Server) { s.HandleHistory(h, 1000) })
	look := func(body string) (out model.LookupEventsResponse) {
		t.Helper()
		a := w.call("LookupEvents", body)
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 {
			t.Fatalf("%d %s %v", a.status, a.body, err)
		}
		return out
	}
	a := w.call("LookupEvents", `{"MaxResults":1}`)
	var raw map[string]any
	if err := json.Unmarshal([]byte(a.body), &raw); err != nil {
		t.Fatal(err)
	}
	if want := []any{map[string]any{"EventId": "0", "EventName": "A", "ReadOnly": "true", "EventTime": 1.7e9, "CloudTrailEvent": "{ }", "Resources": []any{map[string]any{"ResourceName": "n"}}}}; !reflect.DeepEqual(raw["Events"], want) {
		t.Errorf("%v, want %v", raw["Events"], want)
	}
	if q := h.asked[0]; q.Account != testAccount || q.Region != "eu-west-1" || q.Limit != 1 || q.To.Sub(q.From).Round(time.Hour) < 89*24*time.Hour || q.After != nil {
		t.Errorf("%+v", q)
	}
	if look(`{}`); h.asked[1].Limit != 50 {
		t.Errorf("%+v", h.asked[1])
	}

	// Pages, of sizes that may change, with the same parameters only.
	seconds := time.Now().Unix()
	params := fmt.Sprintf(`"StartTime":%d,"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"A"}]`, seconds-3600)
	page := look(`{` + params + `,"MaxResults":4}`)
	if len(page.Events) != 4 || page.NextToken == nil {
		t.Fatalf("%+v", page)
	}
	token := *page.NextToken
	page = look(`{` + params + `,"MaxResults":6,"NextToken":"` + token + `"}`)
	if len(page.Events) != 6 || *page.Events[0].EventId != "4" || page.NextToken != nil {
		t.Errorf("%+v", page)
	}
	if q := h.asked[len(h.asked)-1]; q.Attribute != history.EventName || q.Value != "A" || !q.From.Equal(time.Unix(seconds-3600, 0)) {
		t.Errorf("%+v", q)
	}
	if page = look(`{"EventCategory":"insight","LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"A"}]}`); len(page.Events) != 0 || page.Events == nil {
		t.Errorf("insights: %+v", page)
	}

	asked := len(h.asked)
	for body, code := range map[string]string{
		`{"NextToken":"` + token + `"}`: "InvalidNextTokenException",
		`{"NextToken":""}`:              "InvalidNextTokenException",
		`{"MaxResults":0}`:              "InvalidMaxResultsException",
		`{"MaxResults":51}`:             "InvalidMaxResultsException",
		`{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"A"},{"AttributeKey":"EventId","AttributeValue":"A"}]}`: "InvalidLookupAttributesException",
		`{"LookupAttributes":[{"AttributeKey":"Nonsense","AttributeValue":"A"}]}`:                                                  "InvalidLookupAttributesException",
		`{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":""}]}`:                                                  "InvalidLookupAttributesException",
		`{"LookupAttributes":[{"AttributeKey":"EventName"}]}`:                                                                      "InvalidLookupAttributesException",
		`{"LookupAttributes":[{"AttributeKey":"ReadOnly","AttributeValue":"yes"}]}`:                                                "InvalidLookupAttributesException",
		`{"EventCategory":"insight","LookupAttributes":[{"AttributeKey":"Username","AttributeValue":"a"}]}`:                        "InvalidLookupAttributesException",
		`{"EventCategory":"management"}`:                                                                                           "InvalidEventCategoryException",
		fmt.Sprintf(`{"StartTime":%d,"EndTime":%d}`, seconds, seconds-1):                                                           "InvalidTimeRangeException",
		fmt.Sprintf(`{"StartTime":0,"EndTime":%d}`, seconds-91*24*3600):                                                            "InvalidTimeRangeException",
		`{"StartTime":"yesterday"}`: "SerializationException",
	} {
		if a := w.call("LookupEvents", body); a.status != 400 || a.code(t) != code {
			t.Errorf("%s: %d %s, want %s", body, a.status, a.body, code)
		}
	}
	if len(h.asked) != asked {
		t.Error("a refused look-up was carried out")
	}
}

func TestLookupEventsRate(t *testing.T) {
	w := serveTest(t, nil)
	h := &lookupEvents{w.s, &fakeHistory{}, newLimits(lookupEventsRate)}
	c := &Call{Operation: "LookupEvents", Time: time.Unix(1_800_000_000, 0)}
	for i := range 3 {
		_, err := h.lookup(t.Context(), c, &model.LookupEventsRequest{})
		if throttled := awserr.Is(err, "ThrottlingException"); throttled != (i == 2) || err != nil && !throttled {
			t.Errorf("call %d: %v", i, err)
		}
	}
}
