package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// LeafVersion is the version of the leaves that this package writes.
const LeafVersion = 1

// Leaf is one entry of a store's log: exactly one of its parts. Its bytes are JSON, as Encode writes it; a log's hashes are of those bytes, so that who reads
// a leaf need not write it again.
type Leaf struct {
	Version  int       `json:"v"`
	Batch    *Batch    `json:"batch,omitempty"`
	Snapshot *Snapshot `json:"snapshot,omitempty"`
	Removal  *Removal  `json:"removal,omitempty"`
	Store    *Store    `json:"store,omitempty"`
	Hold     *Hold     `json:"hold,omitempty"`
	Erasure  *Erasure  `json:"erasure,omitempty"`
}

// Digest is a SHA-256 as leaves write it: 64 hexadecimal digits.
type Digest Hash

// MarshalText is for JSON.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText is for JSON.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("%.100q is no SHA-256 in hexadecimal digits", text)
	}
	_, err := hex.Decode(d[:], text)
	return err
}

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Batch says that one commit brought those events: the rows of one record of the durable log, of one day of eventTime, that came to the table together. A
// record whose rows came in several commits has several batches of a day, whose positions do not overlap.
type Batch struct {
	Writer   string `json:"writer"`
	Epoch    int64  `json:"epoch"`
	Sequence int64  `json:"sequence"`
	Day      string `json:"day"` // of eventTime: YYYY-MM-DD
	First    int32  `json:"first"`
	Last     int32  `json:"last"`
	Count    int64  `json:"count"`
	Root     Digest `json:"root"` // of the Merkle tree of the events' leaves, in order of position
}

// Snapshot says what a change of a store's table made of it: the files that lie below the table's folder. A change of many files has several leaves, one after
// another; Metadata, List and Manifests stand in the first.
type Snapshot struct {
	ID        int64      `json:"id"` // of the Iceberg snapshot that is current after it; 0: the table is empty
	Parent    int64      `json:"parent"`
	Part      int        `json:"part"` // from 1
	Parts     int        `json:"parts"`
	Metadata  *Object    `json:"metadata,omitempty"`  // the table's metadata after the change
	List      *Object    `json:"list,omitempty"`      // the snapshot's manifest list, where the change made it
	Manifests []Object   `json:"manifests,omitempty"` // that the change wrote
	Added     []DataFile `json:"added,omitempty"`
	Removed   []string   `json:"removed,omitempty"` // paths
}

// Object is a file by its path relative to the table's folder, and its content.
type Object struct {
	Path   string `json:"path"`
	SHA256 Digest `json:"sha256"`
}

// DataFile is a file of events, and what the table's metadata says of it.
type DataFile struct {
	Object
	Size  int64  `json:"size"` // bytes
	Rows  int64  `json:"rows"`
	Stats Digest `json:"stats"` // of the canonical form of its statistics: see Stats.Digest
}

// Removal says that events are gone.
type Removal struct {
	Rule string   `json:"rule"` // retention: older than the store keeps; deletion: the whole store, its seven days over
	Due  string   `json:"due"`  // RFC 3339
	At   string   `json:"at"`
	Days []string `json:"days,omitempty"` // of eventTime: every batch of them is gone; none: every batch
}

// Erasure says that an event's text and columns were taken out of the store, which keeps a tombstone in its place: envelope, time, and the hash of the text.
type Erasure struct {
	Writer   string `json:"writer"`
	Epoch    int64  `json:"epoch"`
	Sequence int64  `json:"sequence"`
	Day      string `json:"day"`
	Position int32  `json:"position"`
	Time     string `json:"time"`  // eventTime, RFC 3339
	Entry    Digest `json:"entry"` // the event's in its batch's tree: see Event.Entry
	Reason   string `json:"reason"`
	By       string `json:"by"` // ARN of the caller
	At       string `json:"at"` // RFC 3339
}

