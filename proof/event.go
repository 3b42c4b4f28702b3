// Package proof holds what makes a lake's history checkable by anyone: the hash of an event as it was kept, the leaves of a store's transparency
// log, Merkle trees (RFC 6962), signed checkpoints, and proofs that need neither server nor network to be checked. docs/proofs.md specifies every
// format. The package knows neither HTTP nor where events or logs are stored.
package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Hash is a SHA-256.
type Hash = [sha256.Size]byte

// Event is an event as it was kept: its envelope, which is what Loch added when it accepted it, and the hash of its exact text.
type Event struct {
	ID         string // eventID, or the hex form of Text where the record has none
	Writer     string // the server that accepted it
	Epoch      int64  // of the writer: raised at every start
	Sequence   int64  // the durable log's record that brought it
	Position   int32  // its place in that record
	Accepted   int64  // microseconds since the Unix epoch, UTC
	Provenance string // import object's location, channel ARN, or source
	Conflict   bool   // the identity was known with another text
	Text       Hash   // SHA-256 of the exact text
}

// eventMagic begins every envelope and names its version.
const eventMagic = "loch/event/1\n"

// IDOf is the identity of an event with that eventID (empty or nil: it has none) and that hash of its text.
func IDOf(eventID []byte, text Hash) string {
	if len(eventID) > 0 {
		return string(eventID)
	}
	return hex.EncodeToString(text[:])
}

// AppendEnvelope appends the canonical form of the event: the magic, then ID, writer and provenance, each behind its length in four bytes, then epoch,
// sequence, accepted (eight bytes each), position (four), conflict (one, 0 or 1), and the hash of the text. Numbers are big-endian.
func (e *Event) AppendEnvelope(b []byte) []byte {
	b = append(b, eventMagic...)
	for _, s := range [...]string{e.ID, e.Writer, e.Provenance} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, n := range [...]int64{e.Epoch, e.Sequence, e.Accepted} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(e.Position))
	if e.Conflict {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return append(b, e.Text[:]...)
}

// Hasher hashes events one after another, and keeps its buffer.
type Hasher struct{ buf []byte }

// Entry is the event's entry in the tree of its batch: the SHA-256 of its canonical form.
func (h *Hasher) Entry(e *Event) Hash {
	h.buf = e.AppendEnvelope(h.buf[:0])
	return sha256.Sum256(h.buf)
}

// Leaf is the event's leaf in the tree of its batch: the RFC 6962 leaf hash of its entry.
func (h *Hasher) Leaf(e *Event) Hash {
	entry := h.Entry(e)
	return LeafHash(entry[:])
}
