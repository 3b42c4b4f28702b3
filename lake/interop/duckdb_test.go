// Package interop holds tests that read the lake's files with engines that package lake itself must not link.
package interop

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/google/uuid"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/generate"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// DuckDB reads every column of generated events, and finds by bloom filter and statistics what lies in the files.
func TestDuckDB(t *testing.T) {
	const n = 3000
	ctx, dir := t.Context(), t.TempDir()
	db, err := meta.OpenSQLite(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	objects, err := objstore.OpenLocal(filepath.Join(dir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := lake.Open(ctx, lake.Config{Objects: objects, Meta: db})
	if err != nil {
		t.Fatal(err)
	}
	store := uuid.NewString()
	if err := db.CreateStore(ctx, meta.EventDataStore{ID: store, Name: "s", Kind: uint8(event.CloudTrail), Created: time.Now(), Updated: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := l.CreateTable(ctx, store, event.CloudTrail); err != nil {
		t.Fatal(err)
	}

	g := generate.New(generate.Options{Events: n, Seed: 7, Start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Days: 3})
	dec := event.NewDecoder()
	var rows []lake.Row
	for ev, ok := g.Next(); ok; ev, ok = g.Next() {
		r, err := dec.Decode([]byte(string(ev.Text)))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, lake.Row{Event: &r, Envelope: lake.Envelope{Writer: "w", Epoch: 1, Sequence: 1, Position: int32(len(rows)), Provenance: "p"}})
	}
	files, err := l.Write(ctx, store, rows)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(ctx, store, files, 1); err != nil {
		t.Fatal(err)
	}
	plan, err := l.Plan(ctx, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Release()
	var paths []string
	for _, f := range plan.Files {
		paths = append(paths, "'"+f.Local+"'")
	}
	duck, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer duck.Close()
	from := "read_parquet([" + strings.Join(paths, ",") + "])"
	query := func(want any, q string, args ...any) {
		t.Helper()
		var got any
		if err := duck.QueryRowContext(ctx, strings.ReplaceAll(q, "FILES", from), args...).Scan(&got); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", q, got, want)
		}
	}

	query(n, "SELECT count(*) FROM FILES")
	// What DuckDB itself takes from the exact text must be what the columns say.
	for _, c := range []struct{ column, json string }{
		{"eventid", "eventID"}, {"eventname", "eventName"}, {"requestid", "requestID"}, {"sourceipaddress", "sourceIPAddress"}, {"errorcode", "errorCode"},
		{"useridentity.arn", "userIdentity.arn"}, {"useridentity.sessioncontext.sessionissuer.username", "userIdentity.sessionContext.sessionIssuer.userName"},
		{"tlsdetails.ciphersuite", "tlsDetails.cipherSuite"}, {"readonly::VARCHAR", "readOnly"}, {"len(resources)::VARCHAR", ""},
	} {
		want := "eventjson ->> '$." + c.json + "'"
		if c.json == "" {
			want = "json_array_length(eventjson, '$.resources')::VARCHAR"
		}
		query(0, "SELECT count(*) FROM FILES WHERE "+c.column+" IS DISTINCT FROM ("+want+")")
	}
	query(0, "SELECT count(*) FROM FILES WHERE strftime(eventtime, '%Y-%m-%dT%H:%M:%SZ') <> (eventjson ->> '$.eventTime')")
	query(0, "SELECT count(*) FROM FILES WHERE (requestparameters IS NULL) <> (coalesce(json_type(eventjson, '$.requestParameters'), 'NULL') = 'NULL')")
	query(0, "SELECT count(*) FROM FILES WHERE list_sort(map_keys(requestparameters)) IS DISTINCT FROM list_sort(json_keys(eventjson, '$.requestParameters')) AND requestparameters IS NOT NULL")
	query(0, `SELECT count(*) FROM FILES WHERE resources[1].arn IS DISTINCT FROM (eventjson ->> '$.resources[0].ARN')`)
	query(n*(n-1)/2, "SELECT sum(_position)::BIGINT FROM FILES")
	query("w 1 false 1", "SELECT min(_writer) || ' ' || max(_sequence) || ' ' || bool_or(_conflict) || ' ' || max(_decoder) FROM FILES")

	// Equality on columns with bloom filters: each row is found by its own value.
	arn := event.Schema(event.CloudTrail).Must("useridentity.arn")
	for i := 0; i < n; i += 211 {
		r := rows[i].Event
		query(1, "SELECT count(*) FROM FILES WHERE eventid = ?", r.ID)
		if v, _, ok := r.Value(arn); ok {
			query(true, "SELECT count(*) > 0 FROM FILES WHERE useridentity.arn = ?", string(v))
		}
	}
	query(0, "SELECT count(*) FROM FILES WHERE eventid = 'nowhere'")
	query(true, "SELECT count(*) > 0 FROM parquet_metadata("+paths[0]+") WHERE path_in_schema = 'eventid' AND bloom_filter_offset > 0")

	// The planned ranges hold the named columns whole: nothing else of the file is needed.
	total := int64(0)
	for _, f := range plan.Files {
		ranges, err := l.Ranges(ctx, f, []string{"eventName", "useridentity"})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range ranges {
			total += r.Len
		}
	}
	if total == 0 || total > plan.Bytes/2 {
		t.Errorf("ranges of two columns take %d of %d bytes", total, plan.Bytes)
	}
}
