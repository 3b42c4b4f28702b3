package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/wal"
)

// putAuditEventsRate is AWS's quota of PutAuditEvents: calls a second of an account in a region.
const putAuditEventsRate = 100

// ChannelFinder finds a channel and the stores that it leads to; meta.DB is one.
type ChannelFinder interface {
	Channel(ctx context.Context, id string) (meta.Channel, error)
	Store(ctx context.Context, id string) (meta.EventDataStore, error)
}

// Accepter makes deliveries durable; *ingest.Ingest is one. When it returns without an error the events are kept, whatever happens.
type Accepter interface {
	Accept(ctx context.Context, d ingest.Delivery) (*ingest.Ticket, error)
	// Room is ingest.ErrBusy where a delivery that takes n bytes of memory would not be accepted now.
	Room(ctx context.Context, n int64) error
}

// AuditEvents is what PutAuditEvents works with.
type AuditEvents struct {
	Channels ChannelFinder
	Ingest   Accepter
	// Attempted notes what became of a channel's latest events, for its IngestionStatus: an eventID, and an error's code, "" of a success.
	Attempted func(channelID, eventID, code string)
	Rate      float64 // calls a second of an account in a region; 0: AWS's quota of 100
}

// HandleAuditEvents brings PutAuditEvents.
func (s *Server) HandleAuditEvents(a AuditEvents) {
	if a.Rate == 0 {
		a.Rate = putAuditEventsRate
	}
	h := &auditEvents{AuditEvents: a, limits: newLimits(a.Rate), decoders: sync.Pool{New: func() any { return event.NewDecoder() }}, decoding: s.decoding}
	register(s, "PutAuditEvents", h.put)
	op := s.operations["PutAuditEvents"]
	op.admit = h.admit
	s.operations["PutAuditEvents"] = op
}

type auditEvents struct {
	AuditEvents
	limits   *limits
	decoders sync.Pool // of *event.Decoder
	decoding func(context.Context, func() error) error

	bytes atomic.Int64 // of the bodies of calls that were admitted and are not answered, as announced
}

// auditGrowth is how many times its size a body takes of the memory of accepted events: 3.7 was measured for events of 700 bytes, and larger ones take less.
const auditGrowth = 4

// admit refuses what the quota or the memory of accepted events would refuse when all was read and decoded. They decide again then.
func (h *auditEvents) admit(ctx context.Context, claimed meta.Scope, now time.Time, n int64) (leave func(), err error) {
	if err := h.limits.spent(claimed, now); err != nil {
		return nil, err
	}
	leave = func() { h.bytes.Add(-n) }
	if err := h.Ingest.Room(ctx, auditGrowth*h.bytes.Add(n)); err != nil {
		leave()
		return nil, refusal(err)
	}
	return leave, nil
}

