package trino

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/event"
)

// coordinator plays Trino's part of the protocol: each answer of pages in turn, %s in them for its own URL.
type coordinator struct {
	*httptest.Server
	pages []string
	busy  int           // times that it answers 503 first
	hold  chan struct{} // where not nil, the page behind the last waits for it, or for the client to go

	mu       sync.Mutex
	sql      string
	header   http.Header
	deleted  []string
	attempts int
}

func newCoordinator(t *testing.T, pages ...string) *coordinator {
	c := &coordinator{pages: pages}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *coordinator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.attempts++
	if c.attempts <= c.busy {
		c.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	n := 0
	switch {
	case r.Method == http.MethodDelete:
		c.deleted = append(c.deleted, r.URL.Path)
		c.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
		return
	case r.Method == http.MethodPost:
		c.sql, c.header = string(body), r.Header
	case strings.HasPrefix(r.URL.Path, "/v1/query/"):
		c.mu.Unlock()
		fmt.Fprint(w, `{"queryStats": {"operatorSummaries": [{"operatorType": "ScanFilterAndProjectOperator", "outputPositions": 3}, {"operatorType": "LimitOperator", "outputPositions": 1}, {"operatorType": "TableScanOperator", "outputPositions": 4}]}}`)
		return
	default:
		fmt.Sscanf(r.URL.Path, "/page/%d", &n)
	}
	c.mu.Unlock()
	if n >= len(c.pages) {
		select {
		case <-c.hold:
		case <-r.Context().Done():
		}
		return
	}
	fmt.Fprint(w, strings.ReplaceAll(c.pages[n], "%s", c.URL))
}

func (c *coordinator) engine(t *testing.T) *Engine {
	t.Helper()
	e, err := Open(strings.Replace(c.URL, "http://", "http://ops@", 1)+"/lake", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

const columns = `"columns": [{"name": "a", "type": "varchar", "typeSignature": {"rawType": "varchar", "arguments": []}}, {"name": "b", "type": "decimal(3, 1)", "typeSignature": {"rawType": "decimal", "arguments": []}}]`

func TestRun(t *testing.T) {
	c := newCoordinator(t, `{"id": "q", "nextUri": "%s/page/1", "stats": {}}`, `{"id": "q", "nextUri": "%s/page/2", `+columns+`, "data": [["x", "1.5"], [null, null]], "stats": {"physicalInputBytes": 10}}`,
		`{"id": "q", `+columns+`, "data": [["\u00fc", "2.0"]], "stats": {"physicalInputBytes": 20, "processedRows": 9}}`)
	c.busy = 2
	var told []engine.Column
	var rows []string
	schema := event.Schema(event.CloudTrail)
	job := engine.Job{SQL: "SELECT a, b", Relations: []engine.Relation{{Name: "store_0", Schema: schema, Columns: []string{"eventid"}, Files: []engine.File{{Rows: 5}, {Rows: 7}}}},
		Described: func(cols []engine.Column) error { told = append(told, cols...); return nil }, Progress: func(engine.Stats) {}}
	stats, err := c.engine(t).Run(t.Context(), job, func(row []engine.Value) error {
		rows = append(rows, fmt.Sprintf("%s/%v/%s/%v", row[0].Text, row[0].Null, row[1].Text, row[1].Null))
		return nil
	})
	if err != nil || stats.RowsScanned != 12 || stats.RowsMatched != 7 || stats.BytesScanned != 20 {
		t.Errorf("%+v %v", stats, err)
	}
	if fmt.Sprint(told) != "[{a varchar } {b decimal(3,1) }]" || strings.Join(rows, " ") != "x/false/1.5/false /true//true ü/false/2.0/false" {
		t.Errorf("%v %q", told, rows)
	}
	if c.sql != "SELECT a, b" || c.header.Get("X-Trino-User") != "ops" || c.header.Get("X-Trino-Time-Zone") != "UTC" || c.header.Get("X-Trino-Client-Capabilities") != "PARAMETRIC_DATETIME" {
		t.Errorf("%s %v", c.sql, c.header)
	}
}

// TestRunEnds: whatever ends a run early ends the statement in Trino.
func TestRunEnds(t *testing.T) {
	pages := []string{`{"id": "q", "nextUri": "%s/page/1", "stats": {}}`, `{"id": "q", "nextUri": "%s/page/2", ` + columns + `, "data": [["x", "1.5"]], "stats": {}}`}
	full := errors.New("full")
	for name, sink := range map[string]func(cancel func()) error{"the sink": func(func()) error { return full }, "the caller": func(cancel func()) error { cancel(); return nil }} {
		c := newCoordinator(t, pages...)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := c.engine(t).Run(ctx, engine.Job{SQL: "x"}, func([]engine.Value) error { return sink(cancel) })
		cancel()
		c.mu.Lock()
		if err == nil || len(c.deleted) != 1 || c.deleted[0] != "/page/2" {
			t.Errorf("%s: %v, %v deleted", name, err, c.deleted)
		}
		c.mu.Unlock()
	}
	// While Trino keeps the client waiting.
	c := newCoordinator(t, pages[0])
	c.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.engine(t).Run(ctx, engine.Job{SQL: "x", Progress: func(engine.Stats) { cancel() }}, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !errors.Is(err, context.Canceled) || len(c.deleted) != 1 || c.deleted[0] != "/page/1" {
		t.Errorf("%v, %v deleted", err, c.deleted)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, kind, message string
		at                  string
		want                engine.ErrorKind
		text                string
	}{
		{"TYPE_MISMATCH", "USER_ERROR", "line 1:20: Cannot apply operator", `{"lineNumber": 1, "columnNumber": 20}`, engine.Statement, "line 7:21: Cannot apply operator"},
		{"DIVISION_BY_ZERO", "USER_ERROR", "Division by zero", "null", engine.Statement, "Division by zero"},
		{"EXCEEDED_GLOBAL_MEMORY_LIMIT", "INSUFFICIENT_RESOURCES", "Query exceeded distributed user memory limit of 2GB", "null", engine.Resources, "Query exceeded distributed user memory limit of 2GB"},
		{"TABLE_NOT_FOUND", "USER_ERROR", "line 1:9: Table 'lake.stores.x' does not exist", `{"lineNumber": 1, "columnNumber": 9}`, engine.Internal, "Trino, which runs the queries, does not find the event data store's table."},
		{"GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", "java.lang.secret", "null", engine.Internal, "Trino, which runs the queries, failed."},
	} {
		text, err := json.Marshal(c.message)
		if err != nil {
			t.Fatal(err)
		}
		co := newCoordinator(t, fmt.Sprintf(`{"id": "q", "stats": {}, "error": {"message": %s, "errorName": "%s", "errorType": "%s", "errorLocation": %s}}`, text, c.name, c.kind, c.at))
		_, err = co.engine(t).Run(t.Context(), engine.Job{SQL: "x", Place: func(line, column int) (int, int) { return line + 6, column + 1 }}, nil)
		e, ok := errors.AsType[*engine.Error](err)
		if !ok || e.Kind != c.want || e.Message != c.text {
			t.Errorf("%s: %+v", c.name, err)
		}
	}
	co := newCoordinator(t, `{"id": "q", "stats": {}, "error": {"message": "x", "errorName": "EXCEEDED_TIME_LIMIT", "errorType": "INSUFFICIENT_RESOURCES"}}`)
	if _, err := co.engine(t).Run(t.Context(), engine.Job{SQL: "x"}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	co = newCoordinator(t, `{"id": "q", "nextUri": "http://elsewhere.invalid/page/1", "stats": {}}`)
	if _, err := co.engine(t).Run(t.Context(), engine.Job{SQL: "x"}, nil); err == nil {
		t.Error("the client follows Trino elsewhere")
	}
	co.Close()
	_, err := co.engine(t).Run(t.Context(), engine.Job{SQL: "x"}, nil)
	if e, ok := errors.AsType[*engine.Error](err); !ok || e.Kind != engine.Internal || strings.Contains(e.Message, "127.0.0.1") {
		t.Errorf("a Trino that is gone: %v", err)
	}
}

func TestValidate(t *testing.T) {
	c := newCoordinator(t, `{"id": "q", "stats": {}, "error": {"message": "line 2:5: no", "errorName": "X", "errorType": "USER_ERROR", "errorLocation": {"lineNumber": 2, "columnNumber": 5}}}`)
	err := c.engine(t).Validate(t.Context(), engine.Job{SQL: "SELECT x"})
	if err == nil || err.Error() != "line 1:5: no" || c.sql != "EXPLAIN (TYPE VALIDATE)\nSELECT x" {
		t.Errorf("%v %q", err, c.sql)
	}
}

func TestOpen(t *testing.T) {
	for _, bad := range []string{"", "x", "http://host/lake", "http://u@host", "http://u@host/", "http://u@host/a/b", "ftp://u@host/lake", "http://u:p@host/lake", `http://u@host/"a"`, "http://u@host/lake?x=1"} {
		if e, err := Open(bad, nil); err == nil {
			t.Errorf("%q opens %+v", bad, e)
		} else if strings.Contains(err.Error(), ":p@") {
			t.Errorf("%q: the password shows: %v", bad, err)
		}
	}
	e, err := Open("https://u:p@host:8443/lake_1", nil)
	if err != nil || e.Catalog() != "lake_1" {
		t.Error(err)
	}
	if _, err := NewClient(&url.URL{Scheme: "http", Host: "h"}, "test"); err != nil {
		t.Error(err)
	}
}
