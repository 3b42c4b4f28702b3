package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lochlake/loch/api/model"
)

// Cell is one value of an answer; Null where it is NULL.
type Cell struct {
	Text string
	Null bool
}

// State is how far a query has come.
type State struct {
	Status  string
	Error   string
	Scanned int64 // events
	Matched int64
	Bytes   int64
	Millis  int32
	Rows    int32
}

// Query runs a statement, or the template of an alias, to its end. It calls progress (where not nil) while it waits, columns once before the first row (not at all where there is none), and row for
// each row. When ctx ends first, the query is cancelled.
func (c *Client) Query(ctx context.Context, what model.StartQueryRequest, progress func(State), columns func([]string) error, row func([]Cell) error) (State, error) {
	var started model.StartQueryResponse
	if err := c.Call(ctx, "StartQuery", what, &started); err != nil {
		return State{}, err
	}
	state, err := c.wait(ctx, started.QueryId, progress)
	if err != nil {
		if ctx.Err() != nil {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			var cancelled model.CancelQueryResponse
			err = errors.Join(ctx.Err(), c.Call(end, "CancelQuery", model.CancelQueryRequest{QueryId: started.QueryId}, &cancelled))
		}
		return state, err
	}
	if state.Status != "FINISHED" {
		return state, fmt.Errorf("query %s: %s", strings.ToLower(state.Status), state.Error)
	}
	return state, c.pages(ctx, started.QueryId, columns, row)
}

// patience is how long the server may wait for a query's end before it answers, so that progress is shown every so often.
const patience = time.Second

func (c *Client) wait(ctx context.Context, id *string, progress func(State)) (State, error) {
	for start := time.Now(); ; {
		var d model.DescribeQueryResponse
		asked := time.Now()
		if err := c.callPatiently(ctx, "DescribeQuery", model.DescribeQueryRequest{QueryId: id}, &d, patience); err != nil {
			return State{}, err
		}
		s := State{Status: value(d.QueryStatus), Error: value(d.ErrorMessage)}
		if q := d.QueryStatistics; q != nil {
			s.Scanned, s.Matched, s.Bytes, s.Millis = value(q.EventsScanned), value(q.EventsMatched), value(q.BytesScanned), value(q.ExecutionTimeInMillis)
		}
		if s.Status != "QUEUED" && s.Status != "RUNNING" {
			return s, nil
		}
		if progress != nil {
			progress(s)
		}
		if time.Since(asked) >= patience/2 { // the server has waited
			continue
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-time.After(min(2*time.Millisecond+time.Since(start)/12, 500*time.Millisecond)): // so that asking adds a twelfth at most
		}
	}
}

func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

func (c *Client) pages(ctx context.Context, id *string, columns func([]string) error, row func([]Cell) error) error {
	first := true
	for in := (model.GetQueryResultsRequest{QueryId: id}); ; {
		var page struct { // with values that can be null, which model's cannot
			QueryResultRows [][]map[string]*string
			NextToken       *string
		}
		if err := c.Call(ctx, "GetQueryResults", in, &page); err != nil {
			return err
		}
		for _, r := range page.QueryResultRows {
			names, cells := make([]string, 0, len(r)), make([]Cell, 0, len(r))
			for _, cell := range r {
				for name, v := range cell {
					names, cells = append(names, name), append(cells, Cell{Text: value(v), Null: v == nil})
				}
			}
			if first {
				first = false
				if err := columns(names); err != nil {
					return err
				}
			}
			if err := row(cells); err != nil {
				return err
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return nil
		}
	}
}
