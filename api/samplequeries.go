package api

import (
	"context"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/samples"
)

// samplesPage is how many sample queries a page has where the request doesn't say, by AWS's page on SearchSampleQueries.
const samplesPage = 10

// samplesFound is the state in a token of SearchSampleQueries: how many were told.
type samplesFound struct {
	Told int `json:"n"`
}

// HandleSampleQueries brings SearchSampleQueries.
func (s *Server) HandleSampleQueries() {
	register(s, "SearchSampleQueries", func(_ context.Context, c *Call, in *model.SearchSampleQueriesRequest) (*model.SearchSampleQueriesResponse, error) {
		n := samplesPage
		if in.MaxResults != nil {
			n = int(*in.MaxResults)
		}
		var at samplesFound
		if in.NextToken != nil {
			if err := s.tokens.open(c, in.SearchPhrase, *in.NextToken, &at); err != nil {
				return nil, err
			}
		}
		found := samples.Search(*in.SearchPhrase)
		found = found[min(at.Told, len(found)):] // the library of a newer version may have fewer
		out := &model.SearchSampleQueriesResponse{SearchResults: []model.SearchSampleQueriesSearchResult{}}
		if len(found) > n {
			found = found[:n]
			var err error
			if out.NextToken, err = s.tokens.seal(c, in.SearchPhrase, samplesFound{at.Told + n}); err != nil {
				return nil, err
			}
		}
		for _, m := range found {
			description := m.Text()
			out.SearchResults = append(out.SearchResults, model.SearchSampleQueriesSearchResult{Name: &m.Name, Description: &description, SQL: &m.SQL, Relevance: &m.Relevance})
		}
		return out, nil
	})
}
