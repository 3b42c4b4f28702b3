// Package history answers look-ups over event history: the last 90 days of management events of an account, region by region. They lie in an
// event data store of the account's own; this room writes the statements that read it. It knows nothing of HTTP.
package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
)

// Days is how long event history goes back ("Working with CloudTrail event history" of the AWS CloudTrail user guide).
const Days = 90

// Attribute is what a look-up may ask for, by AWS's name.
type Attribute string

// The attributes of the API's LookupAttributeKey.
const (
	EventID      Attribute = "EventId"
	EventName    Attribute = "EventName"
	ReadOnly     Attribute = "ReadOnly"
	Username     Attribute = "Username"
	ResourceType Attribute = "ResourceType"
	ResourceName Attribute = "ResourceName"
	EventSource  Attribute = "EventSource"
	AccessKeyID  Attribute = "AccessKeyId"
)

// Query is one look-up.
type Query struct {
	Account   string
	Region    string
	Attribute Attribute // "" for none
	Value     string    // of the attribute, compared exactly; of ReadOnly "true" or "false"
	From, To  time.Time // of eventTime, both included
	After     *Position // where the page before ended; nil for the first
	Limit     int       // events of the page
	Now       time.Time // the 90 days end here
}

// Position is the place of an event in the order of answers: newest first, and those of one time by how they came. It is unique in a store and stays
// when files are rewritten.
type Position struct {
	Time     int64  `json:"t"` // microseconds since the Unix epoch
	Writer   string `json:"w"`
	Epoch    int64  `json:"e"`
	Sequence int64  `json:"s"`
	Place    int64  `json:"p"`
}

// Event is one event of an answer. What it doesn't have is "".
type Event struct {
	ID          string
	Name        string
	Source      string
	Username    string
	AccessKeyID string
	ReadOnly    string // "true" or "false"
	Time        time.Time
	Resources   []Resource
	Text        string // the event as it came, byte for byte
}

// Resource is one that an event names.
type Resource struct{ Type, Name string }

// Planner plans which files hold what is asked for; *lake.Lake is one.
type Planner interface {
	Plan(ctx context.Context, storeID string, preds []lake.Predicate) (*lake.Plan, error)
}

// Config is what a Service works with.
type Config struct {
	Lake    Planner
	Engine  engine.Engine
	StoreID func(account string) string // of the account's event history
	AtOnce  int                         // look-ups that run at once, the others wait; 0: 4
}

// Service answers look-ups.
type Service struct {
	cfg   Config
	slots chan struct{}
}

// New makes a Service.
func New(cfg Config) *Service {
	if cfg.AtOnce <= 0 {
		cfg.AtOnce = 4
	}
	return &Service{cfg, make(chan struct{}, cfg.AtOnce)}
}

// runLimits bound one statement.
var runLimits = engine.Limits{Memory: 512 << 20, Threads: 1, Temp: 1 << 30, Time: time.Minute}

// Lookup gives a page of events, and where the next one begins, nil where there is none.
func (s *Service) Lookup(ctx context.Context, q Query) ([]Event, *Position, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	from, to := q.From.UnixMicro(), q.To.UnixMicro()
	if first := q.Now.AddDate(0, 0, -Days).UnixMicro(); from < first {
		from = first
	}
	if q.After != nil && q.After.Time < to {
		to = q.After.Time
	}
	var events []Event
	var next *Position
	// Most pages are filled by the newest events, so time is gone through in windows, from its end. A store without events of that time has no files,
	// and costs nothing.
	for w := newWindows(from, to, q.Attribute != ""); len(events) < q.Limit; {
		plan, lo, hi, err := s.plan(ctx, q, w)
		if errors.Is(err, lake.ErrNoTable) {
			return nil, nil, nil // the account had no events yet
		}
		if err != nil {
			return nil, nil, err
		}
		if plan == nil {
			return events, nil, nil
		}
		// One more than is wanted tells whether there is a next page.
		more, at, err := s.run(ctx, q, plan, lo, hi, q.Limit-len(events)+1)
		plan.Release()
		if err != nil {
			return nil, nil, err
		}
		if len(events)+len(more) > q.Limit {
			keep := q.Limit - len(events)
			events, next = append(events, more[:keep]...), &at[keep-1]
			return events, next, nil
		}
		events = append(events, more...)
		if len(events) == q.Limit && w.left() {
			return events, &at[len(at)-1], nil // older ones may follow; the next page finds out
		}
	}
	return events, nil, nil
}

