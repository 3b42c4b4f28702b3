package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// FileVersion is the version of the proof files that this package writes.
const FileVersion = 1

// File is a proof that needs nothing else: that an event was accepted, and stands in a store's log under a signed checkpoint.
type File struct {
	Version    int       `json:"v"`
	Store      string    `json:"store"` // ID
	Event      FileEvent `json:"event"`
	Text       []byte    `json:"text"`       // exact; in base64
	BatchIndex uint64    `json:"batchIndex"` // of the event in its batch's tree
	BatchPath  []Digest  `json:"batchPath"`  // from the event's sibling up
	Leaf       string    `json:"leaf"`       // as it lies in the log
	Index      uint64    `json:"index"`      // of the leaf in the log
	Path       []Digest  `json:"path"`
	Checkpoint string    `json:"checkpoint"`
}

// FileEvent is an event's envelope.
type FileEvent struct {
	ID         string `json:"id"`
	Writer     string `json:"writer"`
	Epoch      int64  `json:"epoch"`
	Sequence   int64  `json:"sequence"`
	Position   int32  `json:"position"`
	Accepted   int64  `json:"accepted"` // microseconds since the Unix epoch
	Provenance string `json:"provenance"`
	Conflict   bool   `json:"conflict"`
}

// ParseFile reads a proof.
func ParseFile(text []byte) (f File, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf("no proof: %w", err)
	}
	if f.Version != FileVersion {
		return f, fmt.Errorf("a proof of version %d, which this program doesn't know", f.Version)
	}
	return f, nil
}

// AcceptedAt is when the event was accepted.
func (f *File) AcceptedAt() string { return Time(time.UnixMicro(f.Event.Accepted)) }

// Verify checks the proof against nothing but the key: the text and the envelope make the event's leaf, that and its path the root of the batch, the batch's leaf
// and its path the root of the checkpoint, and the key signed that.
func (f *File) Verify(key PublicKey) error {
	cp, err := OpenCheckpoint([]byte(f.Checkpoint), key, f.Store)
	if err != nil {
		return err
	}
	root, err := RootFromPath(LeafHash([]byte(f.Leaf)), f.Index, cp.Size, hashes(f.Path))
	if err != nil {
		return fmt.Errorf("the path in the log: %w", err)
	}
	if root != cp.Root {
		return errors.New("the leaf is not in the tree of the checkpoint")
	}
	leaf, err := DecodeLeaf([]byte(f.Leaf))
	if err != nil {
		return err
	}
	b, e := leaf.Batch, f.Event
	if b == nil {
		return errors.New("the leaf is not one of a batch of events")
	}
	text := Hash(sha256.Sum256(f.Text))
	var h Hasher
	own := h.Leaf(&Event{ID: e.ID, Writer: e.Writer, Epoch: e.Epoch, Sequence: e.Sequence, Position: e.Position, Accepted: e.Accepted, Provenance: e.Provenance, Conflict: e.Conflict, Text: text})
	root, err = RootFromPath(own, f.BatchIndex, uint64(b.Count), hashes(f.BatchPath))
	if err != nil {
		return fmt.Errorf("the path in the batch: %w", err)
	}
	if Digest(root) != b.Root {
		return errors.New("the event is not in the tree of the batch: its text or its envelope is another")
	}
	if b.Writer != e.Writer || b.Epoch != e.Epoch || b.Sequence != e.Sequence || e.Position < b.First || e.Position > b.Last {
		return errors.New("the event's envelope is not one of the batch")
	}
	return nil
}

func hashes(in []Digest) []Hash {
	out := make([]Hash, len(in))
	for i := range in {
		out[i] = Hash(in[i])
	}
	return out
}

// Digests are hashes as proofs and leaves write them.
func Digests(in []Hash) []Digest {
	out := make([]Digest, len(in))
	for i := range in {
		out[i] = Digest(in[i])
	}
	return out
}
