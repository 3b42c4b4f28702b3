package streamer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/lochlake/loch/imports/protocol"
)

// The measures of reading ahead. With four senders the client holds about 50 MB.
const (
	askBytes  = 16 << 20 // files are read until there are so many bytes,
	askFiles  = 500      // or so many files, before the server is asked which it knows
	bodyBytes = 1 << 20  // small files are sent together until a request has so many bytes,
	bodyFiles = 100      // or so many files
)

// task is one thing for a sender to do.
type task func(ctx context.Context) error

// candidate is a file read, or hashed where it is too large to be held.
type candidate struct {
	file
	data []byte // nil where the file is sent in pieces
	hash string
}

// read walks the sources, asks which files are known, and makes tasks of the others, in order.
func (r *run) read(ctx context.Context, tasks chan<- task) error {
	var batch []candidate
	held := int64(0)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		fresh, err := r.unknown(ctx, batch)
		if err != nil {
			return err
		}
		batch, held = nil, 0
		return r.dispatch(ctx, fresh, tasks)
	}
	err := byTime(ctx, r.opt, func(f file, err error) error {
		if err != nil {
			r.fail(f.name, "FileUnreadable", err)
			return r.reportFailed(ctx, protocol.PageSize)
		}
		c, err := load(ctx, f)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			r.fail(f.name, "FileUnreadable", err)
			r.files.Add(1)
			r.bytes.Add(f.size)
			return r.reportFailed(ctx, protocol.PageSize)
		}
		batch, held = append(batch, c), held+int64(len(c.data))
		if held >= askBytes || len(batch) >= askFiles {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// load reads a file, or its hash alone where it is large.
func load(ctx context.Context, f file) (candidate, error) {
	c := candidate{file: f}
	in, err := os.Open(f.path)
	if err != nil {
		return c, err
	}
	defer in.Close()
	if f.size <= protocol.MaxWhole {
		data, err := io.ReadAll(io.LimitReader(in, protocol.MaxWhole+1))
		if err != nil {
			return c, err
		}
		if len(data) <= protocol.MaxWhole {
			sum := sha256.Sum256(data)
			c.data, c.hash, c.size = data, hex.EncodeToString(sum[:]), int64(len(data))
			if c.data == nil {
				c.data = []byte{}
			}
			return c, nil
		}
		if _, err := in.Seek(0, io.SeekStart); err != nil { // it grew meanwhile
			return c, err
		}
	}
	h := sha256.New()
	if c.size, err = copyContext(ctx, h, in); err != nil {
		return c, err
	}
	c.hash = hex.EncodeToString(h.Sum(nil))
	return c, nil
}

func copyContext(ctx context.Context, w io.Writer, r io.Reader) (n int64, err error) {
	buf := make([]byte, 1<<20)
	for {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		k, err := r.Read(buf)
		w.Write(buf[:k]) // a hash takes everything
		n += int64(k)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// unknown leaves out what the server knows.
func (r *run) unknown(ctx context.Context, batch []candidate) ([]candidate, error) {
	req := protocol.KnownRequest{}
	for _, c := range batch {
		req.Hashes = append(req.Hashes, c.hash)
	}
	var resp protocol.KnownResponse
	if err := r.callJSON(ctx, http.MethodPost, "/"+r.id+"/known", req, &resp); err != nil {
		return nil, fmt.Errorf("asking which files are known: %w", err)
	}
	known := make(map[string]bool, len(resp.Known))
	for _, h := range resp.Known {
		known[h] = true
	}
	var fresh []candidate
	for _, c := range batch {
		if !known[c.hash] {
			fresh = append(fresh, c)
			continue
		}
		r.files.Add(1)
		r.bytes.Add(c.size)
		r.progress.known.Add(1)
		r.mu.Lock()
		r.known++
		r.mu.Unlock()
	}
	return fresh, nil
}

// dispatch puts small files together into requests; each large one is a task of its own.
func (r *run) dispatch(ctx context.Context, fresh []candidate, tasks chan<- task) error {
	put := func(t task) error {
		select {
		case tasks <- t:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	var group []candidate
	bytes := int64(0)
	flush := func() error {
		if len(group) == 0 {
			return nil
		}
		g := group
		group, bytes = nil, 0
		return put(func(ctx context.Context) error { return r.sendGroup(ctx, g) })
	}
	for _, c := range fresh {
		if c.data == nil {
			if err := put(func(ctx context.Context) error { return r.sendPieces(ctx, c) }); err != nil {
				return err
			}
			continue
		}
		if len(group) == bodyFiles || bytes+c.size > bodyBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		group, bytes = append(group, c), bytes+c.size
	}
	return flush()
}

// sendGroup sends whole files in one request.
func (r *run) sendGroup(ctx context.Context, group []candidate) error {
	var body []byte
	var bytes int64
	for _, c := range group {
		var err error
		if body, err = protocol.AppendFrame(body, protocol.Head{Name: c.name}, c.data); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		bytes += c.size
	}
	if _, err := r.sendBody(ctx, body); err != nil {
		return fmt.Errorf("sending %s and %d more: %w", group[0].name, len(group)-1, err)
	}
	r.files.Add(int64(len(group)))
	r.bytes.Add(bytes)
	return nil
}

func (r *run) sendBody(ctx context.Context, body []byte) (protocol.ObjectsResponse, error) {
	var resp protocol.ObjectsResponse
	err := r.call(ctx, http.MethodPost, protocol.Path+"/"+r.id+"/objects", body, &resp)
	r.events.Add(resp.Read)
	r.bad.Add(resp.Bad)
	return resp, err
}

// sendPieces sends a large file piece by piece. Where the server lost what it had (it was started again), it says from where to send again.
func (r *run) sendPieces(ctx context.Context, c candidate) error {
	in, err := os.Open(c.path)
	if err != nil {
		r.fail(c.name, "FileUnreadable", err)
		return nil
	}
	defer in.Close()
	defer r.files.Add(1)
	buf := make([]byte, protocol.MaxWhole)
	sent := int64(0) // the farthest, for progress
	for off, restarts := int64(0), 0; off < c.size; {
		n, err := in.ReadAt(buf[:min(int64(len(buf)), c.size-off)], off)
		if err != nil && err != io.EOF || n == 0 {
			r.fail(c.name, "FileUnreadable", fmt.Errorf("at byte %d of %d: %w", off+int64(n), c.size, err))
			r.bytes.Add(c.size - sent)
			return nil
		}
		body, err := protocol.AppendFrame(nil, protocol.Head{Name: c.name, Offset: off, Total: c.size, Hash: c.hash}, buf[:n])
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		resp, err := r.sendBody(ctx, body)
		if err != nil {
			return fmt.Errorf("sending %s at byte %d: %w", c.name, off, err)
		}
		off += int64(n)
		if len(resp.Resend) > 0 {
			if restarts++; restarts > r.cfg.Attempts {
				return fmt.Errorf("sending %s: the server lost its place %d times", c.name, restarts)
			}
			off = resp.Resend[0].Offset
		}
		if len(resp.Ended) > 0 {
			off = c.size
		}
		if off > sent {
			r.bytes.Add(off - sent)
			sent = off
		}
	}
	return nil
}
