package meta

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ARN is the store's name in the API.
func (s *EventDataStore) ARN() string { return s.Scope.arn("eventdatastore", s.ID) }

// ARN is the channel's name in the API.
func (c *Channel) ARN() string { return c.Scope.arn("channel", c.ID) }

func (sc Scope) arn(kind, id string) string {
	return "arn:aws:cloudtrail:" + sc.Region + ":" + sc.Account + ":" + kind + "/" + id
}

// Position names a place in a list for the parameter "after" of DB's listing methods: behind the row of that time of
// creation and ID, whether it still exists or not.
func Position(created time.Time, id string) string {
	return strconv.FormatInt(created.UnixMilli(), 10) + ":" + id
}

// pages is a query for one page of a table's rows.
type pages struct {
	table, columns string
	where          []string
	args           []any
}

func (p *pages) and(cond string, args ...any) {
	p.where, p.args = append(p.where, cond), append(p.args, args...)
}

func (p *pages) scope(sc Scope) {
	if sc != (Scope{}) {
		p.and("account = ? AND region = ?", sc.Account, sc.Region)
	}
}

// position resolves after: a Position, or the ID of a row, which must still be there (ErrNotFound).
func (p *pages) position(ctx context.Context, db *sqliteDB, after string, newestFirst bool) error {
	if after == "" {
		return nil
	}
	var created int64
	ms, id, ok := strings.Cut(after, ":")
	if ok {
		var err error
		if created, err = strconv.ParseInt(ms, 10, 64); err != nil {
			return fmt.Errorf("metadata: %q is no place in a list: %w", after, err)
		}
	} else {
		id = after
		var err error
		created, err = get(ctx, &db.rstmts, func(r scanner) (n int64, err error) { return n, r.Scan(&n) },
			"SELECT created FROM "+p.table+" WHERE id = ?", id)
		if err != nil {
			return err
		}
	}
	if newestFirst {
		p.and("(created, id) < (?, ?)", created, id)
	} else {
		p.and("(created, id) > (?, ?)", created, id)
	}
	return nil
}

func (p *pages) text(newestFirst bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT %s FROM %s", p.columns, p.table)
	for i, w := range p.where {
		b.WriteString([]string{" WHERE ", " AND "}[min(i, 1)])
		b.WriteString(w)
	}
	if newestFirst {
		b.WriteString(" ORDER BY created DESC, id DESC LIMIT ?")
	} else {
		b.WriteString(" ORDER BY created, id LIMIT ?")
	}
	return b.String()
}

func page[T any](ctx context.Context, db *sqliteDB, p pages, after string, limit int, newestFirst bool, scan func(scanner) (T, error)) ([]T, error) {
	if err := p.position(ctx, db, after, newestFirst); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = -1
	}
	return list(ctx, &db.rstmts, scan, p.text(newestFirst), append(p.args, limit)...)
}
