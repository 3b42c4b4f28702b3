package meta

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// migrations are numbered from 1 without gaps: 0001_name.sql. A published one never changes.
//
//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks a SQLite file as Loch's metadata ("Loch" in ASCII).
const applicationID = 0x4c6f6368

// ErrNewer: the metadata was written by a newer version of Loch, whose tables this one does not know.
var ErrNewer = errors.New("the metadata is of a newer version of Loch")

// migrate brings the tables to the newest version, each step in a transaction of its own.
func migrate(ctx context.Context, c *sql.Conn) error {
	steps, err := readMigrations(migrations)
	if err != nil {
		return err
	}
	return migrateTo(ctx, c, steps)
}

func migrateTo(ctx context.Context, c *sql.Conn, steps []string) error {
	var version, app, tables int
	if err := c.QueryRowContext(ctx, "SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)").
		Scan(&version, &app, &tables); err != nil {
		return err
	}
	if app != applicationID && (app != 0 || tables > 0) {
		return errors.New("the file is a SQLite database of another program")
	}
	if version > len(steps) {
		return fmt.Errorf("%w: its tables are version %d, this program knows up to version %d", ErrNewer, version, len(steps))
	}
	for n := version; n < len(steps); n++ {
		if err := step(ctx, c, n+1, steps[n]); err != nil {
			return fmt.Errorf("migration %d: %w", n+1, err)
		}
	}
	return nil
}

func step(ctx context.Context, c *sql.Conn, number int, text string) error {
	t, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback() //nolint:errcheck // after Commit it does nothing; before it, the error that led here counts
	// Pragmas take no parameters; both are part of the transaction.
	text += fmt.Sprintf(";\nPRAGMA user_version = %d; PRAGMA application_id = %d", number, applicationID)
	if _, err := t.ExecContext(ctx, text); err != nil {
		return err
	}
	return t.Commit()
}

// readMigrations gives the texts of the migrations in order.
func readMigrations(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	steps := make([]string, 0, len(names))
	for i, name := range names { // Glob sorts
		number, _, _ := strings.Cut(strings.TrimPrefix(name, "migrations/"), "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("%s is not migration %d", name, i+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, string(text))
	}
	return steps, nil
}
