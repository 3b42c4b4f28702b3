package api

import (
	"context"
	"net/http"

	"github.com/lochlake/loch/redaction"
)

// Redaction asks for an event to be erased.
type Redaction struct {
	EventID string `json:"eventId"`
	Reason  string `json:"reason"`
	Confirm string `json:"confirm,omitempty"` // the event's ID again; without it nothing is erased
}

// HandleRedactions brings the endpoint that erases events. It is the root key's.
func (s *Server) HandleRedactions(service *redaction.Service) {
	s.handleSigned("POST "+StoresPath+"/{store}/redactions", ownBody, func(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
		var in Redaction
		if err := decodeJSON(r, ownBody, &in); err != nil {
			return err
		}
		if err := rootOnly(c, "Events are erased"); err != nil {
			return err
		}
		out, err := service.Erase(ctx, c.Scope, redaction.Request{Store: r.PathValue("store"), EventID: in.EventID, Reason: in.Reason, By: c.Caller.ARN, Confirm: in.Confirm})
		if err != nil {
			return err
		}
		return writeJSON(w, out)
	})
}
