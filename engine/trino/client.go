// Package trino runs statements on a Trino beside Loch, over its client protocol ("Trino client REST API" in its documentation).
package trino

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/lochlake/loch/engine"
)

// Client asks one Trino. It is safe for many goroutines.
type Client struct {
	base     *url.URL // without user and path
	user     string
	password string
	source   string
	http     *http.Client
}

const (
	// cancelTime bounds how long a statement's end may take to tell Trino.
	cancelTime = 5 * time.Second
	// startTime is how long a statement that is cancelled as it starts may take to be known by its name.
	startTime = 500 * time.Millisecond
	// maxPage bounds one answer of the protocol, in bytes. Trino ends a page at 16 MB or with the row that passes it.
	maxPage = 256 << 20
	// tries is how often a request is repeated that found no Trino, or one that is starting or overloaded.
	tries = 20
)

// NewClient makes a client of the Trino at a URL: http or https, a host, the user (and, with https, a password) before it. source is how the statements are
// marked in Trino's own lists.
func NewClient(u *url.URL, source string) (*Client, error) {
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s is no URL of a Trino: http://user@host:port", u.Redacted())
	}
	c := &Client{base: &url.URL{Scheme: u.Scheme, Host: u.Host}, user: "loch", source: source, http: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}}
	if u.User != nil {
		c.user = u.User.Username()
		c.password, _ = u.User.Password()
	}
	if c.password != "" && u.Scheme != "https" {
		return nil, errors.New("a password goes to Trino over https alone")
	}
	return c, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// page is one answer of the protocol.
type page struct {
	ID      string `json:"id"`
	NextURI string `json:"nextUri"`
	Columns []struct {
		Name          string    `json:"name"`
		Type          string    `json:"type"`
		TypeSignature signature `json:"typeSignature"`
	} `json:"columns"`
	Data  [][]json.RawMessage `json:"data"`
	Error *Error              `json:"error"`
	Stats struct {
		PhysicalInputBytes int64 `json:"physicalInputBytes"`
		ProcessedRows      int64 `json:"processedRows"`
	} `json:"stats"`
}

// Error is why Trino did not answer a statement.
type Error struct {
	Message  string `json:"message"`   // with "line 1:8: " before it where it has a place
	Name     string `json:"errorName"` // for example COLUMN_NOT_FOUND
	Type     string `json:"errorType"` // USER_ERROR, INTERNAL_ERROR, INSUFFICIENT_RESOURCES, EXTERNAL
	Location *struct {
		Line   int `json:"lineNumber"`
		Column int `json:"columnNumber"`
	} `json:"errorLocation"`
}

// Error gives name and message.
func (e *Error) Error() string { return e.Name + ": " + e.Message }

// Handlers take what a statement gives, each as it comes; nil ones are not told.
type Handlers struct {
	Columns  func([]engine.Column) error // once, before the first row
	Row      func([]engine.Value) error  // the slice and the texts are used again
	Progress func(engine.Stats)
}

// Do runs a statement. An error of Trino's is an *Error. When ctx ends, so does the statement; nothing of it runs on. settings are session properties.
func (c *Client) Do(ctx context.Context, sql string, settings map[string]string, h Handlers) (id string, stats engine.Stats, err error) {
	next := ""
	defer func() {
		if next != "" && err != nil {
			err = errors.Join(err, c.cancel(ctx, next))
		}
	}()
	p, err := c.start(ctx, sql, settings)
	told := false
	var types []signature
	var row []engine.Value
	for {
		if err != nil {
			return id, stats, err
		}
		id, next = p.ID, p.NextURI
		stats.BytesScanned, stats.RowsMatched = p.Stats.PhysicalInputBytes, p.Stats.ProcessedRows
		if h.Progress != nil {
			h.Progress(stats)
		}
		if p.Error != nil {
			next = "" // it has ended
			return id, stats, p.Error
		}
		if p.Columns != nil && !told {
			told = true
			columns := make([]engine.Column, len(p.Columns))
			types, row = make([]signature, len(p.Columns)), make([]engine.Value, len(p.Columns))
			for i, col := range p.Columns {
				columns[i], types[i] = engine.Column{Name: col.Name, Type: typeText(col.Type)}, col.TypeSignature
			}
			if h.Columns != nil {
				if err = h.Columns(columns); err != nil {
					return id, stats, err
				}
			}
		}
		for _, raw := range p.Data {
			if err = rowText(types, raw, row); err != nil {
				return id, stats, err
			}
			if err = h.Row(row); err != nil {
				return id, stats, err
			}
		}
		if next == "" {
			return id, stats, nil
		}
		if err = ctx.Err(); err != nil {
			return id, stats, err
		}
		p, err = c.call(ctx, http.MethodGet, next, "", nil)
	}
}

