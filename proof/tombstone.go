package proof

import (
	"bytes"
	"encoding/hex"
)

// A tombstone is what a table keeps of an event that was erased. Its text is a fixed form around the hash of the event's own text, so that the event's entry in its batch's tree can still be
// computed, and the same event sent again is known. No event that a store accepts has such a text, for it has no time.
var (
	tombstoneHead = []byte(`{"lochErased":"`)
	tombstoneTail = []byte(`"}`)
)

// Tombstone is the text that takes the place of a text with that SHA-256.
func Tombstone(text Hash) []byte {
	b := append(make([]byte, 0, len(tombstoneHead)+hex.EncodedLen(len(text))+len(tombstoneTail)), tombstoneHead...)
	return append(hex.AppendEncode(b, text[:]), tombstoneTail...)
}

// ParseTombstone gives the hash of the text that was erased, false where text is no tombstone.
func ParseTombstone(text []byte) (erased Hash, ok bool) {
	digits, ok := bytes.CutPrefix(text, tombstoneHead)
	if !ok {
		return erased, false
	}
	if digits, ok = bytes.CutSuffix(digits, tombstoneTail); !ok || len(digits) != hex.EncodedLen(len(erased)) {
		return erased, false
	}
	if _, err := hex.Decode(erased[:], digits); err != nil || !bytes.Equal(text, Tombstone(erased)) {
		return Hash{}, false
	}
	return erased, true
}
