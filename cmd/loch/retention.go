package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/retention"
	"github.com/lochlake/loch/terminal"
)

type retentionCmd struct {
	Store string `arg:"" help:"The event data store: its name, ARN or ID."`
	Days  int    `arg:"" optional:"" help:"The retention to have. Without it: what the store's retention makes of it."`
	Yes   bool   `help:"Do it, though events go: at once, without the days of grace that a lowering by UpdateEventDataStore has."`
	JSON  bool   `name:"json" help:"Print the report as JSON."`
	remote
}

// retentionReport is what --json prints.
type retentionReport struct {
	Changed bool `json:"changed"`
	retention.View
}

// Run tells what goes, and changes the retention where nothing does or --yes says so.
func (r *retentionCmd) Run(ctx context.Context) error {
	c, err := r.client(ctx)
	if err != nil {
		return err
	}
	id, err := storeNamed(ctx, c, r.Store)
	if err != nil {
		return err
	}
	var v retention.View
	if err := c.Retention(ctx, id, r.Days, &v); err != nil {
		return err
	}
	changed := r.Days != 0 && (r.Yes || v.Goes.Events == 0)
	if changed {
		var now retention.View
		if err := c.SetRetention(ctx, id, r.Days, &now); err != nil {
			return err
		}
		v.RemoveAfter = now.RemoveAfter
	}
	if r.JSON {
		return writeJSON(os.Stdout, retentionReport{changed, v})
	}
	r.tell(os.Stdout, v, changed)
	return nil
}

func (r *retentionCmd) tell(w io.Writer, v retention.View, changed bool) {
	fmt.Fprintf(w, "%s keeps %s and has %s.\n", v.Name, days(v.RetentionDays), amount(v.Has))
	switch goes := amount(v.Goes); {
	case v.Goes.Events == 0 && r.Days == 0:
	case v.Goes.Events == 0:
		fmt.Fprintf(w, "With %s nothing goes.\n", days(r.Days))
	case changed:
		when := "within minutes"
		if v.Warning != "" {
			when = "once the clock is believed"
		}
		fmt.Fprintf(w, "With %s there go, %s: %s. Their files are deleted seven days later.\n", days(r.Days), when, goes)
	case r.Days != 0:
		fmt.Fprintf(w, "With %s there would go: %s.\n", days(r.Days), goes)
	case !v.RemoveAfter.IsZero():
		fmt.Fprintf(w, "Past that, and in no answer: %s. The retention was lowered: until %s it can be raised again and all of them are back; then they go.\n", goes, local(v.RemoveAfter))
	case v.Warning != "":
		fmt.Fprintf(w, "Past that, and in no answer: %s.\n", goes)
	default:
		fmt.Fprintf(w, "Past that, and on their way out: %s.\n", goes)
	}
	if v.Held.Events > 0 {
		fmt.Fprintf(w, "On hold, and so kept: %s.\n", amount(v.Held))
	}
	if v.Waiting.Files > 0 {
		fmt.Fprintf(w, "Removed, and not yet deleted: %s of %s (%s), the last of them until %s.\n", terminal.Counted(int64(v.Waiting.Files), "file"), terminal.Counted(v.Waiting.Events, "event"), terminal.Bytes(v.Waiting.Bytes), local(v.Waiting.Until))
	}
	if v.Warning != "" {
		fmt.Fprintf(w, "Warning: %s\n", v.Warning)
	}
	if r.Days != 0 {
		if changed {
			fmt.Fprintf(w, "The retention is %s now.\n", days(r.Days))
		} else {
			fmt.Fprintln(w, "Nothing has changed. To do it, say --yes.")
		}
	}
}

func days(n int) string { return terminal.Counted(int64(n), "day") }

func amount(a retention.Amount) string {
	if a.Days == 0 {
		return "no events"
	}
	span := a.Oldest
	if a.Newest != a.Oldest {
		span += " to " + a.Newest
	}
	return fmt.Sprintf("%s of %s (%s, %s)", terminal.Counted(a.Events, "event"), days(a.Days), terminal.Bytes(a.Bytes), span)
}

func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

// storeNamed gives the ID of the one store with that name, ARN or ID.
func storeNamed(ctx context.Context, c *client.Client, name string) (string, error) {
	ids, err := storesNamed(ctx, c, name)
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

type clockCmd struct {
	Confirm string `help:"Say that the server's clock is right: it is that day, UTC, by another clock. What waits for it goes on." placeholder:"YYYY-MM-DD"`
	JSON    bool   `name:"json" help:"Print the report as JSON."`
	remote
}

// Run shows what the server thinks of its clock, or confirms it.
func (k *clockCmd) Run(ctx context.Context) error {
	c, err := k.client(ctx)
	if err != nil {
		return err
	}
	var now retention.Clock
	if k.Confirm != "" {
		err = c.ConfirmClock(ctx, k.Confirm, &now)
	} else {
		err = c.Clock(ctx, &now)
	}
	if err != nil {
		return err
	}
	if k.JSON {
		return writeJSON(os.Stdout, now)
	}
	fmt.Printf("The server's clock says %s; the last time that is known to be right is %s.\n", now.Now.Format(time.RFC3339), now.Good.Format(time.RFC3339))
	if now.Halted {
		fmt.Printf("Warning: %s\n", now.Reason)
	} else {
		fmt.Println("It is believed: what is due goes.")
	}
	return nil
}