// start hands Trino a statement. One that is cancelled meanwhile is waited for a little, since only its answer tells how it is ended.
func (c *Client) start(ctx context.Context, sql string, settings map[string]string) (*page, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	patient, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	over := make(chan struct{})
	defer close(over)
	wg.Go(func() {
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		select {
		case <-over:
		case <-time.After(startTime):
			stop()
		}
	})
	return c.call(patient, http.MethodPost, c.base.JoinPath("v1", "statement").String(), sql, settings)
}

func rowText(types []signature, raw []json.RawMessage, row []engine.Value) error {
	if len(raw) != len(types) {
		return fmt.Errorf("a row of %d values under %d columns", len(raw), len(types))
	}
	for i, v := range raw {
		if row[i] = (engine.Value{Null: true}); string(v) == "null" {
			continue
		}
		var b strings.Builder
		if err := types[i].text(&b, v); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
		row[i] = engine.Value{Text: []byte(b.String())}
	}
	return nil
}

// cancel ends a statement that runs.
func (c *Client) cancel(ctx context.Context, next string) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer stop()
	req, err := c.request(ctx, http.MethodDelete, next, "", nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("cancel a statement of Trino: %w", err)
	}
	if resp.StatusCode >= 300 {
		err = fmt.Errorf("cancel a statement of Trino: %s", resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}

func (c *Client) request(ctx context.Context, method, at, body string, settings map[string]string) (*http.Request, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	if u.Scheme != c.base.Scheme || u.Host != c.base.Host {
		return nil, fmt.Errorf("Trino at %s sends its client on to %s: set http-server.process-forwarded, or name that address", c.base.Host, u.Host)
	}
	req, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Trino-User", c.user)
	req.Header.Set("X-Trino-Source", c.source)
	req.Header.Set("X-Trino-Time-Zone", "UTC")
	req.Header.Set("X-Trino-Language", "en-US")
	// Without it timestamps come as those of old: three digits, whatever their type.
	req.Header.Set("X-Trino-Client-Capabilities", "PARAMETRIC_DATETIME")
	for name, value := range settings {
		req.Header.Add("X-Trino-Session", name+"="+url.QueryEscape(value))
	}
	if c.password != "" {
		req.SetBasicAuth(c.user, c.password)
	}
	return req, nil
}

// call makes one request, again where the server asks for that.
func (c *Client) call(ctx context.Context, method, at, body string, settings map[string]string) (*page, error) {
	for n := 1; ; n++ {
		text, again, err := c.once(ctx, method, at, body, settings)
		if err == nil {
			p := &page{}
			if err := json.NewDecoder(bytes.NewReader(text)).Decode(p); err != nil {
				return nil, fmt.Errorf("an answer of Trino: %w", err)
			}
			return p, nil
		}
		if !again || n == tries {
			return nil, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// once makes one request; again tells whether it may be made once more: never where Trino could have taken a statement.
func (c *Client) once(ctx context.Context, method, at, body string, settings map[string]string) (text []byte, again bool, err error) {
	req, err := c.request(ctx, method, at, body, settings)
	if err != nil {
		return nil, false, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, method == http.MethodGet && ctx.Err() == nil, err
	}
	text, err = io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, method == http.MethodGet && ctx.Err() == nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if len(text) > maxPage {
			return nil, false, errRows
		}
		return text, false, nil
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return nil, true, fmt.Errorf("Trino answers %s", resp.Status)
	}
	return nil, false, fmt.Errorf("%s %s: %s: %.300s", method, c.base.Host, resp.Status, text)
}

// errRows: rows of the answer are larger than a client can hold.
var errRows = &engine.Error{Kind: engine.Resources, Message: "A row of the answer is too large."}
