package client

import (
	"context"
	"net/http"
)

// Freeze has the server keep its state for a backup until Thaw, as long as Renew is called in time. It answers with a backup.Lease.
func (c *Client) Freeze(ctx context.Context, out any) error {
	return c.plain(ctx, http.MethodPost, "/loch/v1/backups", out)
}

// Renew keeps a frozen state for longer.
func (c *Client) Renew(ctx context.Context, id string) error {
	return c.plain(ctx, http.MethodPut, "/loch/v1/backups/"+id, &struct{}{})
}

// Thaw lets a frozen state go.
func (c *Client) Thaw(ctx context.Context, id string) error {
	return c.plain(ctx, http.MethodDelete, "/loch/v1/backups/"+id, &struct{}{})
}

// plain makes one call without a body, once.
func (c *Client) plain(ctx context.Context, method, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.Endpoint+path, nil)
	if err != nil {
		return err
	}
	return c.once(ctx, req, "cloudtrail", nil, out)
}
