package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// TileWidth is the number of hashes of a whole tile, and of entries of a whole bundle (C2SP tlog-tiles).
const TileWidth = 256

// MaxEntry is the size of the largest entry that a bundle can hold, in bytes.
const MaxEntry = 1<<16 - 1

// CheckpointPath is where the checkpoint lies below a log's prefix.
const CheckpointPath = "checkpoint"

// TilePath is where a tile of hashes lies below a log's prefix; width is below TileWidth where the tile is not whole yet.
func TilePath(level int, index uint64, width int) string {
	return fmt.Sprintf("tile/%d/%s", level, tileIndex(index, width))
}

// EntriesPath is where a bundle of entries lies below a log's prefix.
func EntriesPath(index uint64, width int) string { return "tile/entries/" + tileIndex(index, width) }

// tileIndex writes an index in groups of three digits, all but the last behind an x, and the width of a partial tile.
func tileIndex(n uint64, width int) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	if width < TileWidth {
		s += fmt.Sprintf(".p/%d", width)
	}
	return s
}

// Partials is the prefix of the partial forms of the tile or bundle at path, which is whole.
func Partials(path string) string { return strings.TrimSuffix(path, "/") + ".p/" }

// AppendTile writes hashes as a tile holds them.
func AppendTile(b []byte, hashes []Hash) []byte {
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

// ParseTile reads a tile of width hashes.
func ParseTile(b []byte, width int) ([]Hash, error) {
	if len(b) != width*len(Hash{}) {
		return nil, fmt.Errorf("the tile has %d bytes; %d hashes have %d", len(b), width, width*len(Hash{}))
	}
	out := make([]Hash, width)
	for i := range out {
		out[i] = Hash(b[i*len(Hash{}):])
	}
	return out, nil
}

// AppendEntry appends an entry to a bundle: its length in two bytes, big-endian, and the entry.
func AppendEntry(b, entry []byte) ([]byte, error) {
	if len(entry) > MaxEntry {
		return b, fmt.Errorf("an entry of %d bytes; the format's most is %d", len(entry), MaxEntry)
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(entry))), entry...), nil
}

// ParseEntries reads a bundle of n entries, which share its memory.
func ParseEntries(b []byte, n int) ([][]byte, error) {
	out := make([][]byte, 0, n)
	for len(b) > 0 {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, errors.New("the bundle of entries is cut")
		}
		end := 2 + int(binary.BigEndian.Uint16(b))
		out = append(out, b[2:end:end])
		b = b[end:]
	}
	if len(out) != n {
		return nil, fmt.Errorf("the bundle has %d entries, not %d", len(out), n)
	}
	return out, nil
}
