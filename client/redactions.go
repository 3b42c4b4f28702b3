package client

import (
	"context"
	"net/http"
	"net/url"
)

// Redact asks for an event of a store (its name, ARN or ID) to be erased; unless confirm is the event's ID, what would be erased.
func (c *Client) Redact(ctx context.Context, store, eventID, reason, confirm string, out any) error {
	return c.send(ctx, http.MethodPost, "/loch/v1/stores/"+url.PathEscape(store)+"/redactions", map[string]string{"eventId": eventID, "reason": reason, "confirm": confirm}, out)
}
