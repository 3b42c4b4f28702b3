package meta

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// sqliteDB keeps the metadata in one SQLite file. Writes go through one connection, so that they never wait for each
// other inside SQLite; reads have their own connections and see the last committed state (WAL).
type sqliteDB struct {
	path   string        // absolute
	turn   chan struct{} // held by the one transaction that writes
	closed chan struct{}
	writes atomic.Int64 // that were committed
	writer *sql.Conn
	wpool  *sql.DB
	rpool  *sql.DB
	wstmts stmts
	rstmts stmts
}

// preparer is a connection or a pool of them.
type preparer interface {
	PrepareContext(ctx context.Context, text string) (*sql.Stmt, error)
}

// stmts are the statements prepared so far. The texts are the program's own, so that their number is bounded.
type stmts struct {
	on preparer
	mu sync.Mutex
	m  map[string]*sql.Stmt
}

// readers bounds the connections that read.
const readers = 4

// OpenSQLite opens the metadata in the file at path, making it (mode 0600) or bringing its tables up to date first.
// It fails on a file that is another program's, and on one that a newer version of Loch wrote.
// Keeping a second server away from the file is the caller's.
func OpenSQLite(ctx context.Context, path string) (DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("metadata %s: %w", path, err)
	}
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	db := &sqliteDB{path: abs, turn: make(chan struct{}, 1), closed: make(chan struct{})}
	if err := db.connect(ctx, abs); err != nil {
		return nil, errors.Join(fmt.Errorf("metadata %s: %w", path, err), db.Close())
	}
	return db, nil
}

func (db *sqliteDB) connect(ctx context.Context, path string) (err error) {
	if db.wpool, err = open(path, "_txlock=immediate", 1); err != nil {
		return err
	}
	if db.writer, err = db.wpool.Conn(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, db.writer); err != nil {
		return err
	}
	if db.rpool, err = open(path, "_pragma=query_only(1)", readers); err != nil {
		return err
	}
	db.wstmts.on, db.rstmts.on = db.writer, db.rpool
	return nil
}

// open makes a pool of at most n connections. synchronous=FULL makes every commit durable before it returns, in WAL
// mode too (https://www.sqlite.org/pragma.html#pragma_synchronous).
func open(path, params string, n int) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + params +
		"&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// Close waits for the transaction that runs and ends the connections; SQLite merges its log into the file with the last.
func (db *sqliteDB) Close() error {
	close(db.closed)
	db.turn <- struct{}{} // and never back: nothing is written any more
	errs := []error{db.rstmts.close(), db.wstmts.close()}
	if db.rpool != nil {
		errs = append(errs, db.rpool.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.Close())
	}
	if db.wpool != nil {
		errs = append(errs, db.wpool.Close())
	}
	return errors.Join(errs...)
}

func (db *sqliteDB) Commits() int64 { return db.writes.Load() }

// CopyTo has a connection of its own, since VACUUM is refused on those that only read (https://www.sqlite.org/lang_vacuum.html).
func (db *sqliteDB) CopyTo(ctx context.Context, path string) error {
	select {
	case <-db.closed:
		return errClosed
	default:
	}
	own, err := open(db.path, "_txlock=deferred", 1)
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	_, err = own.ExecContext(ctx, "VACUUM INTO ?", path)
	if err = errors.Join(err, own.Close()); err != nil {
		return fmt.Errorf("metadata: copy to %s: %w", path, err)
	}
	return nil
}

func (p *stmts) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.m {
		errs = append(errs, s.Close())
	}
	p.m, p.on = nil, nil
	return errors.Join(errs...)
}

// get gives the prepared statement of a text.
func (p *stmts) get(ctx context.Context, text string) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.m[text]; s != nil {
		return s, nil
	}
	if p.on == nil {
		return nil, errClosed
	}
	s, err := p.on.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if p.m == nil {
		p.m = map[string]*sql.Stmt{}
	}
	p.m[text] = s
	return s, nil
}

// write runs fn in a transaction and commits; an error of fn (or its panic) rolls back; the error is returned as it is. Once begun a
// transaction is not interrupted: ctx bounds only the wait for a turn.
func (db *sqliteDB) write(ctx context.Context, fn func(tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case db.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closed:
		return errClosed
	}
	defer func() { <-db.turn }()
	t := tx{context.WithoutCancel(ctx), db}
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		// Some failures (a full disk) have rolled back already; then this one only says so.
		if _, rb := t.exec("ROLLBACK"); rb != nil && !strings.Contains(rb.Error(), "no transaction is active") {
			err = errors.Join(err, rb)
		}
	}()
	if err := fn(t); err != nil {
		return err
	}
	if _, err := t.exec("COMMIT"); err != nil {
		return err
	}
	committed = true
	db.writes.Add(1)
	return nil
}

var errClosed = errors.New("metadata: closed")

// tx is the writing transaction that runs.
type tx struct {
	ctx context.Context
	db  *sqliteDB
}

// exec runs a statement and says how many rows it changed. A taken key is ErrExists.
func (t tx) exec(text string, args ...any) (int64, error) {
	s, err := t.db.wstmts.get(t.ctx, text)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, translate(err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("metadata: %w", err)
	}
	return n, nil
}

// one changes exactly one row, or fails with ErrNotFound.
func (t tx) one(text string, args ...any) error {
	n, err := t.exec(text, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

func translate(err error) error {
	var e *sqlite.Error
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case errors.As(err, &e) && (e.Code() == sqlitelib.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY):
		return ErrExists
	}
	return fmt.Errorf("metadata: %w", err)
}

// scanner is a row to read: *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// list runs a query and collects its rows.
func list[T any](ctx context.Context, from *stmts, scan func(scanner) (T, error), text string, args ...any) ([]T, error) {
	s, err := from.get(ctx, text)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, translate(err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, translate(err)
	}
	return out, nil
}

// get reads the one row of a query; ErrNotFound where there is none.
func get[T any](ctx context.Context, from *stmts, scan func(scanner) (T, error), text string, args ...any) (T, error) {
	var zero T
	s, err := from.get(ctx, text)
	if err != nil {
		return zero, err
	}
	v, err := scan(s.QueryRowContext(ctx, args...))
	if err != nil {
		return zero, translate(err)
	}
	return v, nil
}

// stamp is a time as the tables hold it: milliseconds, NULL for the zero time.
type stamp time.Time

// Value is for database/sql.
func (s stamp) Value() (driver.Value, error) {
	if time.Time(s).IsZero() {
		return nil, nil
	}
	return time.Time(s).UnixMilli(), nil
}

// Scan is for database/sql.
func (s *stamp) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*s = stamp{}
	case int64:
		*s = stamp(time.UnixMilli(v).UTC())
	default:
		return fmt.Errorf("a time column holds %T", v)
	}
	return nil
}

// kept is t as the tables give it back.
func kept(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// texts is a list of strings as the tables hold it: a JSON array.
type texts []string

// Value is for database/sql.
func (l texts) Value() (driver.Value, error) {
	if l == nil {
		return "[]", nil
	}
	b, err := json.Marshal([]string(l))
	return string(b), err
}

// Scan is for database/sql.
func (l *texts) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a list column holds %T", v)
	}
	*l = nil
	if s == "[]" {
		return nil
	}
	return json.Unmarshal([]byte(s), (*[]string)(l))
}