// Store says what a store is from then on.
type Store struct {
	Change   string   `json:"change"` // created, updated, ingestion-started, ingestion-stopped, deleted, restored
	At       string   `json:"at"`     // RFC 3339
	Settings Settings `json:"settings"`
}

// Settings decide what comes into a store and how long it stays.
type Settings struct {
	Name          string          `json:"name,omitempty"` // none: the leaf is of before leaves told it
	Account       string          `json:"account"`
	Region        string          `json:"region"`
	Kind          string          `json:"kind"`
	Status        string          `json:"status"`
	MultiRegion   bool            `json:"multiRegion"`
	Organization  bool            `json:"organization"`
	RetentionDays int             `json:"retentionDays"`
	Protected     bool            `json:"terminationProtection"`
	Selectors     json.RawMessage `json:"selectors,omitempty"`
	DeleteAfter   string          `json:"deleteAfter,omitempty"` // RFC 3339
	RemoveAfter   string          `json:"removeAfter,omitempty"` // RFC 3339: until then nothing goes by retention, since that was lowered
}

// Hold says that a legal hold was placed on the store, or on a range of event time in it, or lifted. Between the two nothing that it covers goes.
type Hold struct {
	Change string `json:"change"`         // placed, lifted
	ID     string `json:"id"`             // of the hold, the same in both
	At     string `json:"at"`             // RFC 3339
	By     string `json:"by"`             // ARN of the caller
	From   string `json:"from,omitempty"` // RFC 3339: eventTime from which on events are held; none: no bound
	To     string `json:"to,omitempty"`   // the first eventTime that is not held any more; none: no bound
	Reason string `json:"reason"`
}

// Time writes a time as leaves have it.
func Time(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Encode writes the leaf. It fails where the leaf is larger than a log's entry can be.
func (l Leaf) Encode() ([]byte, error) {
	l.Version = LeafVersion
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return nil, err
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(out) > MaxEntry {
		return nil, fmt.Errorf("a leaf of %d bytes; a log's entry has at most %d", len(out), MaxEntry)
	}
	return out, nil
}

// DecodeLeaf reads a leaf. What it does not know it refuses: a verifier must not pass over what it does not understand.
func DecodeLeaf(b []byte) (l Leaf, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return l, fmt.Errorf("leaf: %w", err)
	}
	if l.Version != LeafVersion {
		return l, fmt.Errorf("a leaf of version %d, which this program doesn't know", l.Version)
	}
	n := 0
	for _, has := range []bool{l.Batch != nil, l.Snapshot != nil, l.Removal != nil, l.Store != nil, l.Hold != nil, l.Erasure != nil} {
		if has {
			n++
		}
	}
	if n != 1 || d.More() {
		return l, errors.New("a leaf must say exactly one thing")
	}
	return l, nil
}

// partBytes is how many bytes of files a snapshot's leaf names before another one goes on.
const partBytes = 48 << 10

// Split parts a snapshot so that each part fits into a log's entry.
func (s Snapshot) Split() []Leaf {
	var parts []Snapshot
	cur, room := s, partBytes
	cur.Manifests, cur.Added, cur.Removed = nil, nil, nil
	next := func(size int) {
		if room -= size; room < 0 {
			parts = append(parts, cur)
			cur, room = Snapshot{ID: s.ID, Parent: s.Parent}, partBytes-size
		}
	}
	for _, m := range s.Manifests {
		next(len(m.Path) + 100)
		cur.Manifests = append(cur.Manifests, m)
	}
	for _, f := range s.Added {
		next(len(f.Path) + 250)
		cur.Added = append(cur.Added, f)
	}
	for _, p := range s.Removed {
		next(len(p) + 4)
		cur.Removed = append(cur.Removed, p)
	}
	parts = append(parts, cur)
	leaves := make([]Leaf, len(parts))
	for i := range parts {
		parts[i].Part, parts[i].Parts = i+1, len(parts)
		leaves[i].Snapshot = &parts[i]
	}
	return leaves
}
