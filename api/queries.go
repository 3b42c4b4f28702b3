package api

import (
	"context"
	"math"
	"time"
	"unicode/utf8"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/query"
)

// Queries carries out the operations on queries; *query.Service is one. Its errors are the API's.
type Queries interface {
	// Store finds an event data store by ARN or ID.
	Store(ctx context.Context, sc meta.Scope, ref string) (meta.EventDataStore, error)
	Start(ctx context.Context, sc meta.Scope, principal string, r query.Request) (meta.Query, error)
	// Describe, Results and Cancel take the ID of the store that the query must read, "" for any.
	Describe(ctx context.Context, sc meta.Scope, id, storeID string) (meta.Query, error)
	// Last is the newest query of a template.
	Last(ctx context.Context, sc meta.Scope, alias, storeID string) (meta.Query, error)
	// Wait returns when the query has ended, at once where it had, and after d at the latest.
	Wait(ctx context.Context, id string, d time.Duration)
	// Results gives rows to row, NULL as nil, and where the next page begins, -1 after the last.
	Results(ctx context.Context, sc meta.Scope, id, storeID string, from int64, n int, row func(names []string, texts [][]byte)) (q meta.Query, next int64, err error)
	Cancel(ctx context.Context, sc meta.Scope, id, storeID string) (meta.Query, error)
	List(ctx context.Context, sc meta.Scope, storeID, status string, from, to time.Time, after string, limit int) ([]meta.Query, error)
}

// maxQueryPage is the most rows or queries of a page, and how many there are where the request doesn't say.
const maxQueryPage = 1000

// HandleQueries brings StartQuery, DescribeQuery, GetQueryResults, CancelQuery and ListQueries.
func (s *Server) HandleQueries(q Queries) {
	h := &queries{q, s.tokens}
	register(s, "StartQuery", h.start)
	register(s, "DescribeQuery", h.describe)
	register(s, "GetQueryResults", h.results)
	register(s, "CancelQuery", h.cancel)
	register(s, "ListQueries", h.list)
}

type queries struct {
	Queries
	tokens *tokens
}

// store resolves the store that a request names, "" where it names none, and refuses stores of other accounts.
func (h *queries) store(ctx context.Context, c *Call, ref, owner *string) (string, error) {
	if owner != nil && *owner != c.Scope.Account {
		return "", awserr.New("OperationNotPermittedException", "Event data stores of another account (%s) cannot be queried.", *owner)
	}
	if ref == nil {
		return "", nil
	}
	store, err := h.Store(ctx, c.Scope, *ref)
	return store.ID, err
}

func (h *queries) start(ctx context.Context, c *Call, in *model.StartQueryRequest) (*model.StartQueryResponse, error) {
	r := query.Request{Parameters: in.QueryParameters}
	switch {
	case in.QueryStatement != nil && in.QueryAlias != nil:
		return nil, awserr.New("InvalidParameterException", "The request names a QueryStatement and a QueryAlias; one of them is wanted.")
	case in.QueryStatement != nil:
		r.SQL = *in.QueryStatement
	case in.QueryAlias != nil:
		r.Alias = *in.QueryAlias
	default:
		return nil, awserr.New("InvalidParameterException", "The request needs a QueryStatement, or a QueryAlias with its QueryParameters.")
	}
	if in.DeliveryS3Uri != nil {
		r.DeliverTo = *in.DeliveryS3Uri
	}
	if _, err := h.store(ctx, c, nil, in.EventDataStoreOwnerAccountId); err != nil {
		return nil, err
	}
	q, err := h.Start(ctx, c.Scope, c.Caller.ARN, r)
	if err != nil {
		return nil, err
	}
	return &model.StartQueryResponse{QueryId: &q.ID}, nil
}

