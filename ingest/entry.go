package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/logfile"
)

// entry is a record of the durable log: a delivery, and where its events go. It is encoded as a version byte and then, with numbers and
// lengths as varints: accepted, epoch, encoding, provenance, number of records, number of stores, for each its ID and either 0 (all
// records) or 1 and a bitmap; the payload is the rest.
type entry struct {
	accepted   int64 // microseconds since the Unix epoch, UTC
	epoch      int64
	encoding   string
	provenance string
	records    int
	stores     []share
	payload    []byte
}

// share is what of a delivery goes to one store.
type share struct {
	store string
	rows  []int32 // places in the delivery's records, rising
}

const (
	entryKind    = 1 // wal.Record.Kind
	entryVersion = 1
	// maxRecords bounds the records of one delivery, so that a damaged number cannot ask for the machine's memory.
	maxRecords = 1 << 24
	// textsEncoding is the encoding of a delivery without payload: zstd over its records' texts, each with its length before it.
	textsEncoding = "texts"
)

// head is the encoded entry without its payload.
func (e *entry) head() []byte {
	size := 64 + len(e.encoding) + len(e.provenance)
	for _, s := range e.stores {
		size += len(s.store) + 3 + e.records/8
	}
	b := append(make([]byte, 0, size), entryVersion)
	b = binary.AppendVarint(b, e.accepted)
	b = binary.AppendVarint(b, e.epoch)
	b = appendText(b, e.encoding)
	b = appendText(b, e.provenance)
	b = binary.AppendUvarint(b, uint64(e.records))
	b = binary.AppendUvarint(b, uint64(len(e.stores)))
	for _, s := range e.stores {
		b = appendText(b, s.store)
		if len(s.rows) == e.records {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		at := len(b)
		b = append(b, make([]byte, (e.records+7)/8)...)
		for _, r := range s.rows {
			b[at+int(r>>3)] |= 1 << (r & 7)
		}
	}
	return b
}

func allRows(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errEntry = errors.New("the record of the durable log is not as Loch writes it")

// decodeEntry reads an entry. Its payload shares b's memory.
func decodeEntry(b []byte) (*entry, error) {
	if len(b) == 0 || b[0] != entryVersion {
		return nil, fmt.Errorf("%w: unknown version", errEntry)
	}
	p := parser{rest: b[1:]}
	e := &entry{accepted: p.signed(), epoch: p.signed(), encoding: p.text(), provenance: p.text()}
	records := p.number()
	if records > maxRecords {
		return nil, errEntry
	}
	e.records = int(records)
	for n := p.number(); n > 0 && !p.bad; n-- {
		s := share{store: p.text()}
		some := p.take(1)
		if p.bad {
			break
		}
		if some[0] == 0 {
			s.rows = allRows(e.records)
		} else {
			for i, set := range p.take((records + 7) / 8) {
				for ; set != 0; set &= set - 1 {
					row := i*8 + bits.TrailingZeros8(set)
					if row >= e.records {
						return nil, errEntry
					}
					s.rows = append(s.rows, int32(row))
				}
			}
		}
		e.stores = append(e.stores, s)
	}
	if p.bad {
		return nil, errEntry
	}
	e.payload = p.rest
	return e, nil
}

// parser takes what entry.encode wrote; after the first thing that is not there, bad is set and all is empty.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) fail() { p.rest, p.bad = nil, true }

func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.rest)) {
		p.fail()
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) number() uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 {
		p.fail()
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *parser) signed() int64 {
	v, n := binary.Varint(p.rest)
	if n <= 0 {
		p.fail()
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *parser) text() string { return string(p.take(p.number())) }

// Encoders and decoders are shared: EncodeAll and DecodeAll may be called from many goroutines.
var (
	textsWriter = sync.OnceValue(func() *zstd.Encoder {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			panic(err) // only wrong options make it fail
		}
		return w
	})
	textsReader = sync.OnceValue(func() *zstd.Decoder {
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(1<<30))
		if err != nil {
			panic(err) // only wrong options make it fail
		}
		return r
	})
)

func encodeTexts(records []event.Record) []byte {
	size := 0
	for i := range records {
		size += len(records[i].Text) + 4
	}
	b := make([]byte, 0, size)
	for i := range records {
		b = append(binary.AppendUvarint(b, uint64(len(records[i].Text))), records[i].Text...)
	}
	return textsWriter().EncodeAll(b, make([]byte, 0, size/8))
}

// Decode gives the records of a payload as the durable log keeps it, the same and in the same order as when it was accepted:
// "gzip" and "json" are a whole log file as logfile.ReadAll reads it, AuditEventsEncoding what AuditEvents.Encode wrote.
func Decode(ctx context.Context, encoding string, payload []byte) ([]event.Record, error) {
	switch encoding {
	case "gzip", "json":
		batch, err := logfile.ReadAll(ctx, "", payload, logfile.Options{})
		if err != nil {
			return nil, err
		}
		return batch.Records, nil
	case AuditEventsEncoding:
		a, err := DecodeAuditEvents(payload)
		if err != nil {
			return nil, err
		}
		return a.Records(event.NewDecoder())
	case textsEncoding:
		return decodeTexts(payload)
	}
	return nil, fmt.Errorf("unknown encoding %.40q of a payload", encoding)
}

func decodeTexts(payload []byte) ([]event.Record, error) {
	b, err := textsReader().DecodeAll(payload, nil)
	if err != nil {
		return nil, err
	}
	var records []event.Record
	d := event.NewDecoder()
	for p := (parser{rest: b}); len(p.rest) > 0; {
		text := p.take(p.number())
		if p.bad {
			return nil, errEntry
		}
		r, err := d.Decode(text)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}
