package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/wal"
)

const (
	goodChannel  = "00000000-0000-0000-0000-0000000000c1"
	wrongChannel = "00000000-0000-0000-0000-0000000000c2" // leads to a store of AWS's own events
	emptyChannel = "00000000-0000-0000-0000-0000000000c3" // its stores are gone
	farChannel   = "00000000-0000-0000-0000-0000000000c4" // of another region
)

type fakeChannels struct{}

func (fakeChannels) Channel(_ context.Context, id string) (meta.Channel, error) {
	c := meta.Channel{Scope: meta.Scope{Account: testAccount, Region: "eu-west-1"}, ID: id}
	stores := map[string][]string{goodChannel: {"activity", "deleted", "pending", "activity2"}, wrongChannel: {"cloudtrail"}, emptyChannel: {"deleted", "pending"}, farChannel: {"activity"}}[id]
	if stores == nil {
		return c, meta.ErrNotFound
	}
	if id == farChannel {
		c.Region = "us-east-1"
	}
	var d []model.Destination
	for _, s := range stores {
		location, typ := "arn:aws:cloudtrail:eu-west-1:123456789012:eventdatastore/"+s, "EVENT_DATA_STORE"
		d = append(d, model.Destination{Type: &typ, Location: &location})
	}
	c.Destinations, _ = json.Marshal(d)
	return c, nil
}

func (fakeChannels) Store(_ context.Context, id string) (meta.EventDataStore, error) {
	switch id {
	case "deleted":
		return meta.EventDataStore{}, meta.ErrNotFound
	case "pending":
		return meta.EventDataStore{ID: id, Status: "PENDING_DELETION", Kind: uint8(event.Activity)}, nil
	case "cloudtrail":
		return meta.EventDataStore{ID: id, Status: "ENABLED", Kind: uint8(event.CloudTrail)}, nil
	}
	return meta.EventDataStore{ID: id, Status: "ENABLED", Kind: uint8(event.Activity)}, nil
}

// acceptFunc has room for everything.
type acceptFunc func(ingest.Delivery) error

func (f acceptFunc) Accept(_ context.Context, d ingest.Delivery) (*ingest.Ticket, error) {
	return nil, f(d)
}

func (acceptFunc) Room(context.Context, int64) error { return nil }

func arnOf(channel string) string {
	return "arn:aws:cloudtrail:eu-west-1:123456789012:channel/" + channel
}

func eventData(name string) string {
	return fmt.Sprintf(`{"version":"1.0","userIdentity":{"type":"User","principalId":"p","details":{"a":"b"}},"eventSource":"wiz.io","eventName":%q,"eventTime":"2026-01-02T03:04:05Z","UID":"u","recipientAccountId":"123456789012"}`, name)
}

