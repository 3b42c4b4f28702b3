package main

import (
	"crypto/sha256"
	"sync"

	"github.com/google/uuid"
)

// fate is what a sender knows of an event. The greatest that it ever knew counts.
type fate uint8

const (
	refused fate = iota + 1 // told to come again, or not even sent: it must not be there
	unknown                 // no answer, or one that leaves it open: it may be there, once
	acked                   // it must be there, once
)

// sent is an event as a sender remembers it.
type sent struct {
	fate fate
	sum  [8]byte // of the text's SHA-256
}

// ledger is the senders' record of what should be in one store.
type ledger struct {
	mu   sync.Mutex
	sent map[uuid.UUID]sent
}

func newLedger() *ledger { return &ledger{sent: map[uuid.UUID]sent{}} }

// item is an event that is sent.
type item struct {
	id  uuid.UUID
	sum [8]byte
}

func newItem(eventID string, text []byte) item {
	id, err := uuid.Parse(eventID)
	if err != nil {
		id = uuid.NewSHA1(uuid.NameSpaceOID, []byte(eventID))
	}
	sum := sha256.Sum256(text)
	return item{id, [8]byte(sum[:8])}
}

// note enters what became of events.
func (l *ledger) note(items []item, f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range items {
		l.sent[i.id] = sent{max(f, l.sent[i.id].fate), i.sum}
	}
}

// counts tells how many events have which fate.
func (l *ledger) counts() (n [acked + 1]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sent {
		n[s.fate]++
	}
	return n
}
