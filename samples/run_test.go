package samples_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/generate"
	"github.com/lochlake/loch/imports/streamer"
	"github.com/lochlake/loch/samples"
	"github.com/lochlake/loch/server"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == engine.WorkerArgument {
		engine.WorkerMain()
	}
	os.Exit(m.Run())
}

// findNothing are the queries for which the generated events, rightly, have no answer: nobody does that in the invented organisation, or there are no such events.
var findNothing = map[string]bool{
	"identity.root-activity": true, "identity.failed-console-logins": true, "network.open-to-the-world": true, "network.load-balancer-changes": true, "data.deleted-objects": true,
	"configuration.commands-on-instances": true, "configuration.resource-history": true, "configuration.resource-types": true, "outside.failures": true, "forensics.conflicting-events": true,
	"forensics.insights": true,
}

// TestEveryQuery runs the whole library by its aliases, over a month of the invented organisation's events with an attack among them.
func TestEveryQuery(t *testing.T) {
	ctx := t.Context()
	srv, err := server.Open(ctx, server.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Account: generate.ManagementAccount})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	c, err := srv.Client()
	if err != nil {
		t.Fatal(err)
	}
	opt := generate.Options{Events: 20_000, Seed: 1, Start: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -30), Days: 30, Attack: true}
	fill(t, srv, c, opt)
	values := map[string]string{
		"store": "organization", "outside": "wiz", "configuration": "items", "insights": "unusual",
		"from": opt.Start.Format(time.DateOnly), "to": opt.Start.AddDate(0, 0, 31).Format(time.DateTime), "before": opt.AttackStart().Format(time.DateTime),
		"address": generate.AttackerIP, "access key": "AKIAEXAMPLELEAKED001", "user": generate.BackdoorUser, "bucket": generate.StolenBucket, "resource": "i-0", "word": generate.BackdoorUser,
	}
	for _, q := range samples.All() {
		t.Run(q.Name, func(t *testing.T) {
			what := model.StartQueryRequest{QueryAlias: &q.Name}
			for _, p := range q.Parameters {
				v, ok := values[p]
				if p == "key" {
					v, ok = stolenKey(t, c), true
				}
				if !ok {
					t.Fatalf("no value for the parameter %s", p)
				}
				what.QueryParameters = append(what.QueryParameters, v)
			}
			rows := 0
			var names []string
			_, err := c.Query(ctx, what, nil, func(n []string) error { names = n; return nil }, func([]client.Cell) error { rows++; return nil })
			if err != nil {
				t.Fatal(err)
			}
			if (rows == 0) != findNothing[q.Name] {
				t.Errorf("%d rows", rows)
			}
			for _, n := range names {
				if strings.HasPrefix(n, "_col") {
					t.Errorf("a column has no name: %v", names)
				}
			}
		})
	}
}

// fill makes a store of every kind and puts the organisation's events into two of them.
func fill(t *testing.T, srv *server.Server, c *client.Client, opt generate.Options) {
	t.Helper()
	ctx := t.Context()
	if err := srv.OpenStore(ctx, "organization"); err != nil {
		t.Fatal(err)
	}
	create := func(name, category string) string {
		field := "eventCategory"
		var out model.CreateEventDataStoreResponse
		if err := c.Call(ctx, "CreateEventDataStore", model.CreateEventDataStoreRequest{Name: &name, AdvancedEventSelectors: []model.AdvancedEventSelector{{Name: &name,
			FieldSelectors: []model.AdvancedFieldSelector{{Field: &field, Equals: []string{category}}}}}}, &out); err != nil {
			t.Fatal(err)
		}
		return *out.EventDataStoreArn
	}
	create("items", "ConfigurationItem")
	create("unusual", "Insight")
	wiz := create("wiz", "ActivityAuditLog")
	logs := t.TempDir()
	if _, err := generate.WriteFiles(ctx, logs, opt, generate.FileOptions{}); err != nil {
		t.Fatal(err)
	}
	sum, err := streamer.Run(ctx, streamer.Config{Endpoint: c.Endpoint, Region: c.Region, Credentials: c.Credentials}, streamer.Options{Store: "organization", Sources: []string{logs}})
	if err != nil || sum.Failed > 0 || sum.Counts.Stored == 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if err := send(ctx, c, wiz, generate.WizEvents(opt, 400)); err != nil {
		t.Fatal(err)
	}
	if err := srv.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// send brings outside events through a channel.
func send(ctx context.Context, c *client.Client, store string, events []generate.AuditEvent) error {
	name, source, kind := "wiz", "Custom", "EVENT_DATA_STORE"
	var channel model.CreateChannelResponse
	if err := c.Call(ctx, "CreateChannel", model.CreateChannelRequest{Name: &name, Source: &source, Destinations: []model.Destination{{Type: &kind, Location: &store}}}, &channel); err != nil {
		return err
	}
	for len(events) > 0 {
		n := min(100, len(events))
		var in struct {
			AuditEvents []model.AuditEvent `json:"auditEvents"`
		}
		for i := range events[:n] {
			in.AuditEvents = append(in.AuditEvents, model.AuditEvent{Id: &events[i].ID, EventData: &events[i].Data})
		}
		events = events[n:]
		var out model.PutAuditEventsResponse
		if err := c.PutAuditEvents(ctx, *channel.ChannelArn, in, &out); err != nil {
			return err
		}
		if len(out.Failed) > 0 {
			return errors.New(*out.Failed[0].ErrorMessage)
		}
	}
	return nil
}

// stolenKey is the key of one object that the attack read.
func stolenKey(t *testing.T, c *client.Client) (key string) {
	t.Helper()
	sql := fmt.Sprintf("SELECT element_at(requestParameters, 'key') FROM organization WHERE sourceIPAddress = '%s' AND eventName = 'GetObject' LIMIT 1", generate.AttackerIP)
	if _, err := c.Query(t.Context(), model.StartQueryRequest{QueryStatement: &sql}, nil, func([]string) error { return nil }, func(cells []client.Cell) error {
		key = cells[0].Text
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return key
}
