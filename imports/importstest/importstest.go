// Package importstest is what the tests of imports stand on: metadata in a temporary folder, one store, and an ingest that keeps events in memory.
package importstest

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/imports"
	"github.com/lochlake/loch/ingest"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/prometheus/client_golang/prometheus"
)

// Scope is whose everything is.
var Scope = meta.Scope{Account: "111122223333", Region: "eu-central-1"}

// StoreID is the store that takes imports.
const StoreID = "11111111-2222-4333-8444-555555555555"

// Lake keeps events by identity, as ingest and the tables would.
type Lake struct {
	mu     sync.Mutex
	events map[string][32]byte
	texts  int64
	nils   int
	// Gate, where not nil, is called before a delivery is taken; its error refuses it.
	Gate func(ctx context.Context, d ingest.Delivery) error
}

type ticket struct{ counts meta.Counts }

func (t ticket) Wait(context.Context) (meta.Counts, error) { return t.counts, nil }

// Accept takes a delivery.
func (l *Lake) Accept(ctx context.Context, d ingest.Delivery) (imports.Ticket, error) {
	if l.Gate != nil {
		if err := l.Gate(ctx, d); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events == nil {
		l.events = map[string][32]byte{}
	}
	if d.Payload == nil {
		l.nils++
	}
	c := meta.Counts{Read: d.Read, Bad: d.Read - int64(len(d.Records))}
	for _, r := range d.Records {
		switch hash, known := l.events[r.ID]; {
		case r.Kind != event.CloudTrail:
			c.Filtered++
		case known && hash == r.Hash:
			c.Known++
		default:
			l.events[r.ID] = r.Hash
			l.texts += int64(len(r.Text))
			c.Stored++
		}
	}
	return ticket{c}, nil
}

// Len is how many events are kept.
func (l *Lake) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

// WithoutPayload is how many deliveries brought records alone.
func (l *Lake) WithoutPayload() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nils
}

// DB opens metadata with one store named "audit".
func DB(t testing.TB) meta.DB {
	t.Helper()
	db, err := meta.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	AddStore(t, db, meta.EventDataStore{Scope: Scope, ID: StoreID, Name: "audit", Status: "ENABLED", Kind: uint8(event.CloudTrail), RetentionDays: 2557})
	return db
}

// AddStore makes another store.
func AddStore(t testing.TB, db meta.DB, s meta.EventDataStore) {
	t.Helper()
	s.Created = time.Now().UTC().Truncate(time.Millisecond)
	s.Updated = s.Created
	if err := db.CreateStore(context.Background(), s); err != nil {
		t.Fatal(err)
	}
}

// Service makes a service; the caller closes it.
func Service(db meta.DB, l *Lake, s3 objstore.S3Config) *imports.Service {
	return imports.New(imports.Config{DB: db, Accept: l.Accept, Flush: func(context.Context) error { return nil }, S3: s3, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
}

// Record is the text of one event.
func Record(id string, at time.Time) string {
	return fmt.Sprintf(`{"eventVersion":"1.08","eventTime":%q,"eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-central-1","eventID":%q,`+
		`"eventType":"AwsApiCall","eventCategory":"Management","recipientAccountId":"111122223333","userAgent":"[aws-cli/2.0]"}`, at.UTC().Format(time.RFC3339), id)
}

// File is a log file, compressed, of n events whose ids begin with name, a second apart.
func File(name string, n int, at time.Time) []byte { return Gzip(Plain(name, n, at)) }

// Plain is File before compression.
func Plain(name string, n int, at time.Time) []byte {
	b := []byte(`{"Records":[`)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, Record(fmt.Sprintf("%s-%d", name, i), at.Add(time.Duration(i)*time.Second))...)
	}
	return append(b, "]}"...)
}

// Gzip compresses.
func Gzip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b) // a buffer takes everything
	w.Close()
	return out.Bytes()
}
