package meta

import (
	"context"
	"errors"
	"strings"
	"time"
)

// table describes how values of a type lie in a table whose first columns are id, account and region.
type table[T any] struct {
	name    string
	columns string         // separated by ", "
	fields  func(*T) []any // pointers in the columns' order: Scan fills them, statements read them
}

// settled gives the fields with the times as the table will give them back.
func (t table[T]) settled(v *T) []any {
	fields := t.fields(v)
	for _, f := range fields {
		if s, ok := f.(*stamp); ok {
			*s = stamp(kept(time.Time(*s)))
		}
	}
	return fields
}

func (t table[T]) scan(r scanner) (v T, err error) {
	return v, r.Scan(t.fields(&v)...)
}

func (t table[T]) get(ctx context.Context, from *stmts, id string) (T, error) {
	return get(ctx, from, t.scan, "SELECT "+t.columns+" FROM "+t.name+" WHERE id = ?", id)
}

func (t table[T]) insert(x tx, v T) error {
	marks := strings.Repeat("?, ", strings.Count(t.columns, ",")) + "?"
	_, err := x.exec("INSERT INTO "+t.name+" ("+t.columns+") VALUES ("+marks+")", t.settled(&v)...)
	return err
}

func (t table[T]) create(ctx context.Context, db *sqliteDB, v T) error {
	return db.write(ctx, func(x tx) error { return t.insert(x, v) })
}

// change reads the row with the ID, lets fn edit it, and writes it back.
func (t table[T]) change(x tx, id string, fn func(*T) error) (v T, err error) {
	if v, err = t.get(x.ctx, &x.db.wstmts, id); err != nil {
		return v, err
	}
	before := t.identity(&v)
	if err := fn(&v); err != nil {
		return v, err
	}
	if t.identity(&v) != before {
		return v, errors.New("metadata: the ID, account and region of a row in " + t.name + " cannot change")
	}
	sets := strings.ReplaceAll(t.columns, ",", " = ?,") + " = ?"
	return v, x.one("UPDATE "+t.name+" SET "+sets+" WHERE id = ?", append(t.settled(&v), id)...)
}

func (t table[T]) identity(v *T) (id [3]string) {
	for i, f := range t.fields(v)[:3] {
		id[i] = *f.(*string)
	}
	return id
}

func (t table[T]) update(ctx context.Context, db *sqliteDB, id string, fn func(*T) error) (v T, err error) {
	err = db.write(ctx, func(x tx) (err error) {
		v, err = t.change(x, id, fn)
		return err
	})
	return v, err
}

var stores = table[EventDataStore]{
	name: "stores",
	columns: "id, account, region, name, status, kind, multi_region, organization, retention_days, billing_mode, " +
		"termination_protection, selectors, created, updated, delete_after, status_before, internal, federation_status, federation_role, remove_after",
	fields: func(s *EventDataStore) []any {
		return []any{&s.ID, &s.Account, &s.Region, &s.Name, &s.Status, &s.Kind, &s.MultiRegion, &s.Organization,
			&s.RetentionDays, &s.BillingMode, &s.TerminationProtection, &s.Selectors, (*stamp)(&s.Created),
			(*stamp)(&s.Updated), (*stamp)(&s.DeleteAfter), &s.StatusBefore, &s.Internal, &s.FederationStatus, &s.FederationRoleArn, (*stamp)(&s.RemoveAfter)}
	},
}

var channels = table[Channel]{
	name:    "channels",
	columns: "id, account, region, name, source, destinations, ingestion, created, updated",
	fields: func(c *Channel) []any {
		return []any{&c.ID, &c.Account, &c.Region, &c.Name, &c.Source, &c.Destinations, &c.Ingestion, (*stamp)(&c.Created),
			(*stamp)(&c.Updated)}
	},
}

var imports = table[Import]{
	name: "imports",
	columns: "id, account, region, stores, source, status, start_time, end_time, created, updated, cursor, " +
		"prefixes_found, prefixes_done, files, files_known, bytes, events_read, events_stored, events_known, " +
		"events_filtered, events_expired, events_bad, events_foreign, events_conflict, failed",
	fields: func(i *Import) []any {
		c := &i.Counts
		return []any{&i.ID, &i.Account, &i.Region, (*texts)(&i.Stores), &i.Source, &i.Status, (*stamp)(&i.StartTime),
			(*stamp)(&i.EndTime), (*stamp)(&i.Created), (*stamp)(&i.Updated), &i.Cursor,
			&i.PrefixesFound, &i.PrefixesDone, &i.Files, &i.FilesKnown, &i.Bytes, &c.Read, &c.Stored, &c.Known,
			&c.Filtered, &c.Expired, &c.Bad, &c.Foreign, &c.Conflict, &i.Failed}
	},
}

var queries = table[Query]{
	name: "queries",
	columns: "id, account, region, stores, sql, alias, status, error, delivery_uri, delivery, principal, created, " +
		"ended, execution, result_rows, scanned, matched, bytes_scanned, parameters",
	fields: func(q *Query) []any {
		return []any{&q.ID, &q.Account, &q.Region, (*texts)(&q.Stores), &q.SQL, &q.Alias, &q.Status, &q.Error,
			&q.DeliveryURI, &q.Delivery, &q.Principal, (*stamp)(&q.Created), (*stamp)(&q.Ended), &q.Execution,
			&q.Rows, &q.Scanned, &q.Matched, &q.BytesScanned, (*texts)(&q.Parameters)}
	},
}
