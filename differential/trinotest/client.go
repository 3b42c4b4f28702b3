package trinotest

import (
	"context"
	"errors"
	"net/url"

	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/engine/trino"
)

// Column is one column of an answer with its type as Trino writes it.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Answer is what a statement gave: rows in text form, nil for NULL.
type Answer struct {
	Columns []Column
	Rows    [][]*string
}

// Error is why a statement failed.
type Error struct {
	Name    string // Trino's, for example COLUMN_NOT_FOUND
	Message string // with "line 1:8: " where it has a place
}

// Error gives name and message.
func (e *Error) Error() string { return e.Name + ": " + e.Message }

func newClient(at string) (*trino.Client, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	return trino.NewClient(u, "loch-differential")
}

// Query runs a statement. An error of the statement itself is an *Error.
func (s *Server) Query(ctx context.Context, sql string) (*Answer, error) {
	a := &Answer{}
	_, _, err := s.client.Do(ctx, sql, nil, trino.Handlers{
		Columns: func(columns []engine.Column) error {
			for _, c := range columns {
				a.Columns = append(a.Columns, Column{c.Name, c.Type})
			}
			return nil
		},
		Row: func(values []engine.Value) error {
			row := make([]*string, len(values))
			for i, v := range values {
				if !v.Null {
					text := string(v.Text)
					row[i] = &text
				}
			}
			a.Rows = append(a.Rows, row)
			return nil
		},
	})
	if e, ok := errors.AsType[*trino.Error](err); ok {
		return nil, &Error{e.Name, e.Message}
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}
