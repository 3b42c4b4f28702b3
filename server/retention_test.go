package server

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/api"
	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/retention"
)

func code(t *testing.T, err error, want string, words ...string) {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Code != want {
		t.Errorf("error %v, want %s", err, want)
		return
	}
	for _, w := range words {
		if !strings.Contains(e.Message, w) {
			t.Errorf("the message %q lacks %q", e.Message, w)
		}
	}
}

func TestHoldsOverHTTP(t *testing.T) {
	s := open(t, Config{})
	ctx := t.Context()
	c, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	name, off := "main", false
	var made model.CreateEventDataStoreResponse
	if err := c.Call(ctx, "CreateEventDataStore", model.CreateEventDataStoreRequest{Name: &name, TerminationProtectionEnabled: &off}, &made); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{api.HoldsPath, api.ClockPath, api.StoresPath + "/x/retention"} {
		resp, err := http.Get(s.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("%s without a signature: %s", path, resp.Status)
		}
	}
	store := *made.EventDataStoreArn
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var held api.Hold
	code(t, c.PlaceHold(ctx, api.PlaceHold{Store: store}, &held), "InvalidParameterException", "reason")
	if err := c.PlaceHold(ctx, api.PlaceHold{Store: store, From: from, Reason: "case 7"}, &held); err != nil {
		t.Fatal(err)
	}
	if held.ID == "" || !strings.HasSuffix(store, held.Store) || !held.From.Equal(from) || !held.To.IsZero() || held.PlacedBy != "arn:aws:iam::111122223333:root" {
		t.Errorf("%+v", held)
	}
	code(t, c.Call(ctx, "DeleteEventDataStore", model.DeleteEventDataStoreRequest{EventDataStore: &store}, &struct{}{}), "EventDataStoreTerminationProtectedException", held.ID, "case 7")
	code(t, c.LiftHold(ctx, "0233062b-51c6-4d18-8dec-a8c90da840d9", "x", &held), "HoldNotFoundException")
	if err := c.LiftHold(ctx, held.ID, "settled", &held); err != nil || held.LiftReason != "settled" || held.Lifted.IsZero() {
		t.Errorf("%+v, %v", held, err)
	}
	var all api.HoldList
	if err := c.Holds(ctx, store, &all); err != nil || len(all.Holds) != 1 || all.Holds[0] != held {
		t.Errorf("%+v, %v", all, err)
	}
	code(t, c.Holds(ctx, "0233062b-51c6-4d18-8dec-a8c90da840d9", &all), "EventDataStoreNotFoundException")

	var v retention.View
	if err := c.Retention(ctx, store, 0, &v); err != nil || v.RetentionDays != 366 || v.Store != store || v.Name != "main" || v.Has.Events != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	code(t, c.Retention(ctx, store, 5, &v), "InvalidParameterException", "RetentionPeriod")
	code(t, c.Get(ctx, api.StoresPath+"/"+held.Store+"/retention?days=many", &v), "InvalidParameterException", "days")
	days := int32(30)
	if err := c.Call(ctx, "UpdateEventDataStore", model.UpdateEventDataStoreRequest{EventDataStore: &store, RetentionPeriod: &days}, &struct{}{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Retention(ctx, store, 0, &v); err != nil || v.RetentionDays != 30 || time.Until(v.RemoveAfter) < 6*24*time.Hour {
		t.Errorf("%+v, %v", v, err)
	}
	v = retention.View{}
	if err := c.SetRetention(ctx, store, 20, &v); err != nil || v.RetentionDays != 20 || !v.RemoveAfter.IsZero() {
		t.Errorf("%+v, %v", v, err)
	}
	if err := c.Call(ctx, "DeleteEventDataStore", model.DeleteEventDataStoreRequest{EventDataStore: &store}, &struct{}{}); err != nil {
		t.Error(err)
	}
	code(t, c.SetRetention(ctx, store, 30, &v), "InactiveEventDataStoreException")
}

// A server whose clock is days past what it knows says so wherever it is looked for, and goes on when the clock is confirmed.
func TestClockWarning(t *testing.T) {
	dir := t.TempDir()
	db, err := meta.OpenSQLite(t.Context(), filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.SetValue(t.Context(), "retention.clock", time.Now().AddDate(0, 0, -8).Format(time.RFC3339Nano)), db.Close()); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: dir})
	c, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	if status, body := s.healthz(t); status != http.StatusOK || !strings.HasPrefix(body, "ok\n") || !strings.Contains(body, "\nwarning: nothing is removed: the clock says ") || !strings.Contains(body, "loch clock --confirm") {
		t.Errorf("%d %s", status, body)
	}
	s.awaitMetric(t, "loch_retention_halted 1")
	var k retention.Clock
	if err := c.Clock(t.Context(), &k); err != nil || !k.Halted || k.Until.Sub(k.Now) < 6*24*time.Hour {
		t.Errorf("%+v, %v", k, err)
	}
	code(t, c.ConfirmClock(t.Context(), "2020-01-01", &k), "InvalidParameterException", "2020-01-01")
	k = retention.Clock{}
	if err := c.ConfirmClock(t.Context(), time.Now().UTC().Format(time.DateOnly), &k); err != nil || k.Halted {
		t.Errorf("%+v, %v", k, err)
	}
	s.awaitMetric(t, "loch_retention_halted 0")
	if status, body := s.healthz(t); status != http.StatusOK || strings.Contains(body, "warning") {
		t.Errorf("%d %s", status, body)
	}
}

// awaitMetric waits until a line stands among the metrics.
func (s *Server) awaitMetric(t *testing.T, line string) {
	t.Helper()
	for {
		resp, err := http.Get(s.URL() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), "\n"+line+"\n") {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("the metrics lack %q", line)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