func (h *queries) describe(ctx context.Context, c *Call, in *model.DescribeQueryRequest) (*model.DescribeQueryResponse, error) {
	switch {
	case in.QueryId == nil && in.QueryAlias == nil:
		return nil, awserr.New("InvalidParameterException", "The request needs a QueryId or a QueryAlias.")
	case in.QueryId != nil && in.QueryAlias != nil:
		return nil, awserr.New("InvalidParameterException", "The request names a QueryId and a QueryAlias; one of them is wanted.")
	case in.RefreshId != nil && in.QueryAlias == nil:
		return nil, awserr.New("InvalidParameterException", "A RefreshId goes with a QueryAlias.")
	case in.RefreshId != nil:
		return nil, awserr.New("QueryIdNotFoundException", "No refresh of a dashboard has the ID %s.", *in.RefreshId)
	}
	store, err := h.store(ctx, c, in.EventDataStore, in.EventDataStoreOwnerAccountId)
	if err != nil {
		return nil, err
	}
	var q meta.Query
	if in.QueryAlias != nil {
		q, err = h.Last(ctx, c.Scope, *in.QueryAlias, store)
	} else {
		q, err = h.Describe(ctx, c.Scope, *in.QueryId, store)
	}
	if err == nil && h.awaited(ctx, c, q) {
		q, err = h.Describe(ctx, c.Scope, q.ID, store)
	}
	if err != nil {
		return nil, err
	}
	took := int32(min(q.Execution.Milliseconds(), math.MaxInt32))
	return &model.DescribeQueryResponse{QueryId: &q.ID, QueryString: &q.SQL, QueryStatus: &q.Status, ErrorMessage: filled(q.Error),
		DeliveryS3Uri: filled(q.DeliveryURI), DeliveryStatus: filled(q.Delivery),
		QueryStatistics: &model.QueryStatisticsForDescribeQuery{EventsMatched: &q.Matched, EventsScanned: &q.Scanned, BytesScanned: &q.BytesScanned,
			ExecutionTimeInMillis: &took, CreationTime: model.At(q.Created)}}, nil
}

// awaited waits, as long as the caller would, for the end of a query that has not ended, and tells whether there may be news.
func (h *queries) awaited(ctx context.Context, c *Call, q meta.Query) bool {
	if c.Wait <= 0 || q.Status != query.Queued && q.Status != query.Running {
		return false
	}
	h.Wait(ctx, q.ID, c.Wait)
	return true
}

