package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
)

// Stats is what a table's metadata says of a data file, by Iceberg's field ids: what planning leaves files out by.
type Stats struct {
	Day          int32 // of the partition: days since the Unix epoch
	Rows, Size   int64
	Values       map[int]int64 // places, NULLs among them
	Nulls        map[int]int64
	NaNs         map[int]int64
	Lower, Upper map[int][]byte // as Iceberg serializes single values
}

const statsMagic = "loch/stats/1\n"

// Digest is the SHA-256 of the canonical form: the magic, day, rows and size (eight bytes each), then values, nulls, NaNs, lower and upper bounds, each as the number
// of its fields (four bytes) and, in order of field id, the id (four bytes) and the number (eight), or the bound behind its length (four). Numbers are big-endian.
func (s *Stats) Digest() Digest {
	b := []byte(statsMagic)
	for _, n := range [...]int64{int64(s.Day), s.Rows, s.Size} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, m := range [...]map[int]int64{s.Values, s.Nulls, s.NaNs} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(m)))
		for _, id := range slices.Sorted(maps.Keys(m)) {
			b = binary.BigEndian.AppendUint32(b, uint32(id))
			b = binary.BigEndian.AppendUint64(b, uint64(m[id]))
		}
	}
	for _, m := range [...]map[int][]byte{s.Lower, s.Upper} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(m)))
		for _, id := range slices.Sorted(maps.Keys(m)) {
			b = binary.BigEndian.AppendUint32(b, uint32(id))
			b = binary.BigEndian.AppendUint32(b, uint32(len(m[id])))
			b = append(b, m[id]...)
		}
	}
	return sha256.Sum256(b)
}
