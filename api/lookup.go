package api

import (
	"context"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/history"
)

// LookupEvents' limits by AWS's page on it: two calls a second of an account in a region, 50 events a page unless fewer are wanted.
const (
	lookupEventsRate = 2
	lookupEventsPage = 50
)

// HistoryReader answers look-ups; *history.Service is one.
type HistoryReader interface {
	Lookup(ctx context.Context, q history.Query) ([]history.Event, *history.Position, error)
}

// HandleHistory brings LookupEvents. Rate is the number of calls a second of an account in a region; 0: AWS's two.
func (s *Server) HandleHistory(h HistoryReader, rate float64) {
	if rate == 0 {
		rate = lookupEventsRate
	}
	register(s, "LookupEvents", (&lookupEvents{s, h, newLimits(rate)}).lookup)
}

type lookupEvents struct {
	s       *Server
	history HistoryReader
	limits  *limits
}

// insightAttributes are what Insights events can be looked up by.
var insightAttributes = map[history.Attribute]bool{history.EventID: true, history.EventName: true, history.EventSource: true}

func (h *lookupEvents) lookup(ctx context.Context, c *Call, in *model.LookupEventsRequest) (*model.LookupEventsResponse, error) {
	if err := h.limits.take(c.Scope, c.Time); err != nil {
		return nil, err
	}
	q := history.Query{Account: c.Scope.Account, Region: c.Scope.Region, From: c.Time.AddDate(0, 0, -history.Days), To: c.Time, Limit: lookupEventsPage, Now: c.Time}
	if in.MaxResults != nil {
		q.Limit = int(*in.MaxResults)
	}
	if err := lookupTimes(in, &q); err != nil {
		return nil, err
	}
	if err := lookupAttribute(in, &q); err != nil {
		return nil, err
	}
	bound := *in
	bound.MaxResults, bound.NextToken = nil, nil
	if in.NextToken != nil {
		q.After = new(history.Position)
		if err := h.s.tokens.open(c, bound, *in.NextToken, q.After); err != nil {
			return nil, err
		}
	}
	out := &model.LookupEventsResponse{Events: []model.Event{}}
	if in.EventCategory != nil {
		return out, nil // insight, the only one there is; none are made yet
	}
	events, next, err := h.history.Lookup(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		out.Events = append(out.Events, lookedUp(e))
	}
	if next != nil {
		if out.NextToken, err = h.s.tokens.seal(c, bound, next); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func lookupTimes(in *model.LookupEventsRequest, q *history.Query) error {
	first := q.From
	if in.StartTime != nil {
		q.From = in.StartTime.Time
	}
	if in.EndTime != nil {
		q.To = in.EndTime.Time
	}
	if in.StartTime != nil && in.EndTime != nil && q.From.After(q.To) {
		return awserr.New("InvalidTimeRangeException", "The start time must not be after the end time.")
	}
	// An empty answer would read as if nothing had happened.
	if q.To.Before(first) {
		return awserr.New("InvalidTimeRangeException", "Event history goes back %d days, to %s; the time range ends before that.", history.Days, first.UTC().Format(time.RFC3339))
	}
	return nil
}

func lookupAttribute(in *model.LookupEventsRequest, q *history.Query) error {
	switch len(in.LookupAttributes) {
	case 0:
		return nil
	case 1:
	default:
		return awserr.New("InvalidLookupAttributesException", "Only one lookup attribute can be given, not %d.", len(in.LookupAttributes))
	}
	q.Attribute, q.Value = history.Attribute(*in.LookupAttributes[0].AttributeKey), *in.LookupAttributes[0].AttributeValue
	if q.Attribute == history.ReadOnly && q.Value != "true" && q.Value != "false" {
		return awserr.New("InvalidLookupAttributesException", "The value of ReadOnly is true or false, not %.40q.", q.Value)
	}
	if in.EventCategory != nil && !insightAttributes[q.Attribute] {
		return awserr.New("InvalidLookupAttributesException", "Insights events are looked up by EventId, EventName or EventSource, not by %s.", q.Attribute)
	}
	return nil
}

// lookedUp is the API's form of an event. Members that the event doesn't have stay absent.
func lookedUp(e history.Event) model.Event {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	out := model.Event{EventId: text(e.ID), EventName: text(e.Name), ReadOnly: text(e.ReadOnly), AccessKeyId: text(e.AccessKeyID), EventTime: model.At(e.Time),
		EventSource: text(e.Source), Username: text(e.Username), Resources: []model.Resource{}, CloudTrailEvent: text(e.Text)}
	for _, r := range e.Resources {
		out.Resources = append(out.Resources, model.Resource{ResourceType: text(r.Type), ResourceName: text(r.Name)})
	}
	return out
}
