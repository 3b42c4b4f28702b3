package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/lochlake/loch/redaction"
	"github.com/lochlake/loch/terminal"
)

type redactCmd struct {
	Event   string `arg:"" name:"event" help:"The event's eventID; of one that has none, the SHA-256 of its text in hexadecimal digits."`
	Store   string `help:"The event data store: its name, ARN or ID; event-history is the account's event history." required:"" placeholder:"NAME"`
	Reason  string `help:"Why, for example the number of a case. It stands in the store's transparency log for good: name nobody in it." required:"" placeholder:"TEXT"`
	Confirm string `help:"The event's ID once more: erase it without asking." placeholder:"ID"`
	JSON    bool   `name:"json" help:"Print the result as JSON."`
	remote
}

// Validate refuses a confirmation of another event.
func (r *redactCmd) Validate() error {
	if r.Confirm != "" && r.Confirm != r.Event {
		return errors.New("--confirm is not the ID of the event")
	}
	return nil
}

// Run shows what would be erased, has it confirmed, and erases it. Where something that held the event could not be removed yet, it is done in part.
func (r *redactCmd) Run(ctx context.Context) error {
	c, err := r.client(ctx)
	if err != nil {
		return err
	}
	var out redaction.Answer
	if err := c.Redact(ctx, r.Store, r.Event, r.Reason, r.Confirm, &out); err != nil {
		return err
	}
	if out.Confirm {
		r.show(&out)
		typed, err := askFor("Type the event's ID to erase it, for good: ")
		if err != nil {
			return err
		}
		if typed != r.Event {
			return errors.New("that is not the event's ID: nothing was erased")
		}
		if err := c.Redact(ctx, r.Store, r.Event, r.Reason, typed, &out); err != nil {
			return err
		}
	}
	if r.JSON {
		if err := writeJSON(os.Stdout, out); err != nil {
			return err
		}
	} else {
		r.tell(&out)
	}
	if len(out.Waits) > 0 {
		return errPartly
	}
	return nil
}

func (r *redactCmd) show(out *redaction.Answer) {
	for _, e := range out.Events {
		state := ""
		if e.Erased {
			state = ", erased before"
		}
		fmt.Fprintf(os.Stderr, "%s  %s  %s %s (sequence %d, position %d%s)\n", e.ID, e.Time, e.Source, e.Name, e.Sequence, e.Position, state)
	}
	fmt.Fprintln(os.Stderr, "Erased are its text and every column but its ID and time, and the results of all queries that have read the store. Backups, delivered results, and versions that a bucket keeps are not touched.")
}

func (r *redactCmd) tell(out *redaction.Answer) {
	switch {
	case out.Erased > 0:
		fmt.Printf("%s erased.\n", terminal.Counted(int64(out.Erased), "event"))
	default:
		fmt.Println("The event was erased before.")
	}
	for _, what := range out.Waits {
		fmt.Printf("Still to be removed, which the server does as soon as it can: %s\n", what)
	}
	for _, name := range out.Also {
		fmt.Printf("An event under this ID is also in the store %s: redact it there, too.\n", name)
	}
}

// askFor reads a line from a terminal.
func askFor(prompt string) (string, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", errors.New("nothing was erased: it must be confirmed, on a terminal or by --confirm with the event's ID")
	}
	fmt.Fprint(os.Stderr, prompt)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	return strings.TrimSpace(line), err
}
