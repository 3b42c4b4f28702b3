package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// send calls one of Loch's own endpoints with a JSON body.
func (c *Client) send(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.retry(ctx, func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, method, c.Endpoint+path, bytes.NewReader(body))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
		}
		return req, err
	}, "cloudtrail", body, out)
}

// Retention asks what goes from a store (its ARN or ID) by its retention, or by one of that many days where that is not 0.
func (c *Client) Retention(ctx context.Context, store string, days int, out any) error {
	path := "/loch/v1/stores/" + url.PathEscape(store) + "/retention"
	if days != 0 {
		path += "?days=" + strconv.Itoa(days)
	}
	return c.Get(ctx, path, out)
}

// SetRetention changes a store's retention without a grace: what is past it goes.
func (c *Client) SetRetention(ctx context.Context, store string, days int, out any) error {
	return c.send(ctx, http.MethodPut, "/loch/v1/stores/"+url.PathEscape(store)+"/retention", map[string]int{"days": days}, out)
}

// Clock asks what the server thinks of its clock.
func (c *Client) Clock(ctx context.Context, out any) error { return c.Get(ctx, "/loch/v1/clock", out) }

// ConfirmClock says that the server's clock is right: it is that day (YYYY-MM-DD, UTC).
func (c *Client) ConfirmClock(ctx context.Context, date string, out any) error {
	return c.send(ctx, http.MethodPut, "/loch/v1/clock", map[string]string{"date": date}, out)
}

// Holds lists the legal holds of a store (its ARN or ID), or of all with "".
func (c *Client) Holds(ctx context.Context, store string, out any) error {
	path := "/loch/v1/holds"
	if store != "" {
		path += "?store=" + url.QueryEscape(store)
	}
	return c.Get(ctx, path, out)
}

// PlaceHold places a legal hold.
func (c *Client) PlaceHold(ctx context.Context, in, out any) error {
	return c.send(ctx, http.MethodPost, "/loch/v1/holds", in, out)
}

// LiftHold lifts a legal hold, by its ID.
func (c *Client) LiftHold(ctx context.Context, id, reason string, out any) error {
	return c.send(ctx, http.MethodPost, "/loch/v1/holds/"+url.PathEscape(id)+"/lift", map[string]string{"reason": reason}, out)
}