// put answers after the good events are durable. Bad ones are told one by one; they stop no other.
func (h *auditEvents) put(ctx context.Context, c *Call, in *model.PutAuditEventsRequest) (*model.PutAuditEventsResponse, error) {
	if err := h.limits.take(c.Scope, c.Time); err != nil {
		return nil, err
	}
	channel, stores, err := h.channel(ctx, c, *in.ChannelArn)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]bool, len(in.AuditEvents))
	for _, e := range in.AuditEvents {
		if ids[*e.Id] {
			return nil, awserr.New("DuplicatedAuditEventId", "Two or more entries in the request have the same event ID: %s.", *e.Id)
		}
		ids[*e.Id] = true
	}

	out := &model.PutAuditEventsResponse{Failed: []model.ResultErrorEntry{}, Successful: []model.AuditEventResultEntry{}}
	// To the microsecond, as the log keeps it: a restart makes the same records.
	kept := ingest.AuditEvents{Channel: *in.ChannelArn, Account: c.Scope.Account, Region: c.Scope.Region, Received: c.Time.Truncate(time.Microsecond)}
	records := make([]event.Record, 0, len(in.AuditEvents))
	err = h.decoding(ctx, func() error {
		decoder := h.decoders.Get().(*event.Decoder)
		defer h.decoders.Put(decoder)
		for _, e := range in.AuditEvents {
			data := []byte(*e.EventData)
			r, err := decodeAuditEvent(decoder, data, &e, &kept)
			if err != nil {
				h.Attempted(channel, event.ActivityID(kept.Channel, *e.Id), err.Code)
				out.Failed = append(out.Failed, model.ResultErrorEntry{Id: e.Id, ErrorCode: &err.Code, ErrorMessage: &err.Message})
				continue
			}
			kept.Events = append(kept.Events, ingest.AuditEvent{ID: *e.Id, Data: data})
			records = append(records, r)
			out.Successful = append(out.Successful, model.AuditEventResultEntry{Id: e.Id, EventID: &r.ID})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return out, nil
	}
	// What can't be taken now is refused at once, so that senders slow down and nobody's memory fills.
	_, err = h.Ingest.Accept(ctx, ingest.Delivery{Payload: kept.Encode(), Encoding: ingest.AuditEventsEncoding, Provenance: kept.Channel, Records: records,
		Read: int64(len(in.AuditEvents)), Scope: c.Scope, Stores: stores, NoWait: true})
	last := records[len(records)-1].ID
	if err != nil {
		refused := refusal(err)
		h.Attempted(channel, last, refused.Code)
		return nil, refused
	}
	h.Attempted(channel, last, "")
	return out, nil
}

// refusal is the API's error for a delivery that was not accepted.
func refusal(err error) *awserr.Error {
	err = fmt.Errorf("accepting audit events: %w", err)
	switch {
	case errors.Is(err, ingest.ErrBusy): // no fault, and too frequent for a line of its own in the log
		return awserr.New(throttling, "Events come faster than they can be stored. Try again later.")
	case errors.Is(err, ingest.ErrClosed), errors.Is(err, wal.ErrFailed), errors.Is(err, meta.ErrSetBack):
		return &awserr.Error{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Message: "The server cannot store events now. Try again later.", Err: err}
	}
	return awserr.From(err)
}

// decodeAuditEvent checks one event's checksum and content.
func decodeAuditEvent(d *event.Decoder, data []byte, e *model.AuditEvent, a *ingest.AuditEvents) (event.Record, *event.ActivityError) {
	if e.EventDataChecksum != nil {
		sum := sha256.Sum256(data)
		if base64.StdEncoding.EncodeToString(sum[:]) != *e.EventDataChecksum {
			return event.Record{}, &event.ActivityError{Code: "InvalidChecksum", Message: "eventDataChecksum is not the base64 form of eventData's SHA-256"}
		}
	}
	r, err := d.DecodeActivity(data, *e.Id, a.Channel, a.Account, a.Region, a.Received)
	if err == nil {
		return r, nil
	}
	bad, ok := errors.AsType[*event.ActivityError](err)
	if !ok {
		bad = &event.ActivityError{Code: "InternalFailure", Message: "the event could not be decoded"}
	}
	return event.Record{}, bad
}

var channelARN = regexp.MustCompile(`\Aarn:aws[a-z-]*:cloudtrail:([a-z0-9-]+):([0-9]{12}):channel/([0-9a-f-]{36})\z`)

// channel gives the channel's id, and the stores that it leads to and that can take its events.
func (h *auditEvents) channel(ctx context.Context, c *Call, arn string) (id string, stores []string, err error) {
	parts := channelARN.FindStringSubmatch(arn)
	if parts == nil {
		return "", nil, awserr.New("InvalidChannelARN", "The specified channel ARN is not a valid channel ARN: %.256s", arn)
	}
	// Told of every ARN of another account, so that it doesn't tell which exist.
	if parts[2] != c.Scope.Account {
		return "", nil, awserr.New("ChannelInsufficientPermission", "The caller's account ID must be the same as the channel owner's account ID.")
	}
	notFound := awserr.New("ChannelNotFound", "The channel could not be found: %s", arn)
	if parts[1] != c.Scope.Region {
		return "", nil, notFound
	}
	ch, err := h.Channels.Channel(ctx, parts[3])
	if errors.Is(err, meta.ErrNotFound) || err == nil && ch.Scope != c.Scope {
		return "", nil, notFound
	} else if err != nil {
		return "", nil, err
	}
	var destinations []model.Destination
	if err := json.Unmarshal(ch.Destinations, &destinations); err != nil {
		return "", nil, fmt.Errorf("channel %s: destinations: %w", ch.ID, err)
	}
	foreign := false
	for _, d := range destinations {
		id := (*d.Location)[strings.LastIndexByte(*d.Location, '/')+1:]
		store, err := h.Channels.Store(ctx, id)
		switch {
		case errors.Is(err, meta.ErrNotFound) || err == nil && store.Status == "PENDING_DELETION":
		case err != nil:
			return "", nil, err
		case event.Kind(store.Kind) != event.Activity:
			foreign = true
		default:
			stores = append(stores, id)
		}
	}
	switch {
	case len(stores) > 0:
		return ch.ID, stores, nil
	case foreign:
		return "", nil, awserr.New("ChannelUnsupportedSchema", "The schema type of the event is not supported: the channel leads to no event data store for events from outside AWS.")
	}
	// Answering success would lose the events.
	return "", nil, awserr.New("UnsupportedOperationException", "The channel leads to no event data store that takes events: each was deleted or is about to be.")
}