// filled is a pointer to s, nil where s is empty.
func filled(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// resultsPage is the state in a token of GetQueryResults: the row, counting from 0, where the page begins.
type resultsPage struct {
	Row int64 `json:"r"`
}

// queryResults is model.GetQueryResultsResponse with rows that are written as they come, and in which NULL is null.
type queryResults struct {
	QueryStatus     string                 `json:"QueryStatus"`
	QueryStatistics *model.QueryStatistics `json:"QueryStatistics"`
	QueryResultRows *jsonRows              `json:"QueryResultRows"`
	NextToken       *string                `json:"NextToken,omitempty"`
	ErrorMessage    *string                `json:"ErrorMessage,omitempty"`
}

func (h *queries) results(ctx context.Context, c *Call, in *model.GetQueryResultsRequest) (*queryResults, error) {
	store, err := h.store(ctx, c, in.EventDataStore, in.EventDataStoreOwnerAccountId)
	if err != nil {
		return nil, err
	}
	n := maxQueryPage
	if in.MaxQueryResults != nil {
		n = int(*in.MaxQueryResults)
	}
	var at resultsPage
	if in.NextToken != nil {
		if err := h.tokens.open(c, in.QueryId, *in.NextToken, &at); err != nil {
			return nil, err
		}
	}
	rows := &jsonRows{}
	q, next, err := h.Results(ctx, c.Scope, *in.QueryId, store, at.Row, n, rows.add)
	if err == nil && h.awaited(ctx, c, q) {
		q, next, err = h.Results(ctx, c.Scope, *in.QueryId, store, at.Row, n, rows.add)
	}
	if err != nil {
		return nil, err
	}
	out := &queryResults{QueryStatus: q.Status, QueryResultRows: rows}
	if q.Status != query.Finished { // else it says why the delivery failed, which is no error of these rows
		out.ErrorMessage = filled(q.Error)
	}
	total := int32(min(q.Rows, math.MaxInt32))
	out.QueryStatistics = &model.QueryStatistics{ResultsCount: &rows.n, TotalResultsCount: &total, BytesScanned: &q.BytesScanned}
	if next >= 0 {
		if out.NextToken, err = h.tokens.seal(c, in.QueryId, resultsPage{next}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (h *queries) cancel(ctx context.Context, c *Call, in *model.CancelQueryRequest) (*model.CancelQueryResponse, error) {
	store, err := h.store(ctx, c, in.EventDataStore, in.EventDataStoreOwnerAccountId)
	if err != nil {
		return nil, err
	}
	q, err := h.Cancel(ctx, c.Scope, *in.QueryId, store)
	if err != nil {
		return nil, err
	}
	return &model.CancelQueryResponse{QueryId: &q.ID, QueryStatus: &q.Status}, nil
}

// queriesPage is the state in a token of ListQueries: the ID of the last query told.
type queriesPage struct {
	After string `json:"a"`
}

func (h *queries) list(ctx context.Context, c *Call, in *model.ListQueriesRequest) (*model.ListQueriesResponse, error) {
	store, err := h.store(ctx, c, in.EventDataStore, nil)
	if err != nil {
		return nil, err
	}
	var from, to time.Time
	if in.StartTime != nil {
		from = in.StartTime.Time
	}
	if in.EndTime != nil {
		to = in.EndTime.Time
	}
	if in.StartTime != nil && in.EndTime != nil && to.Before(from) {
		return nil, awserr.New("InvalidDateRangeException", "The start time must be before the end time.")
	}
	status := ""
	if in.QueryStatus != nil {
		status = *in.QueryStatus
	}
	n := maxQueryPage
	if in.MaxResults != nil {
		n = int(*in.MaxResults)
	}
	same := *in
	same.NextToken, same.MaxResults, same.EventDataStore = nil, nil, &store
	var at queriesPage
	if in.NextToken != nil {
		if err := h.tokens.open(c, same, *in.NextToken, &at); err != nil {
			return nil, err
		}
	}
	list, err := h.List(ctx, c.Scope, store, status, from, to, at.After, n+1)
	if err != nil {
		return nil, err
	}
	out := &model.ListQueriesResponse{Queries: []model.Query{}}
	if len(list) > n {
		list = list[:n]
		if out.NextToken, err = h.tokens.seal(c, same, queriesPage{list[n-1].ID}); err != nil {
			return nil, err
		}
	}
	for _, q := range list {
		out.Queries = append(out.Queries, model.Query{QueryId: &q.ID, QueryStatus: &q.Status, CreationTime: model.At(q.Created)})
	}
	return out, nil
}

// jsonRows is QueryResultRows as JSON: a list of rows, each a list of one-entry maps in the order of the columns, since names may repeat.
type jsonRows struct {
	b []byte
	n int32
}

func (r *jsonRows) add(names []string, texts [][]byte) {
	if r.n++; r.n > 1 {
		r.b = append(r.b, ',')
	}
	r.b = append(r.b, '[')
	for i, name := range names {
		if i > 0 {
			r.b = append(r.b, ',')
		}
		r.b = appendJSON(append(r.b, '{'), name)
		r.b = append(r.b, ':')
		if texts[i] == nil {
			r.b = append(r.b, "null"...)
		} else {
			r.b = appendJSON(r.b, texts[i])
		}
		r.b = append(r.b, '}')
	}
	r.b = append(r.b, ']')
}

// MarshalJSON gives the list.
func (r *jsonRows) MarshalJSON() ([]byte, error) {
	return append(append([]byte{'['}, r.b...), ']'), nil
}

// appendJSON writes a JSON string. Bytes that are no UTF-8 become U+FFFD, as encoding/json has it.
func appendJSON[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	plain := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[plain:i]...), "\uFFFD"...)
				plain = i + 1
			}
			i += n
			continue
		}
		dst = append(dst, s[plain:i]...)
		i++
		plain = i
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	}
	return append(append(dst, s[plain:]...), '"')
}
