package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lochlake/loch/api"
)

type holdCmd struct {
	Add  holdAddCmd  `cmd:"" help:"Hold a store, or a range of event time in it."`
	List holdListCmd `cmd:"" help:"List the holds that are not lifted."`
	Lift holdLiftCmd `cmd:"" help:"Lift a hold: what is due then goes."`
}

type holdAddCmd struct {
	Store  string `arg:"" help:"The event data store: its name, ARN or ID."`
	Reason string `help:"Why; it stands in the store's transparency log." required:"" placeholder:"TEXT"`
	From   string `help:"Hold events from that eventTime on: a day (2026-01-31) or an instant (2026-01-31T10:00:00Z). Default: from the first." placeholder:"TIME"`
	To     string `help:"Hold events up to that eventTime: a day, which is held whole, or an instant, which is the first that is not held. Default: for good." placeholder:"TIME"`
	JSON   bool   `name:"json" help:"Print the hold as JSON."`
	remote
}

// eventTime reads a day or an instant; last: the end of the day.
func eventTime(flag, text string, last bool) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		if last {
			day = day.AddDate(0, 0, 1)
		}
		return day, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, fmt.Errorf("%s %q is neither a day such as 2026-01-31 nor an instant such as 2026-01-31T10:00:00Z", flag, text)
	}
	return at, nil
}

// Validate refuses times that cannot be read, and a range that holds none.
func (h *holdAddCmd) Validate() error {
	from, to, err := h.span()
	if err == nil && !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return errors.New("--from is after --to: the range holds no time")
	}
	return err
}

func (h *holdAddCmd) span() (from, to time.Time, err error) {
	if from, err = eventTime("--from", h.From, false); err != nil {
		return from, to, err
	}
	to, err = eventTime("--to", h.To, true)
	return from, to, err
}

// Run places the hold.
func (h *holdAddCmd) Run(ctx context.Context) error {
	in := api.PlaceHold{Reason: h.Reason}
	var err error
	if in.From, in.To, err = h.span(); err != nil {
		return err
	}
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	if in.Store, err = storeNamed(ctx, c, h.Store); err != nil {
		return err
	}
	var out api.Hold
	if err := c.PlaceHold(ctx, in, &out); err != nil {
		return err
	}
	if h.JSON {
		return writeJSON(os.Stdout, out)
	}
	fmt.Printf("Hold %s: nothing of %s, %s, goes until it is lifted.\n", out.ID, h.Store, heldRange(&out))
	return nil
}

func heldRange(h *api.Hold) string {
	from, to := h.From.UTC().Format(time.RFC3339), h.To.UTC().Format(time.RFC3339)
	switch {
	case h.From.IsZero() && h.To.IsZero():
		return "all of it"
	case h.To.IsZero():
		return "events from " + from + " on"
	case h.From.IsZero():
		return "events before " + to
	}
	return "events from " + from + " to before " + to
}

type holdListCmd struct {
	Store string `arg:"" optional:"" help:"The event data store: its name, ARN or ID. Default: all of the account's."`
	All   bool   `help:"Also those that were lifted."`
	JSON  bool   `name:"json" help:"Print the holds as JSON."`
	remote
}

// Run lists the holds.
func (h *holdListCmd) Run(ctx context.Context) error {
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	store := ""
	if h.Store != "" {
		if store, err = storeNamed(ctx, c, h.Store); err != nil {
			return err
		}
	}
	var all api.HoldList
	if err := c.Holds(ctx, store, &all); err != nil {
		return err
	}
	shown := api.HoldList{Holds: []api.Hold{}}
	for _, one := range all.Holds {
		if h.All || one.Lifted.IsZero() {
			shown.Holds = append(shown.Holds, one)
		}
	}
	if h.JSON {
		return writeJSON(os.Stdout, shown)
	}
	if len(shown.Holds) == 0 {
		fmt.Println("There are no holds.")
	}
	for i := range shown.Holds {
		one := &shown.Holds[i]
		fmt.Printf("%s  store %s, %s\n  placed %s by %s: %s\n", one.ID, one.Store, heldRange(one), local(one.Placed), one.PlacedBy, one.Reason)
		if !one.Lifted.IsZero() {
			fmt.Printf("  lifted %s by %s: %s\n", local(one.Lifted), one.LiftedBy, one.LiftReason)
		}
	}
	return nil
}

type holdLiftCmd struct {
	Hold   string `arg:"" help:"The hold's ID, which \"loch hold list\" shows."`
	Reason string `help:"Why; it stands in the store's transparency log." required:"" placeholder:"TEXT"`
	JSON   bool   `name:"json" help:"Print the hold as JSON."`
	remote
}

// Run lifts the hold.
func (h *holdLiftCmd) Run(ctx context.Context) error {
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	var out api.Hold
	if err := c.LiftHold(ctx, h.Hold, h.Reason, &out); err != nil {
		return err
	}
	if h.JSON {
		return writeJSON(os.Stdout, out)
	}
	fmt.Printf("Lifted: what is due of store %s, %s, goes within minutes, but for what other holds keep.\n", out.Store, heldRange(&out))
	return nil
}