func TestPutAuditEvents(t *testing.T) {
	var got []ingest.Delivery
	var fails error
	attempts := map[string]string{} // by eventID: the error's code
	w := serveTest(t, func(s *Server) {
		s.HandleAuditEvents(AuditEvents{Channels: fakeChannels{}, Ingest: acceptFunc(func(d ingest.Delivery) error {
			got = append(got, d)
			return fails
		}), Attempted: func(channel, id, code string) {
			if channel != goodChannel {
				t.Errorf("an attempt over channel %s", channel)
			}
			attempts[id] = code
		}})
	})
	put := func(arn string, events ...model.AuditEvent) answer {
		t.Helper()
		body, err := marshal(map[string]any{"auditEvents": events})
		if err != nil {
			t.Fatal(err)
		}
		return w.do(w.request("POST", "/PutAuditEvents?channelArn="+url.QueryEscape(arn), "cloudtrail-data", string(body), "Content-Type", "application/json"))
	}
	audit := func(id, data, checksum string) model.AuditEvent {
		e := model.AuditEvent{Id: &id, EventData: &data}
		if checksum != "" {
			e.EventDataChecksum = &checksum
		}
		return e
	}
	sum := sha256.Sum256([]byte(eventData("Login")))
	a := put(arnOf(goodChannel),
		audit("one", eventData("Login"), base64.StdEncoding.EncodeToString(sum[:])),
		audit("two", eventData("Logout"), base64.StdEncoding.EncodeToString(sum[:])),
		audit("three", `{"version":`, ""),
		audit("four", eventData(""), ""),
		audit("five", eventData(strings.Repeat("x", 1025)), ""),
		audit("six", strings.Replace(eventData("a"), testAccount, otherKey.Account, 1), ""),
		audit("seven", strings.Replace(eventData("a"), "wiz.io", " ", 1), ""),
		audit("eight", eventData("Loch"), ""))
	var out model.PutAuditEventsResponse
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 {
		t.Fatalf("%d %s %v", a.status, a.body, err)
	}
	if len(out.Successful) != 2 || *out.Successful[0].Id != "one" || *out.Successful[0].EventID != event.ActivityID(arnOf(goodChannel), "one") || *out.Successful[1].Id != "eight" {
		t.Errorf("%s", a.body)
	}
	failed := map[string]string{}
	for _, f := range out.Failed {
		failed[*f.Id] = *f.ErrorCode
		if len(*f.ErrorMessage) == 0 || len(*f.ErrorMessage) > 1024 {
			t.Errorf("%s has a message of %d bytes", *f.Id, len(*f.ErrorMessage))
		}
	}
	if want := map[string]string{"two": "InvalidChecksum", "three": "InvalidData", "four": "FieldNotFound", "five": "FieldTooLong", "six": "InvalidRecipient", "seven": "InvalidEventSource"}; !reflect.DeepEqual(failed, want) {
		t.Errorf("%v, want %v", failed, want)
	}
	if want := "InvalidChecksum"; len(attempts) != 7 || attempts[event.ActivityID(arnOf(goodChannel), "two")] != want || attempts[event.ActivityID(arnOf(goodChannel), "eight")] != "" {
		t.Errorf("attempts noted: %v", attempts)
	}
	if len(got) != 1 {
		t.Fatalf("%d deliveries", len(got))
	}
	d := got[0]
	if d.Encoding != "audit-events" || d.Provenance != arnOf(goodChannel) || d.Read != 8 || d.Live || !reflect.DeepEqual(d.Stores, []string{"activity", "activity2"}) || d.Scope.Region != "eu-west-1" {
		t.Errorf("%+v", d)
	}
	// What the log keeps gives the same records.
	kept, err := ingest.DecodeAuditEvents(d.Payload)
	if err != nil {
		t.Fatal(err)
	}
	again, err := kept.Records(event.NewDecoder())
	if err != nil || !reflect.DeepEqual(again, d.Records) || !bytes.Equal(again[0].Text, []byte(eventData("Login"))) {
		t.Errorf("%v\n%+v\nwant\n%+v", err, again, d.Records)
	}

	got = nil
	if a = put(arnOf(goodChannel), audit("x", "[]", "")); a.status != 200 || len(got) != 0 || !strings.Contains(a.body, `"successful":[]`) {
		t.Errorf("nothing good: %d %s, %d deliveries", a.status, a.body, len(got))
	}
	for _, c := range []struct {
		arn, code string
		events    []model.AuditEvent
	}{
		{arnOf(goodChannel), "DuplicatedAuditEventId", []model.AuditEvent{audit("x", eventData("a"), ""), audit("x", eventData("b"), "")}},
		{"arn:aws:cloudtrail:eu-west-1:123456789012:trail/x", "InvalidChannelARN", nil},
		{arnOf("ABC"), "InvalidChannelARN", nil},
		{arnOf("00000000-0000-0000-0000-000000000000"), "ChannelNotFound", nil},
		{arnOf(farChannel), "ChannelNotFound", nil},
		{strings.Replace(arnOf(goodChannel), "eu-west-1", "us-east-1", 1), "ChannelNotFound", nil},
		{strings.Replace(arnOf(goodChannel), testAccount, otherKey.Account, 1), "ChannelInsufficientPermission", nil},
		{arnOf(wrongChannel), "ChannelUnsupportedSchema", nil},
		{arnOf(emptyChannel), "UnsupportedOperationException", nil},
		{arnOf(goodChannel), "ValidationException", []model.AuditEvent{}},
		{arnOf(goodChannel), "ValidationException", []model.AuditEvent{audit("not an id", eventData("a"), "")}},
	} {
		if c.events == nil {
			c.events = []model.AuditEvent{audit("x", eventData("a"), "")}
		}
		if a := put(c.arn, c.events...); a.code(t) != c.code {
			t.Errorf("%s: %d %s, want %s", c.arn, a.status, a.body, c.code)
		}
	}
	if len(got) != 0 {
		t.Errorf("%d deliveries of refused calls", len(got))
	}

	// What isn't durable isn't answered with success.
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{errors.New("a fault"), 500, "InternalFailure"},
		{fmt.Errorf("%w: full", ingest.ErrBusy), 400, "ThrottlingException"},
		{wal.ErrFailed, 503, "ServiceUnavailable"},
		{ingest.ErrClosed, 503, "ServiceUnavailable"},
	} {
		fails = c.err
		if a := put(arnOf(goodChannel), audit("x", eventData("a"), "")); a.status != c.status || a.code(t) != c.code {
			t.Errorf("%v: %d %s", c.err, a.status, a.body)
		}
		if got := attempts[event.ActivityID(arnOf(goodChannel), "x")]; got != c.code {
			t.Errorf("%v: the attempt is noted as %q", c.err, got)
		}
	}
}

func TestLimits(t *testing.T) {
	l, now := newLimits(2), time.Unix(1_800_000_000, 0)
	one, two := meta.Scope{Account: "1", Region: "a"}, meta.Scope{Account: "1", Region: "b"}
	for i, c := range []struct {
		sc   meta.Scope
		at   time.Duration
		good bool
	}{{one, 0, true}, {one, 0, true}, {one, 0, false}, {two, 0, true}, {one, 400 * time.Millisecond, false}, {one, 500 * time.Millisecond, true}, {one, 600 * time.Millisecond, false}, {one, 5 * time.Second, true}} {
		if err := l.take(c.sc, now.Add(c.at)); (err == nil) != c.good || err != nil && !awserr.Is(err, "ThrottlingException") {
			t.Errorf("call %d: %v", i, err)
		}
	}
	last := now.Add(5 * time.Second)
	for range 3 { // counts nothing
		if err := l.spent(one, last); err != nil {
			t.Errorf("a call is left: %v", err)
		}
	}
	if err := errors.Join(l.take(one, last), l.spent(two, last), l.spent(meta.Scope{Account: "unknown"}, last)); err != nil {
		t.Error(err)
	}
	if err := l.spent(one, last); !awserr.Is(err, "ThrottlingException") {
		t.Errorf("no call is left: %v", err)
	}
	for i := range 2 * maxLimiters {
		l.take(meta.Scope{Account: fmt.Sprint(i)}, now)
	}
	if len(l.scopes) > maxLimiters {
		t.Errorf("%d limiters", len(l.scopes))
	}
}
