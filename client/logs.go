package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/lochlake/loch/objstore"
)

// Logs is a server's transparency logs as an object store that can only be read, under the keys that they have there (logs/ID/…).
type Logs struct {
	objstore.Store // nil: there is nothing else
	Client         *Client
}

// Get reads a whole object of a log; off must be 0 and n negative.
func (l *Logs) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if off != 0 || n >= 0 {
		return nil, errors.New("objects of a log are read whole")
	}
	return l.Client.Fetch(ctx, "/loch/v1/"+key, 0)
}

// Fetch asks once for something that is no JSON, from an offset on. What is not there is objstore.ErrNotExist.
func (c *Client) Fetch(ctx context.Context, path string, from int64) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Endpoint+path, nil)
	if err != nil {
		return nil, err
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // the SHA-256 of no body
	if err := c.Sign(ctx, req, "cloudtrail", nothing); err != nil {
		return nil, err
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, Unreachable(c.Endpoint, err)
	}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil, errors.Join(fmt.Errorf("%s: %w", path, objstore.ErrNotExist), resp.Body.Close())
	case resp.StatusCode >= 300:
		defer resp.Body.Close()
		return nil, readError(resp)
	case from > 0 && (resp.StatusCode != http.StatusPartialContent || !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from))):
		return nil, errors.Join(fmt.Errorf("%s: asked for what follows byte %d, the server answers with something else", path, from), resp.Body.Close())
	}
	return resp.Body, nil
}

// PublicProofKey asks for the key that signs the server's logs, in base64. Who verifies by it trusts the server for it: note it where the server can't change it.
func (c *Client) PublicProofKey(ctx context.Context) (string, error) {
	in, err := c.Fetch(ctx, "/loch/v1/logs/key", 0)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(in, 1<<10))
	return strings.TrimSpace(string(b)), errors.Join(err, in.Close())
}

// Proof asks for the proof of an event of a store, by its ID.
func (c *Client) Proof(ctx context.Context, storeID, eventID string, out any) error {
	return c.Get(ctx, "/loch/v1/logs/"+url.PathEscape(storeID)+"/proof?event="+url.QueryEscape(eventID), out)
}
