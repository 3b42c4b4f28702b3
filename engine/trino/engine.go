package trino

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/lochlake/loch/engine"
)

// Schema is the namespace under which Loch's catalog shows every event data store to the engine.
const Schema = "stores" // catalog.EngineNamespace

// Engine runs jobs on Trino. Their SQL is Trino's, with the stores' tables by their names in its catalog.
type Engine struct {
	client  *Client
	catalog string
	log     *slog.Logger
}

// Open makes an engine of a URL of the form http://user@host:8080/catalog. It asks Trino nothing yet.
func Open(at string, log *slog.Logger) (*Engine, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, errors.New("the engine's URL is none of the form http://user@host:8080/catalog")
	}
	catalog := strings.Trim(u.Path, "/")
	if !catalogName.MatchString(catalog) || u.RawQuery != "" || u.User.Username() == "" {
		return nil, fmt.Errorf("the engine's URL %s is none of the form http://user@host:8080/catalog", u.Redacted())
	}
	c, err := NewClient(u, "loch")
	if err != nil {
		return nil, err
	}
	return &Engine{client: c, catalog: catalog, log: log}, nil
}

var catalogName = regexp.MustCompile(`^[a-z0-9_-]+$`)

// Catalog is Trino's name of the catalog that holds the stores' tables.
func (e *Engine) Catalog() string { return e.catalog }

// Close lets go of the connections.
func (e *Engine) Close() error {
	e.client.Close()
	return nil
}

// Run runs a job: engine.Engine's contract. Which columns there are is Trino's to say, through the job's Described.
func (e *Engine) Run(ctx context.Context, job engine.Job, sink func([]engine.Value) error) (engine.Stats, error) {
	begin := time.Now()
	planned := int64(0)
	for i := range job.Relations {
		r := &job.Relations[i]
		if name, ok := r.Derived(); ok {
			return engine.Stats{}, &engine.Error{Kind: engine.Statement, Message: "The column " + name + " is newer than some of the events; only the embedded engine reads it from their text."}
		}
		for _, f := range r.Files {
			planned += f.Rows
		}
	}
	settings := map[string]string{}
	if job.Limits.Time > 0 {
		settings["query_max_run_time"] = fmt.Sprintf("%ds", int64(job.Limits.Time/time.Second)+1) // should this process die meanwhile
	}
	h := Handlers{Columns: job.Described, Row: sink}
	if job.Progress != nil {
		h.Progress = func(s engine.Stats) {
			s.RowsScanned, s.Elapsed = planned, time.Since(begin)
			job.Progress(s)
		}
	}
	id, stats, err := e.client.Do(ctx, job.SQL, settings, h)
	stats.RowsScanned = planned
	if err == nil && len(job.Relations) > 0 {
		stats.RowsMatched = e.matched(ctx, id, stats.RowsMatched)
	}
	stats.Elapsed = time.Since(begin)
	if ctx.Err() != nil {
		return stats, context.Cause(ctx)
	}
	return stats, e.explain(err, job.Place)
}

// Validate lets Trino check a job's names and types without running it.
func (e *Engine) Validate(ctx context.Context, job engine.Job) error {
	const head = "EXPLAIN (TYPE VALIDATE)\n"
	_, _, err := e.client.Do(ctx, head+job.SQL, nil, Handlers{Row: func([]engine.Value) error { return nil }})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return e.explain(err, func(line, column int) (int, int) {
		if job.Place == nil {
			return line - 1, column
		}
		return job.Place(line-1, column)
	})
}

var placed = regexp.MustCompile(`^line \d+:\d+: `)

// explain makes Trino's error one of the engine's, at the place in the caller's statement.
func (e *Engine) explain(err error, place func(line, column int) (int, int)) error {
	t, ok := errors.AsType[*Error](err)
	if !ok {
		if _, known := errors.AsType[*engine.Error](err); known || err == nil {
			return err
		}
		return &engine.Error{Kind: engine.Internal, Message: "Trino, which runs the queries, could not be asked.", Err: err}
	}
	switch t.Name {
	case "CATALOG_NOT_FOUND", "SCHEMA_NOT_FOUND", "TABLE_NOT_FOUND", "ICEBERG_CATALOG_ERROR":
		return &engine.Error{Kind: engine.Internal, Message: "Trino, which runs the queries, does not find the event data store's table.", Err: err}
	case "EXCEEDED_TIME_LIMIT":
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	message := t.Message
	if t.Location != nil && placed.MatchString(message) {
		line, column := t.Location.Line, t.Location.Column
		if place != nil {
			line, column = place(line, column)
		}
		message = fmt.Sprintf("line %d:%d: %s", line, column, placed.ReplaceAllString(message, ""))
	}
	switch t.Type {
	case "USER_ERROR":
		return &engine.Error{Kind: engine.Statement, Message: message, Err: err}
	case "INSUFFICIENT_RESOURCES":
		return &engine.Error{Kind: engine.Resources, Message: message, Err: err}
	}
	return &engine.Error{Kind: engine.Internal, Message: "Trino, which runs the queries, failed.", Err: err}
}

// matched asks how many rows passed the scans' conditions; what the protocol itself says is how many were read. Trino forgets ended statements after a while,
// and may not let its users see them; then that number stands.
func (e *Engine) matched(ctx context.Context, id string, read int64) int64 {
	n, err := e.passed(ctx, id)
	if err != nil {
		e.log.Debug("Trino does not tell how many events passed a query's conditions", "query", id, "error", err)
		return read
	}
	return n
}

func (e *Engine) passed(ctx context.Context, id string) (int64, error) {
	text, _, err := e.client.once(ctx, http.MethodGet, e.client.base.JoinPath("v1", "query", id).String(), "", nil)
	if err != nil {
		return 0, err
	}
	var info struct {
		Stats struct {
			Operators []struct {
				Type string `json:"operatorType"`
				Rows int64  `json:"outputPositions"`
			} `json:"operatorSummaries"`
		} `json:"queryStats"`
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return 0, err
	}
	n, found := int64(0), false
	for _, o := range info.Stats.Operators {
		if o.Type == "TableScanOperator" || o.Type == "ScanFilterAndProjectOperator" {
			n, found = n+o.Rows, true
		}
	}
	if !found {
		return 0, errors.New("it names no scan")
	}
	return n, nil
}