// plan gives the next window that has files, and its bounds; nil where there is none.
func (s *Service) plan(ctx context.Context, q Query, w *windows) (plan *lake.Plan, lo, hi int64, err error) {
	for w.left() {
		lo, hi = w.next()
		plan, err = s.cfg.Lake.Plan(ctx, s.cfg.StoreID(q.Account), predicates(q, lo, hi))
		if err != nil {
			return nil, 0, 0, err
		}
		if !w.enough(plan.Rows) {
			plan.Release()
			continue
		}
		w.take(lo)
		if len(plan.Files) > 0 {
			return plan, lo, hi, nil
		}
		plan.Release()
	}
	return nil, 0, 0, nil
}

// run reads one window.
func (s *Service) run(ctx context.Context, q Query, plan *lake.Plan, lo, hi int64, limit int) ([]Event, []Position, error) {
	rel := engine.Relation{Name: relation, Schema: plan.Schema, Columns: columns, Where: within(q, lo, hi)}
	for _, f := range plan.Files {
		rel.Files = append(rel.Files, engine.File{Key: f.Key, Size: f.Size, Rows: f.Rows, Local: f.Local})
	}
	var events []Event
	var at []Position
	_, err := s.cfg.Engine.Run(ctx, engine.Job{SQL: statement(q, lo, hi, limit), Relations: []engine.Relation{rel}, Columns: answer, Limits: runLimits}, func(row []engine.Value) error {
		e, p, err := read(row)
		if err != nil {
			return err
		}
		events, at = append(events, e), append(at, p)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("event history: %w", err)
	}
	return events, at, nil
}

// read takes a row in the order of answer.
func read(row []engine.Value) (Event, Position, error) {
	var bad error
	text := func(i int) string { return string(row[i].Text) }
	number := func(i int) int64 {
		n, err := strconv.ParseInt(text(i), 10, 64)
		if err != nil {
			bad = fmt.Errorf("event history: column %s: %w", answer[i].Name, err)
		}
		return n
	}
	p := Position{Time: number(0), Writer: text(1), Epoch: number(2), Sequence: number(3), Place: number(4)}
	e := Event{Time: time.UnixMicro(p.Time).UTC(), ID: text(5), Name: text(6), Source: text(7), ReadOnly: text(8), AccessKeyID: text(9), Username: text(10), Text: text(12)}
	if !row[11].Null {
		if err := json.Unmarshal(row[11].Text, &e.Resources); err != nil {
			bad = fmt.Errorf("event history: resources: %w", err)
		}
		e.Resources = distinct(e.Resources)
	}
	return e, p, bad
}

// distinct leaves out what has neither type nor name, and what was named before.
func distinct(all []Resource) []Resource {
	var kept []Resource
	for _, r := range all {
		if r != (Resource{}) && !slices.Contains(kept, r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// predicates are what planning can know of a look-up.
func predicates(q Query, lo, hi int64) []lake.Predicate {
	p := []lake.Predicate{
		{Path: "eventtime", Op: lake.GreaterEqual, Values: []lake.Value{{Num: lo}}},
		{Path: "eventtime", Op: lake.LessEqual, Values: []lake.Value{{Num: hi}}},
		{Path: "awsregion", Op: lake.Equal, Values: []lake.Value{{Text: q.Region}}},
	}
	path := map[Attribute]string{EventID: "eventid", EventName: "eventname", EventSource: "eventsource", AccessKeyID: "useridentity.accesskeyid"}[q.Attribute]
	if path != "" {
		p = append(p, lake.Predicate{Path: path, Op: lake.Equal, Values: []lake.Value{{Text: q.Value}}})
	}
	return p
}

// Kind is the kind of store that event history is.
const Kind = event.CloudTrail
