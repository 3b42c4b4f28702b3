package differential

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/differential/trinotest"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/imports/streamer"
	"github.com/lochlake/loch/server"
)

// lake is a running Loch with a store of each schema, filled with the same events every time.
type lake struct {
	cfg    server.Config
	srv    *server.Server
	client *client.Client
}

// openLake starts a server in a fresh folder and fills it. It ends with the test.
func openLake(t *testing.T, cfg server.Config) *lake {
	t.Helper()
	cfg.Dir, cfg.CommitInterval = t.TempDir(), 100*time.Millisecond
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	l := &lake{cfg: cfg}
	l.start(t)
	t.Cleanup(func() { l.stop(t) })
	for _, s := range tableStores {
		l.fill(t, s.name, s.category, tableEvents(s.kind))
	}
	if err := l.srv.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lake) start(t *testing.T) {
	t.Helper()
	var err error
	if l.srv, err = server.Open(t.Context(), l.cfg); err != nil {
		t.Fatal(err)
	}
	if l.client, err = l.srv.Client(); err != nil {
		t.Fatal(err)
	}
	l.cfg.Listen = strings.TrimPrefix(l.srv.URL(), "http://")
}

func (l *lake) stop(t *testing.T) {
	t.Helper()
	if l.srv == nil {
		return
	}
	if err := l.srv.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	l.srv = nil
}

// fill makes a store and imports events into it.
func (l *lake) fill(t *testing.T, name, category string, events []json.RawMessage) {
	t.Helper()
	yes, days, field := true, int32(3653), "eventCategory"
	selectors := []model.AdvancedEventSelector{{FieldSelectors: []model.AdvancedFieldSelector{{Field: &field, Equals: []string{category}}}}}
	var made model.CreateEventDataStoreResponse
	in := model.CreateEventDataStoreRequest{Name: &name, AdvancedEventSelectors: selectors, RetentionPeriod: &days}
	in.OrganizationEnabled = &yes
	if err := l.client.Call(t.Context(), "CreateEventDataStore", in, &made); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"Records": events})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "events.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	sum, err := streamer.Run(t.Context(), streamer.Config{Endpoint: l.client.Endpoint, Region: l.client.Region, Credentials: l.client.Credentials}, streamer.Options{Sources: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Counts.Bad+sum.Counts.Expired+int64(len(sum.Failures)) > 0 || sum.Counts.Stored == 0 {
		t.Fatalf("%s: %+v", name, sum)
	}
}

// ask runs a statement through the API: rows as GetQueryResults gives them, and the types that stand in the file of results. The error is ours.
func (l *lake) ask(ctx context.Context, s *statement) (*recording, error) {
	r := &recording{Statement: s.Text, Ordered: s.Order}
	var started model.StartQueryResponse
	err := l.client.Call(ctx, "StartQuery", model.StartQueryRequest{QueryStatement: &s.Text}, &started)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status < 500 {
		r.Error, r.Message = "REFUSED", e.Message
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		var d model.DescribeQueryResponse
		if err := l.client.Call(ctx, "DescribeQuery", model.DescribeQueryRequest{QueryId: started.QueryId}, &d); err != nil {
			return nil, err
		}
		if status := *d.QueryStatus; status == "FINISHED" {
			break
		} else if status != "QUEUED" && status != "RUNNING" {
			r.Error, r.Message = status, *d.ErrorMessage
			return r, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
	if r.Columns, err = l.columns(*started.QueryId); err != nil {
		return nil, err
	}
	for in := (model.GetQueryResultsRequest{QueryId: started.QueryId}); ; {
		var page struct {
			QueryResultRows [][]map[string]*string
			NextToken       *string
		}
		if err := l.client.Call(ctx, "GetQueryResults", in, &page); err != nil {
			return nil, err
		}
		for _, cells := range page.QueryResultRows {
			row := make([]*string, len(cells))
			for i, cell := range cells {
				v, ok := cell[r.Columns[i].Name]
				if !ok || len(cell) != 1 {
					return nil, fmt.Errorf("column %d of the rows is %v, in the file it is %s", i, cell, r.Columns[i].Name)
				}
				row[i] = v
			}
			r.Rows = append(r.Rows, row)
		}
		if page.NextToken == nil {
			return r, nil
		}
		in.NextToken = page.NextToken
	}
}

// columns reads the head of a file of results, as docs/formats.md has it.
func (l *lake) columns(id string) ([]trinotest.Column, error) {
	text, err := os.ReadFile(filepath.Join(l.cfg.Dir, "results", id+".rows"))
	if err != nil {
		return nil, err
	}
	var columns []trinotest.Column
	return columns, json.Unmarshal(text[16:16+binary.LittleEndian.Uint32(text[8:])], &columns)
}

// TestLakeHasEveryKind: the events that statements over tables read are of all five schemas.
func TestLakeHasEveryKind(t *testing.T) {
	kinds := map[event.Kind]bool{}
	for _, s := range tableStores {
		if len(tableEvents(s.kind)) < 50 {
			t.Errorf("%s has %d events", s.name, len(tableEvents(s.kind)))
		}
		kinds[s.kind] = true
	}
	for _, k := range event.Kinds() {
		if !kinds[k] {
			t.Errorf("no store of kind %d", k)
		}
	}
}
