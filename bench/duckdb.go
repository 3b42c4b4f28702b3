package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // the peer

	"github.com/lochlake/loch/event"
)

// duckdb reads the same files as JSON, takes every column by json_transform, and writes columns and text to one Parquet file. It does without
// hashes, days, bloom filters, identities and a durable log.
func duckdb(ctx context.Context, files []string, work string) (outcome, error) {
	var o outcome
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return o, err
	}
	defer db.Close()
	list := make([]string, len(files))
	for i, f := range files {
		list[i] = "'" + strings.ReplaceAll(f, "'", "''") + "'"
	}
	members := make([]string, 0, 40)
	for _, c := range event.Schema(event.CloudTrail).Columns {
		if c.JSON != "" {
			members = append(members, fmt.Sprintf("%q:%s", c.JSON, structure(&c)))
		}
	}
	to := filepath.Join(work, "out.parquet")
	q := fmt.Sprintf(`COPY (
		WITH texts AS (SELECT unnest(json_transform(json, '{"Records":["JSON"]}').Records) AS e
			FROM read_json_objects([%s], format = 'unstructured', maximum_object_size = 268435456))
		SELECT unnest(json_transform(e, '{%s}')), e::VARCHAR AS eventjson FROM texts
	) TO '%s' (FORMAT parquet, COMPRESSION zstd)`, strings.Join(list, ","), strings.Join(members, ","), to)
	for _, s := range []string{"SET threads = 2", "SET preserve_insertion_order = false", q} {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return o, err
		}
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*), sum(strlen(eventjson)) FROM read_parquet('"+to+"')").Scan(&o.Events, &o.JSON); err != nil {
		return o, err
	}
	o.Files, o.Out, err = written(work, ".parquet")
	return o, err
}

// structure is a column's type as json_transform takes it.
func structure(c *event.Column) string {
	switch c.Type {
	case event.Struct:
		var b strings.Builder
		for i := range c.Fields {
			fmt.Fprintf(&b, ",%q:%s", c.Fields[i].JSON, structure(&c.Fields[i]))
		}
		return "{" + b.String()[1:] + "}"
	case event.List:
		return "[" + structure(&c.Fields[0]) + "]"
	case event.Map:
		return `"MAP(VARCHAR, VARCHAR)"`
	case event.Timestamp:
		return `"TIMESTAMP"`
	case event.Boolean:
		return `"BOOLEAN"`
	}
	return `"VARCHAR"`
}
