// Package logfile reads CloudTrail log files: gzip or plain, {"Records":[…]}, a bare list, JSON lines or a single record, of any size in bounded
// memory. It decodes record by record, lists what is bad with its offset and goes on behind it. It also knows the layout of the keys under which
// CloudTrail delivers log files to a bucket.
package logfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/lochlake/loch/event"
)

// What can be wrong with a file, beside the faults of one record (event.Fault). The words are part of what ListImportFailures shows.
const (
	TruncatedGzip  = "TruncatedGzip"          // the gzip stream ends too early
	CorruptGzip    = "CorruptGzip"            // the gzip stream is damaged, or its checksum or length is wrong
	InflationLimit = "InflationLimitExceeded" // the file inflates beyond Options.MaxRatio or MaxSize
	EmptyFile      = "EmptyFile"              // no byte, or nothing but white space
	NotLogFile     = "NotALogFile"            // something else: text, binary, other JSON
	DigestFile     = "DigestFile"             // a digest of CloudTrail's log file validation
)

// Bad is a record, or a file, that could not be read.
type Bad struct {
	Offset  int64  // of the record's first byte in the inflated file; -1 where it concerns the whole file
	Type    string // an event.Fault or one of the constants above
	Message string
}

// Batch is part of what a file holds. Its records share memory with each other and stay valid as long as they are held.
type Batch struct {
	Records []event.Record
	Bad     []Bad
	Read    int64 // len(Records) + len(Bad)
}

// Options bound the reading of a file. The zero value gives the defaults.
type Options struct {
	BatchSize int64 // bytes of text after which a batch ends; 8 MiB
	MaxRatio  int64 // inflated bytes for each compressed one, once RatioFrom bytes are inflated; 300. CloudTrail's files have 10 to 30.
	RatioFrom int64 // 64 MiB
	MaxSize   int64 // inflated bytes of a file; 1 TiB, and 1 GiB for ReadAll, which holds the whole file
}

func (o Options) withDefaults() Options {
	set := func(v *int64, def int64) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&o.BatchSize, 8<<20)
	set(&o.MaxRatio, 300)
	set(&o.RatioFrom, 64<<20)
	set(&o.MaxSize, 1<<40)
	return o
}

// maxBad is the number of bad records after which a batch ends, so that a file of nothing else is read in bounded memory too.
const maxBad = 1024

// ReadAll reads a file that lies in memory as one batch, whose records share payload's memory where it is not compressed. It is meant for files of
// CloudTrail's size; a large one is read with Open. The error is ctx's.
func ReadAll(ctx context.Context, name string, payload []byte, opts Options) (*Batch, error) {
	if opts.MaxSize <= 0 {
		opts.MaxSize = 1 << 30
	}
	opts.BatchSize = 1 << 62
	r := newReader(name, opts)
	if isGzip(payload) {
		r.chunk = int(inflatedSize(payload, r.opts))
		r.expect = r.chunk / usualSize
		r.size = int64(len(payload))
		r.inflate(bytes.NewReader(payload))
	} else {
		r.buf, r.eof = payload, true
		r.expect = len(payload) / usualSize
	}
	all := &Batch{}
	for {
		b, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if len(all.Records) == 0 {
			all.Records = b.Records
		} else {
			all.Records = append(all.Records, b.Records...)
		}
		all.Bad = append(all.Bad, b.Bad...)
		all.Read += b.Read
	}
}

// usualSize is a little less than what events usually have, in bytes.
const usualSize = 1024

// isGzip tells gzip (RFC 1952) by its magic number.
func isGzip(b []byte) bool { return len(b) >= 2 && b[0] == 0x1f && b[1] == 0x8b }

// inflatedSize is what the last member's trailer says of its size (modulo 2^32), where that is plausible. One byte more lets the reader see the end
// without another buffer.
func inflatedSize(payload []byte, o Options) int64 {
	if len(payload) < 18 {
		return minChunk
	}
	size := int64(binary.LittleEndian.Uint32(payload[len(payload)-4:])) + 1
	if size > o.MaxSize || size > int64(len(payload))*40 {
		return maxChunk
	}
	return max(size, 512)
}
