package query

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/lochlake/loch/awserr"
)

// template is what the tests' aliases stand for.
func template(alias string) (string, bool) {
	return "SELECT eventName, count(*) AS n FROM ? WHERE eventName = '?' GROUP BY 1 LIMIT ?", alias == "names"
}

// TestTemplates: a query of an alias keeps its parameters over a restart, and is found by the alias.
func TestTemplates(t *testing.T) {
	b := newBed(t, func(c *Config) { c.Template = template; c.Running = 1 })
	b.store(t, "kept", 20)
	if _, err := b.Last(t.Context(), scope, "names", ""); !awserr.Is(err, "QueryIdNotFoundException") {
		t.Error(err)
	}
	q, err := b.Start(t.Context(), scope, me, Request{Alias: "names", Parameters: []string{"kept", "Name3", "5"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil { // before or after its turn: it is taken up again, or has ended
		t.Fatal(err)
	}
	b.reopen(t, func(c *Config) { c.Template = template })
	if q = b.wait(t, q.ID); q.Status != Finished || q.Rows != 1 || !slices.Equal(q.Parameters, []string{"kept", "Name3", "5"}) {
		t.Fatalf("%+v", q)
	}
	last, err := b.Last(t.Context(), scope, "names", q.Stores[0])
	if err != nil || last.ID != q.ID {
		t.Errorf("%+v, %v", last, err)
	}
	for _, r := range []Request{{Alias: "other", Parameters: []string{"kept"}}} {
		if _, err := b.Start(t.Context(), scope, me, r); !awserr.Is(err, "InvalidParameterException") {
			t.Errorf("%+v: %v", r, err)
		}
	}
	for _, r := range []Request{{Alias: "names"}, {Alias: "names", Parameters: []string{"kept", "a", "1", "2"}}, {SQL: "SELECT 1 LIMIT ?", Parameters: []string{"x"}}} {
		if _, err := b.Start(t.Context(), scope, me, r); !awserr.Is(err, "InvalidQueryStatementException") {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if _, err := b.Start(t.Context(), scope, me, Request{Alias: "names", Parameters: []string{"elsewhere", "a", "1"}}); !awserr.Is(err, "EventDataStoreNotFoundException") {
		t.Error(err)
	}
}

// TestDeliveryState: a delivery waits for its query, and ends with one that does not finish.
func TestDeliveryState(t *testing.T) {
	told := make(chan struct{}, 1)
	refuse := errors.New("refused")
	b := newBed(t, func(c *Config) {
		c.Deliveries = told
		c.CheckTarget = func(_ context.Context, uri string) error {
			if uri == "s3://bad" {
				return refuse
			}
			return nil
		}
	})
	start := func(sql string) string {
		t.Helper()
		q, err := b.Start(t.Context(), scope, me, Request{SQL: sql, DeliverTo: "s3://good"})
		if err != nil {
			t.Fatal(err)
		}
		return q.ID
	}
	id := start("SELECT n, CAST(n AS varchar) AS t, NULLIF(n, 2) AS o FROM UNNEST(sequence(1, 2500)) AS s (n)")
	if q := b.wait(t, id); q.Delivery != DeliveryPending || q.Status != Finished {
		t.Fatalf("%+v", q)
	}
	<-told
	if list, err := b.db.PendingDeliveries(t.Context(), 10); err != nil || len(list) != 1 || list[0].ID != id {
		t.Errorf("%v, %v", list, err)
	}
	n := 0
	var names []string
	err := b.Read(t.Context(), id, func(c []string) error { names = c; return nil }, func(texts [][]byte) error {
		n++
		if string(texts[0]) != string(texts[1]) || (n == 2) != (texts[2] == nil) {
			t.Fatalf("row %d: %q", n, texts)
		}
		return nil
	})
	if err != nil || n != 2500 || !slices.Equal(names, []string{"n", "t", "o"}) {
		t.Errorf("%d rows of %v, %v", n, names, err)
	}
	if err := b.Read(t.Context(), id, func([]string) error { return nil }, func([][]byte) error { return refuse }); !errors.Is(err, refuse) {
		t.Error(err)
	}
	if q := b.wait(t, start("SELECT 1 / (n - 1) FROM UNNEST(sequence(1, 2)) AS s (n)")); q.Delivery != DeliveryFailed || q.Status != Failed {
		t.Errorf("%+v", q)
	}
	if _, err := b.Start(t.Context(), scope, me, Request{SQL: "SELECT 1", DeliverTo: "s3://bad"}); !errors.Is(err, refuse) {
		t.Error(err)
	}
	if got := deliveryAfter(Cancelled, DeliveryPending); got != DeliveryCancelled {
		t.Error(got)
	}
	if got := deliveryAfter(Failed, ""); got != "" {
		t.Errorf("a query without a delivery has %s", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b.reopen(t, nil)
	if _, err := b.Start(t.Context(), scope, me, Request{SQL: "SELECT 1", DeliverTo: "s3://good"}); !awserr.Is(err, "UnsupportedOperationException") {
		t.Error(err)
	}
}
