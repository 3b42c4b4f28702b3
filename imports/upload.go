package imports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/imports/protocol"
)

// upload is an object that comes in pieces. Its pieces are signed one by one, so that nothing is decoded whose sender is not known; they are decoded
// as they come, by a goroutine that reads the pipe.
type upload struct {
	o    *object
	hash string
	size int64

	mu       sync.Mutex // one piece at a time
	off      int64
	sum      hash.Hash
	pipe     *io.PipeWriter
	last     time.Time
	reported int64 // records told to the client
	badTold  int64
	over     bool
}

var (
	errAbandoned = errors.New("the rest of the object did not come")
	errOtherHash = errors.New("the object's bytes are not those of its hash")
)

// piece takes one piece of a large object.
func (se *session) piece(h protocol.Head, data []byte, resp *protocol.ObjectsResponse) error {
	if b, err := hex.DecodeString(h.Hash); err != nil || len(b) != sha256.Size || h.Offset < 0 || h.Size == 0 || h.Offset+h.Size > h.Total {
		return awserr.New("InvalidParameterException", "The piece of %.200q at %d+%d of %d is not one.", h.Name, h.Offset, h.Size, h.Total)
	}
	up, err := se.upload(h)
	if err != nil {
		return err
	}
	if up == nil {
		resp.Resend = append(resp.Resend, protocol.Resend{Hash: h.Hash})
		return nil
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	switch {
	case up.over:
		resp.Resend = append(resp.Resend, protocol.Resend{Hash: h.Hash})
		return nil
	case h.Offset != up.off || h.Total != up.size:
		resp.Resend = append(resp.Resend, protocol.Resend{Hash: h.Hash, Offset: up.off})
		return nil
	}
	up.last = time.Now()
	up.off += h.Size
	up.sum.Write(data)
	_, err = up.pipe.Write(data)
	up.last = time.Now()
	last := up.off == up.size
	if last && err == nil {
		if hex.EncodeToString(up.sum.Sum(nil)) == h.Hash {
			err = up.pipe.Close()
		} else {
			err = up.pipe.CloseWithError(errOtherHash)
		}
	}
	if last || err != nil {
		<-up.o.loaded // the reader has come to the end, or ended by itself
		se.drop(up)
		if up.o.failed != nil {
			return up.o.failed
		}
		resp.Files++
		if !last {
			resp.Ended = append(resp.Ended, h.Hash)
		}
	}
	read, bad := up.o.read.Load(), up.o.badRead.Load()
	resp.Read, resp.Bad = resp.Read+read-up.reported, resp.Bad+bad-up.badTold
	up.reported, up.badTold = read, bad
	return nil
}

// upload finds the upload that a piece belongs to; the first piece begins one. It is nil where the server has nothing of what must come before.
func (se *session) upload(h protocol.Head) (*upload, error) {
	se.mu.Lock()
	defer se.mu.Unlock()
	if up := se.uploads[h.Hash]; up != nil || h.Offset != 0 {
		return up, nil
	}
	if !se.s.large.TryAcquire(1) {
		return nil, &awserr.Error{Code: "ThrottlingException", Status: 400, Message: "Other large files are being read; try again."}
	}
	pr, pw := io.Pipe()
	up := &upload{hash: h.Hash, size: h.Total, sum: sha256.New(), pipe: pw, last: time.Now(),
		o: &object{location: h.Name, fingerprint: fingerprintContent(h.Hash), bytes: h.Total, loaded: make(chan struct{})}}
	se.uploads[h.Hash] = up
	se.s.wg.Go(func() {
		defer se.s.large.Release(1)
		stop := context.AfterFunc(se.ctx, func() { pw.CloseWithError(errAbandoned) })
		defer stop()
		se.readUpload(up.o, pr)
	})
	return up, nil
}

// readUpload loads an object from the pipe. It enters the book at its end, so that the objects of other requests need not wait for it there.
func (se *session) readUpload(o *object, pr *io.PipeReader) {
	o.failed = se.read(se.ctx, o, pr)
	if o.failed == nil && o.badTotal == 0 {
		// All bytes must have come before the hash is believed, also those that follow the last record.
		if _, err := io.Copy(io.Discard, pr); err != nil {
			o.again = true
			se.unreadable(o, err)
		}
	}
	if o.failed == nil {
		o.failed = se.book.add(se.ctx, o)
	}
	close(o.loaded)
	pr.Close() // where something is left, the writer learns that nobody reads on
}

func (se *session) drop(up *upload) {
	up.over = true
	se.mu.Lock()
	defer se.mu.Unlock()
	if se.uploads[up.hash] == up {
		delete(se.uploads, up.hash)
	}
}

// abandon gives up uploads that have waited for a piece that long.
func (se *session) abandon(idle time.Duration) {
	se.mu.Lock()
	var all []*upload
	for _, up := range se.uploads {
		all = append(all, up)
	}
	se.mu.Unlock()
	for _, up := range all {
		if !up.mu.TryLock() {
			continue // a piece is being taken
		}
		if !up.over && time.Since(up.last) >= idle {
			up.pipe.CloseWithError(fmt.Errorf("%w: %d of %d bytes are there", errAbandoned, up.off, up.size))
			<-up.o.loaded
			se.drop(up)
		}
		up.mu.Unlock()
	}
}
