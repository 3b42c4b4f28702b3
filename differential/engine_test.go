package differential

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
)

// lives shows that a query's life is the same on Trino: errors with the caller's places, statistics, cancelling, and what stays on the embedded engine.
func (l *lake) lives(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT evntname FROM trail":                               "line 1:8: Column 'evntname' cannot be resolved; did you mean 'eventname'?",
		"SELECT eventid,\n  eventid + 1 FROM wiz":                  "line 2:11: Cannot apply operator: varchar + integer",
		"SELECT a.eventName,\n count(nothing(1)) FROM wiz a":       "line 2:8: Function 'nothing' not registered",
		"SELECT\n  1 / (cardinality(resources) * 0) FROM trail":    "Division by zero",
		"SELECT CAST(eventname AS integer) FROM wiz WHERE true":    "Cannot cast '",
		"SELECT * FROM system.runtime.nodes":                       "line 1:15: ",
		"SELECT * FROM loch.stores.\"nodes\"":                      "line 1:15: ",
		"SELECT 1 FROM trail WHERE eventtime > 'yesterday'":        "line 1:39: 'yesterday' is not a timestamp",
		"SELECT (SELECT eventid FROM wiz) FROM insights":           "Scalar sub-query has returned multiple rows",
		"SELECT approx_set(useridentity) FROM trail":               "line 1:8: Unexpected parameters (row(",
		"SELECT eventid FROM trail WHERE useridentity.nope = 'no'": "line 1:46: Column 'nope' cannot be resolved",
	} {
		r, err := l.ask(t.Context(), &statement{Text: sql})
		if err != nil || !strings.Contains(r.Message, want) {
			t.Errorf("%s: %v %+v, want %s", sql, err, r, want)
		}
	}
	// What Loch cannot tell the types of.
	r, err := l.ask(t.Context(), &statement{Text: "SELECT count(*), approx_set(eventid) IS NULL FROM trail"})
	if err != nil || len(r.Rows) != 1 || *r.Rows[0][0] == "0" {
		t.Errorf("%v %+v", err, r)
	}
	logins := "SELECT eventid FROM wiz WHERE eventdata.eventname = 'Login'"
	state, err := l.client.Query(t.Context(), model.StartQueryRequest{QueryStatement: &logins}, nil, func([]string) error { return nil }, func([]client.Cell) error { return nil })
	if err != nil || state.Scanned == 0 || state.Bytes == 0 || state.Matched != int64(state.Rows) && state.Matched == 0 || state.Matched > state.Scanned {
		t.Errorf("%v %+v", err, state)
	}
	l.cancels(t)
	var found model.LookupEventsResponse
	if err := l.client.Call(t.Context(), "LookupEvents", model.LookupEventsRequest{}, &found); err != nil {
		t.Error(err)
	}
}

// cancels: a query that would run for hours ends within a second.
func (l *lake) cancels(t *testing.T) {
	sql := "SELECT count(*) FROM trail a, trail b, trail c, trail d WHERE a.eventjson || b.eventjson < c.eventjson || d.eventjson"
	var started model.StartQueryResponse
	if err := l.client.Call(t.Context(), "StartQuery", model.StartQueryRequest{QueryStatement: &sql}, &started); err != nil {
		t.Fatal(err)
	}
	var d model.DescribeQueryResponse
	for d.QueryStatus == nil || *d.QueryStatus == "QUEUED" {
		if err := l.client.Call(t.Context(), "DescribeQuery", model.DescribeQueryRequest{QueryId: started.QueryId}, &d); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	var cancelled model.CancelQueryResponse
	err := l.client.Call(t.Context(), "CancelQuery", model.CancelQueryRequest{QueryId: started.QueryId}, &cancelled)
	if e, ok := errors.AsType[*client.Error](err); err != nil || ok || *cancelled.QueryStatus != "CANCELLED" {
		t.Errorf("%v %v %+v", err, e, cancelled)
	}
	t.Logf("cancelled in %v", time.Since(begin))
}
