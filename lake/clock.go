package lake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// The machine's clock may step back, after a table was committed to by one that ran ahead. Iceberg wants a table's times to rise, and iceberg-go, which
// takes the machine's clock, refuses a change that comes more than a minute before the last: a table would take no events until the clock is
// there again. So a change is made on metadata whose times end now (pastTimes), and then gets the table's true times back, its own being no less
// than the last before it (trueTimes). Times of a table never go back; while the clock is behind they stand still.

// timesAhead tells whether metadata was last changed after now, by this machine's clock.
func timesAhead(m table.Metadata) bool { return m.LastUpdatedMillis() > time.Now().UnixMilli() }

// transaction begins a transaction on a table, whatever the clock does. For its length the table has the properties besides, none of which is written.
func (c *commitCatalog) transaction(base *table.Table, props iceberg.Properties) (*table.Transaction, error) {
	m := base.Metadata()
	if timesAhead(m) {
		var err error
		if m, err = pastTimes(m); err != nil {
			return nil, err
		}
	}
	if len(props) > 0 {
		b, err := table.MetadataBuilderFromBase(m, "")
		if err != nil {
			return nil, err
		}
		if err := b.SetProperties(props); err != nil {
			return nil, err
		}
		if m, err = b.Build(); err != nil {
			return nil, err
		}
	}
	return c.table(m, base.MetadataLocation()).NewTransaction(), nil
}

// change applies updates to the metadata that lies at a location.
func change(m table.Metadata, location string, updates []table.Update) (table.Metadata, error) {
	if timesAhead(m) {
		past, err := pastTimes(m)
		if err != nil {
			return nil, err
		}
		next, err := table.UpdateTableMetadata(past, updates, location)
		if err != nil {
			return nil, err
		}
		return trueTimes(m, next)
	}
	next, err := table.UpdateTableMetadata(m, updates, location)
	if err != nil {
		return nil, err
	}
	// Snapshots hold pointers into the metadata they were built from, and so every generation of a table in memory: build it anew.
	fresh, err := table.MetadataBuilderFromBase(next, "")
	if err != nil {
		return nil, err
	}
	return fresh.Build()
}

// pastTimes is metadata with every time that is still to come made now.
func pastTimes(m table.Metadata) (table.Metadata, error) {
	now := time.Now().UnixMilli()
	return withTimes(m, func(_ string, at int64) int64 { return min(at, now) })
}

// trueTimes is what became of a table's metadata by a change that was made on its pastTimes, with the times that base has for all that it knows.
func trueTimes(base, next table.Metadata) (table.Metadata, error) {
	known := map[string]int64{}
	if _, err := withTimes(base, func(what string, at int64) int64 {
		known[what] = at
		return at
	}); err != nil {
		return nil, err
	}
	last := base.LastUpdatedMillis()
	delete(known, lastUpdated) // it is the change's
	return withTimes(next, func(what string, at int64) int64 {
		if was, ok := known[what]; ok {
			return was
		}
		return max(at, last)
	})
}

const (
	lastUpdated = "last-updated-ms"
	timestamp   = "timestamp-ms"
)

// withTimes is metadata with the times that fn gives, which is told what each is of. The fields are those of Iceberg's table metadata, format version 2.
func withTimes(m table.Metadata, fn func(what string, at int64) int64) (table.Metadata, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	set := func(in map[string]any, field, what string) {
		if n, ok := in[field].(json.Number); ok && err == nil {
			var at int64
			if at, err = n.Int64(); err == nil {
				in[field] = fn(what, at)
			}
		}
	}
	set(doc, lastUpdated, lastUpdated)
	for list, name := range map[string]string{"snapshots": "snapshot-id", "snapshot-log": "snapshot-id", "metadata-log": "metadata-file"} {
		entries, _ := doc[list].([]any) // an empty list may be left out
		for _, e := range entries {
			if entry, ok := e.(map[string]any); ok {
				set(entry, timestamp, fmt.Sprint(list, " ", entry[name]))
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("times of table metadata: %w", err)
	}
	if text, err = json.Marshal(doc); err != nil {
		return nil, err
	}
	return table.ParseMetadataBytes(text)
}
