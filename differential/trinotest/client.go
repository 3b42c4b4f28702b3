package trinotest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
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

// page is one answer of the client protocol ("Trino client REST API" in its documentation).
type page struct {
	NextURI string `json:"nextUri"`
	Columns []struct {
		Name          string    `json:"name"`
		Type          string    `json:"type"`
		TypeSignature signature `json:"typeSignature"`
	} `json:"columns"`
	Data  [][]json.RawMessage `json:"data"`
	Error *struct {
		Message       string `json:"message"`
		ErrorName     string `json:"errorName"`
		ErrorLocation *struct {
			LineNumber, ColumnNumber int
		} `json:"errorLocation"`
	} `json:"error"`
}

// Query runs a statement. An error of the statement itself is an *Error.
func (s *Server) Query(ctx context.Context, sql string) (*Answer, error) {
	p, err := s.call(ctx, http.MethodPost, s.URL+"/v1/statement", sql)
	if err != nil {
		return nil, err
	}
	a := &Answer{}
	var types []signature
	for {
		if p.Error != nil {
			return nil, &Error{p.Error.ErrorName, p.Error.Message}
		}
		if a.Columns == nil {
			for _, c := range p.Columns {
				a.Columns = append(a.Columns, Column{c.Name, typeText(c.Type)})
				types = append(types, c.TypeSignature)
			}
		}
		for _, raw := range p.Data {
			row, err := rowText(types, raw)
			if err != nil {
				return nil, err
			}
			a.Rows = append(a.Rows, row)
		}
		if p.NextURI == "" {
			return a, nil
		}
		if p, err = s.call(ctx, http.MethodGet, p.NextURI, ""); err != nil {
			return nil, err
		}
	}
}

var decimalType = regexp.MustCompile(`decimal\((\d+), (\d+)\)`)

// typeText writes a type as Trino's typeof does, where the client protocol has forms of its own.
func typeText(s string) string {
	s = decimalType.ReplaceAllString(s, "decimal($1,$2)")
	s = strings.ReplaceAll(s, "INTERVAL DAY TO SECOND", "interval day to second")
	return strings.ReplaceAll(s, "INTERVAL YEAR TO MONTH", "interval year to month")
}

func rowText(types []signature, raw []json.RawMessage) ([]*string, error) {
	if len(raw) != len(types) {
		return nil, fmt.Errorf("a row of %d values under %d columns", len(raw), len(types))
	}
	row := make([]*string, len(raw))
	for i, v := range raw {
		if string(v) == "null" {
			continue
		}
		var b strings.Builder
		if err := types[i].text(&b, v); err != nil {
			return nil, fmt.Errorf("column %d: %s: %w", i+1, v, err)
		}
		text := b.String()
		row[i] = &text
	}
	return row, nil
}

// call makes one request, again where the server asks for that.
func (s *Server) call(ctx context.Context, method, url, body string) (*page, error) {
	for {
		req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("X-Trino-User", "loch")
		req.Header.Set("X-Trino-Source", "loch-differential")
		req.Header.Set("X-Trino-Time-Zone", "UTC")
		req.Header.Set("X-Trino-Language", "en-US")
		// Without it timestamps come as those of old: three digits, whatever their type.
		req.Header.Set("X-Trino-Client-Capabilities", "PARAMETRIC_DATETIME")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
		switch resp.StatusCode {
		case http.StatusOK:
			p := &page{}
			return p, json.NewDecoder(bytes.NewReader(text)).Decode(p)
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		default:
			return nil, fmt.Errorf("%s %s: %s: %.300s", method, url, resp.Status, text)
		}
	}
}
