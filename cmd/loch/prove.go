package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/proof"
)

type proveCmd struct {
	Event  string `arg:"" name:"event" help:"The event's eventID."`
	Store  string `help:"The event data store: its name, ARN or ID. Default: all of the account's are asked." placeholder:"NAME"`
	Output string `short:"o" help:"File to write. Default: standard output." placeholder:"FILE" type:"path"`
	remote
}

// Run asks the stores for the proof, and writes the first that there is.
func (p *proveCmd) Run(ctx context.Context) error {
	c, err := p.client(ctx)
	if err != nil {
		return err
	}
	stores, err := storesNamed(ctx, c, p.Store)
	if err != nil {
		return err
	}
	var last error
	for _, id := range stores {
		var f proof.File
		if last = c.Proof(ctx, id, p.Event, &f); last != nil {
			continue
		}
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(f); err != nil {
			return err
		}
		if p.Output == "" {
			_, err = os.Stdout.Write(out.Bytes())
			return err
		}
		return os.WriteFile(p.Output, out.Bytes(), 0o600)
	}
	if last == nil {
		return errors.New("there is no event data store")
	}
	return last
}

// storesNamed gives the IDs of the account's stores with that name, ARN or ID; "": of all.
func storesNamed(ctx context.Context, c *client.Client, name string) (ids []string, err error) {
	in := model.ListEventDataStoresRequest{}
	for {
		var page model.ListEventDataStoresResponse
		if err := c.Call(ctx, "ListEventDataStores", in, &page); err != nil {
			return nil, client.Unreachable(c.Endpoint, err)
		}
		for _, s := range page.EventDataStores {
			arn := *s.EventDataStoreArn
			id := arn[len(arn)-36:]
			if name == "" || name == arn || name == id || s.Name != nil && name == *s.Name {
				ids = append(ids, id)
			}
		}
		if page.NextToken == nil {
			break
		}
		in.NextToken = page.NextToken
	}
	if name != "" && len(ids) == 0 {
		return nil, fmt.Errorf("there is no event data store %q", name)
	}
	return ids, nil
}
