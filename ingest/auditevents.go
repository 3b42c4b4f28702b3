package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/lochlake/loch/event"
)

// AuditEventsEncoding is the Delivery.Encoding of an AuditEvents payload.
const AuditEventsEncoding = "audit-events"

// AuditEvents is what the durable log keeps of one PutAuditEvents call: the events that were accepted, with what their records are made of besides.
// The same payload gives the same records, whenever it is decoded.
type AuditEvents struct {
	Channel  string // ARN
	Account  string // of the channel's owner
	Region   string
	Received time.Time // kept to the microsecond
	Events   []AuditEvent
}

// AuditEvent is one of them.
type AuditEvent struct {
	ID   string // the sender's id
	Data []byte // eventData, exactly as sent
}

const auditEventsVersion = 1

// Encode writes the payload: a version byte, channel, account and region, the time in microseconds, the number of events, and of each the id and the
// text; lengths and numbers are varints.
func (a *AuditEvents) Encode() []byte {
	size := 64 + len(a.Channel)
	for i := range a.Events {
		size += len(a.Events[i].ID) + len(a.Events[i].Data) + 6
	}
	b := append(make([]byte, 0, size), auditEventsVersion)
	for _, s := range []string{a.Channel, a.Account, a.Region} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	b = binary.AppendVarint(b, a.Received.UnixMicro())
	b = binary.AppendUvarint(b, uint64(len(a.Events)))
	for _, e := range a.Events {
		b = append(binary.AppendUvarint(b, uint64(len(e.ID))), e.ID...)
		b = append(binary.AppendUvarint(b, uint64(len(e.Data))), e.Data...)
	}
	return b
}

var errAuditEvents = errors.New("the payload of a PutAuditEvents call is cut or damaged")

// DecodeAuditEvents reads a payload. The events' texts share its memory.
func DecodeAuditEvents(payload []byte) (*AuditEvents, error) {
	if len(payload) == 0 {
		return nil, errAuditEvents
	}
	if payload[0] != auditEventsVersion {
		return nil, fmt.Errorf("the payload of a PutAuditEvents call is of version %d, which this program doesn't know", payload[0])
	}
	rest, ok := payload[1:], true
	number := func() uint64 {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			ok, rest = false, nil
			return 0
		}
		rest = rest[size:]
		return n
	}
	text := func() []byte {
		n := number()
		if n > uint64(len(rest)) {
			ok, rest = false, nil
			return nil
		}
		b := rest[:n:n]
		rest = rest[n:]
		return b
	}
	a := &AuditEvents{Channel: string(text()), Account: string(text()), Region: string(text())}
	micros, size := binary.Varint(rest)
	if size <= 0 {
		return nil, errAuditEvents
	}
	rest = rest[size:]
	a.Received = time.UnixMicro(micros).UTC()
	for n := number(); n > 0 && ok; n-- {
		a.Events = append(a.Events, AuditEvent{ID: string(text()), Data: text()})
	}
	if !ok || len(rest) > 0 {
		return nil, errAuditEvents
	}
	return a, nil
}

// Records decodes the events, which were accepted once, so that an error means another decoder or damage.
func (a *AuditEvents) Records(d *event.Decoder) ([]event.Record, error) {
	records := make([]event.Record, len(a.Events))
	for i, e := range a.Events {
		var err error
		if records[i], err = d.DecodeActivity(e.Data, e.ID, a.Channel, a.Account, a.Region, a.Received); err != nil {
			return nil, fmt.Errorf("audit event %.128q of channel %s: %w", e.ID, a.Channel, err)
		}
	}
	return records, nil
}
