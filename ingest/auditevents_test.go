package ingest

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"pgregory.net/rapid"
)

func someAuditEvents() *AuditEvents {
	const text = `{"version":"1","userIdentity":{"type":"User","principalId":"p"},"eventSource":"wiz.io","eventName":"Login","eventTime":"2026-01-02T03:04:05Z","UID":"u","recipientAccountId":"123456789012"}`
	return &AuditEvents{Channel: "arn:aws:cloudtrail:eu-west-1:123456789012:channel/11111111-1111-1111-1111-111111111111", Account: "123456789012", Region: "eu-west-1",
		Received: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC), Events: []AuditEvent{{"a", []byte(text)}, {"b", []byte(" " + text + "\n")}}}
}

func TestAuditEvents(t *testing.T) {
	for _, a := range []*AuditEvents{someAuditEvents(), {Received: time.UnixMicro(-1).UTC()}} {
		got, err := DecodeAuditEvents(a.Encode())
		if err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("%+v %v\nwant %+v", got, err, a)
		}
	}
	a := someAuditEvents()
	records, err := a.Records(event.NewDecoder())
	if err != nil || len(records) != 2 || records[0].ID != event.ActivityID(a.Channel, "a") || !bytes.Equal(records[1].Text, a.Events[1].Data) || records[0].Region != "eu-west-1" {
		t.Errorf("%+v %v", records, err)
	}
	b := a.Encode()
	for i := range b {
		if _, err := DecodeAuditEvents(b[:i]); err == nil {
			t.Errorf("cut at %d, it was taken", i)
		}
	}
	if _, err := DecodeAuditEvents(append(b, 0)); err == nil {
		t.Error("something after it was taken")
	}
	b[0] = 2
	if _, err := DecodeAuditEvents(b); err == nil {
		t.Error("another version was taken")
	}
	a.Account = "210987654321"
	if _, err := a.Records(event.NewDecoder()); err == nil {
		t.Error("an event that was never accepted")
	}
}

// Whatever bytes decode, they decode to what encodes to the same again; none makes the decoder fail otherwise than by an error.
func TestAuditEventsDamaged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := someAuditEvents().Encode()
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		a, err := DecodeAuditEvents(b)
		if err != nil {
			return
		}
		again, err := DecodeAuditEvents(a.Encode())
		if err != nil || !reflect.DeepEqual(a, again) {
			t.Errorf("%+v %v, want %+v", again, err, a)
		}
	})
}
