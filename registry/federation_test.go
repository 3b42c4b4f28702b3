package registry

import (
	"slices"
	"testing"
	"time"

	"github.com/lochlake/loch/meta"
)

const role = "arn:aws:iam::111122223333:role/federation"

func TestFederation(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	federated := func(account string) (ids []string) {
		for _, s := range g.Federated(account) {
			ids = append(ids, s.ID)
		}
		return ids
	}
	a, b := g.make("one", unprotected), g.make("two", unprotected)
	g.ok(g.EnsureHistory(ctx, here.Account))
	if got := federated(here.Account); got != nil {
		t.Errorf("federated at first: %v", got)
	}
	for _, bad := range []string{"abc", "arn:aws:iam::111122223333:user/x", "arn:aws:iam::111122223333:role/", "arn:aws:iam::444455556666:role/federation", "arn:aws:iam::1:role/x",
		"x" + role, role + "/"} {
		_, err := g.EnableFederation(ctx, here, a.ID, bad)
		g.code(err, "InvalidParameterException", "FederationRoleArn")
	}
	g.clock = g.clock.Add(time.Second)
	s, err := g.EnableFederation(ctx, here, a.ARN(), role)
	g.ok(err)
	if s.FederationStatus != FederationEnabled || s.FederationRoleArn != role || !s.Updated.Equal(g.clock) {
		t.Errorf("%+v", s)
	}
	_, err = g.EnableFederation(ctx, here, b.ID, "arn:aws:iam::111122223333:role/a/b/with-path")
	g.ok(err)
	want := []string{a.ID, b.ID}
	slices.Sort(want)
	g.restart()
	if got := federated(here.Account); !slices.Equal(got, want) || federated(other.Account) != nil {
		t.Errorf("federated: %v, want %v", got, want)
	}
	_, err = g.EnableFederation(ctx, here, a.ID, role)
	g.code(err, "EventDataStoreFederationEnabledException", "DisableFederation")
	g.code(g.DeleteStore(ctx, here, a.ID), "EventDataStoreFederationEnabledException", "DisableFederation")

	for range 2 { // the second changes nothing
		s, err = g.DisableFederation(ctx, here, a.ID)
		g.ok(err)
		if s.FederationStatus != FederationDisabled || s.FederationRoleArn != "" {
			t.Errorf("%+v", s)
		}
	}
	if got := federated(here.Account); !slices.Equal(got, []string{b.ID}) {
		t.Errorf("federated: %v", got)
	}
	g.ok(g.DeleteStore(ctx, here, a.ID))
	_, err = g.EnableFederation(ctx, here, a.ID, role)
	g.code(err, "InactiveEventDataStoreException")
	_, err = g.DisableFederation(ctx, here, a.ID)
	g.code(err, "InactiveEventDataStoreException")
	for _, sc := range []meta.Scope{west, other} {
		_, err = g.EnableFederation(ctx, sc, b.ID, role)
		g.code(err, "EventDataStoreNotFoundException")
		_, err = g.DisableFederation(ctx, sc, b.ID)
		g.code(err, "EventDataStoreNotFoundException")
	}
	_, err = g.EnableFederation(ctx, here, HistoryID(here.Account), role)
	g.code(err, "EventDataStoreNotFoundException")
	_, err = g.DisableFederation(ctx, here, "x")
	g.code(err, "EventDataStoreARNInvalidException")
}
