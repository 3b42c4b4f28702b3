package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/samples"
)

func TestSearchSampleQueries(t *testing.T) {
	w := serveTest(t, func(s *Server) { s.HandleSampleQueries() })
	search := func(body string) (out model.SearchSampleQueriesResponse) {
		t.Helper()
		a := w.call("SearchSampleQueries", body)
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 || !strings.Contains(a.body, `"SearchResults":[`) {
			t.Fatal(a.status, a.body, err)
		}
		return out
	}
	want := samples.Search("access key")
	var names []string
	pages, last, token := 0, 1.0, ""
	for {
		out := search(`{"SearchPhrase":"access key","MaxResults":4` + token + `}`)
		pages++
		for _, r := range out.SearchResults {
			if *r.Relevance > last || *r.Relevance <= 0 || *r.Description == "" || *r.SQL == "" {
				t.Errorf("%+v", r)
			}
			last = *r.Relevance
			names = append(names, *r.Name)
		}
		if out.NextToken == nil {
			break
		}
		token = `,"NextToken":"` + *out.NextToken + `"`
	}
	if len(names) != len(want) || pages != (len(want)+3)/4 || names[0] != want[0].Name || names[len(names)-1] != want[len(want)-1].Name {
		t.Errorf("%d pages: %v", pages, names)
	}
	if n := len(search(`{"SearchPhrase":"access key"}`).SearchResults); n != samplesPage {
		t.Errorf("%d results where the request doesn't say", n)
	}
	if n := len(search(`{"SearchPhrase":"zzyzx"}`).SearchResults); n != 0 {
		t.Errorf("%d results for a word that no query has", n)
	}
	for _, body := range []string{`{}`, `{"SearchPhrase":"x"}`, `{"SearchPhrase":"é…"}`, `{"SearchPhrase":"access key","MaxResults":51}`, `{"SearchPhrase":"access key","MaxResults":0}`,
		`{"SearchPhrase":"other"` + token + `}`} {
		if a := w.call("SearchSampleQueries", body); a.status != 400 || !strings.Contains(a.body, "Exception") {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}
