package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/registry"
	"github.com/lochlake/loch/retention"
)

// Paths of Loch's own endpoints for what goes from stores and what must not.
const (
	StoresPath = "/loch/v1/stores"
	HoldsPath  = "/loch/v1/holds"
	ClockPath  = "/loch/v1/clock"
)

// ownBody bounds the bodies of those endpoints.
const ownBody = 16 << 10

// HandleRetention brings the endpoints that tell what goes from a store by its retention before it does, change the retention at once, and say what is thought of the server's clock.
func (s *Server) HandleRetention(stores *registry.Registry, r *retention.Service) {
	h := retentionHandlers{stores, r}
	s.handleSigned("GET "+StoresPath+"/{store}/retention", 0, h.view)
	s.handleSigned("PUT "+StoresPath+"/{store}/retention", ownBody, h.set)
	s.handleSigned("GET "+ClockPath, 0, h.clock)
	s.handleSigned("PUT "+ClockPath, ownBody, h.confirm)
}

type retentionHandlers struct {
	stores    *registry.Registry
	retention *retention.Service
}

func (h retentionHandlers) view(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	if err := noBody(r); err != nil {
		return err
	}
	store, err := h.stores.Store(ctx, c.Scope, r.PathValue("store"))
	if err != nil {
		return err
	}
	days := 0
	if text := r.URL.Query().Get("days"); text != "" {
		if days, err = strconv.Atoi(text); err != nil || days <= 0 {
			return awserr.New("InvalidParameterException", "The parameter days must be a number of days.")
		}
	}
	v, err := h.retention.View(ctx, store, days)
	if err != nil {
		return err
	}
	return writeJSON(w, v)
}

func (h retentionHandlers) set(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	var in struct{ Days int }
	if err := decodeJSON(r, ownBody, &in); err != nil {
		return err
	}
	v, err := h.retention.SetRetention(ctx, c.Scope, r.PathValue("store"), in.Days)
	if err != nil {
		return err
	}
	return writeJSON(w, v)
}

func (h retentionHandlers) clock(ctx context.Context, _ *Call, w http.ResponseWriter, r *http.Request) error {
	if err := noBody(r); err != nil {
		return err
	}
	now, err := h.retention.Clock(ctx)
	if err != nil {
		return err
	}
	return writeJSON(w, now)
}

func (h retentionHandlers) confirm(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	if err := rootOnly(c, "The clock is confirmed"); err != nil { // removal goes on in every account
		return err
	}
	var in struct{ Date string }
	if err := decodeJSON(r, ownBody, &in); err != nil {
		return err
	}
	now, err := h.retention.ConfirmClock(ctx, in.Date)
	if errors.Is(err, retention.ErrWrongDate) {
		return awserr.New("InvalidParameterException", "%v.", err)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, now)
}

// HandleHolds brings the endpoints of legal holds.
func (s *Server) HandleHolds(stores *registry.Registry, r *retention.Service) {
	h := holdHandlers{stores, r}
	s.handleSigned("GET "+HoldsPath, 0, h.list)
	s.handleSigned("POST "+HoldsPath, ownBody, h.place)
	s.handleSigned("POST "+HoldsPath+"/{hold}/lift", ownBody, h.lift)
}

type holdHandlers struct {
	stores    *registry.Registry
	retention *retention.Service
}

// Hold is a legal hold on the wire.
type Hold struct {
	ID         string    `json:"id"`
	Store      string    `json:"store"` // the store's ID
	From       time.Time `json:"from,omitzero"`
	To         time.Time `json:"to,omitzero"`
	Reason     string    `json:"reason"`
	Placed     time.Time `json:"placed"`
	PlacedBy   string    `json:"placedBy"`
	Lifted     time.Time `json:"lifted,omitzero"`
	LiftedBy   string    `json:"liftedBy,omitempty"`
	LiftReason string    `json:"liftReason,omitempty"`
}

func holdOf(h *meta.Hold) Hold {
	return Hold{ID: h.ID, Store: h.StoreID, From: h.From, To: h.To, Reason: h.Reason, Placed: h.Placed, PlacedBy: h.PlacedBy, Lifted: h.Lifted, LiftedBy: h.LiftedBy, LiftReason: h.LiftReason}
}

// HoldList answers GET /loch/v1/holds.
type HoldList struct {
	Holds []Hold `json:"holds"`
}

// PlaceHold asks for a hold.
type PlaceHold struct {
	Store  string    `json:"store"` // ARN or ID
	From   time.Time `json:"from,omitzero"`
	To     time.Time `json:"to,omitzero"`
	Reason string    `json:"reason"`
}

// LiftHold asks for a hold's end.
type LiftHold struct {
	Reason string `json:"reason"`
}

func (h holdHandlers) list(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	if err := noBody(r); err != nil {
		return err
	}
	holds, err := h.stores.Holds(ctx, c.Scope, r.URL.Query().Get("store"))
	if err != nil {
		return err
	}
	out := HoldList{Holds: make([]Hold, len(holds))}
	for i := range holds {
		out.Holds[i] = holdOf(&holds[i])
	}
	return writeJSON(w, out)
}

func (h holdHandlers) place(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	var in PlaceHold
	if err := decodeJSON(r, ownBody, &in); err != nil {
		return err
	}
	held, err := h.stores.PlaceHold(ctx, c.Scope, c.Caller.ARN, in.Store, in.From, in.To, in.Reason)
	if err != nil {
		return err
	}
	return writeJSON(w, holdOf(&held))
}

func (h holdHandlers) lift(ctx context.Context, c *Call, w http.ResponseWriter, r *http.Request) error {
	var in LiftHold
	if err := decodeJSON(r, ownBody, &in); err != nil {
		return err
	}
	held, err := h.stores.LiftHold(ctx, c.Scope, c.Caller.ARN, r.PathValue("hold"), in.Reason)
	if err != nil {
		return err
	}
	h.retention.Wake()
	return writeJSON(w, holdOf(&held))
}
