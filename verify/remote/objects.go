package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
	"github.com/lochlake/loch/verify/protocol"
)

// objects are the objects of a store's table and log, which can only be read.
type objects struct {
	objstore.Store // nil: there is nothing else
	*protocol.Snapshot
	client *client.Client
	path   string // of the store at the server
	id     string
}

// mostBytes bounds objects that are read into memory: those that are no data files. A whole bundle of a log has 17 MB at most.
const mostBytes = 256 << 20

// attempts bounds how often an object is asked for without a byte of it coming, with growing pauses, about six seconds in all.
const attempts = 6

// rest gives what follows the store's own part of a key, and in which of its folders; not ok where the key is no object of the store.
func (o *objects) rest(key string) (folder, path string, ok bool) {
	if objstore.CheckKey(key) != nil {
		return "", "", false
	}
	for _, folder := range []string{"tables", strings.TrimSuffix(tlog.Prefix, "/")} {
		if path, ok := strings.CutPrefix(key, folder+"/"+o.id+"/"); ok {
			return folder, path, true
		}
	}
	return "", "", false
}

// Get reads an object from off on; n must be negative. What changes in place is what it was when the snapshot was taken. A connection that breaks is made anew.
func (o *objects) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if n >= 0 {
		return nil, errors.New("objects of a server are read to their end")
	}
	folder, path, ok := o.rest(key)
	if !ok {
		return nil, fmt.Errorf("%.200q is no object of store %s: %w", key, o.id, objstore.ErrNotExist)
	}
	var here []byte
	switch {
	case key == (tlog.Reader{StoreID: o.id}).Key(proof.CheckpointPath):
		if here = o.Checkpoint; len(here) == 0 {
			return nil, fmt.Errorf("%s: %w", key, objstore.ErrNotExist)
		}
	case o.Standing.Table != nil && o.Standing.Table.Location == o.Base+key:
		here = o.Metadata // none: the server has no such file
	}
	if here != nil {
		return io.NopCloser(bytes.NewReader(here[min(off, int64(len(here))):])), nil
	}
	b := &body{ctx: ctx, client: o.client, off: off, left: -1}
	b.path = o.path + "/objects/" + folder
	for part := range strings.SplitSeq(path, "/") {
		b.path += "/" + url.PathEscape(part)
	}
	if !strings.HasPrefix(path, "data/") {
		b.left = mostBytes
	}
	return b, b.open()
}

// body is an object on its way.
type body struct {
	ctx    context.Context
	client *client.Client
	path   string
	off    int64
	left   int64 // bytes that may come; negative: any number
	in     io.ReadCloser
	failed int // times in a row
}

// open asks for what follows off.
func (b *body) open() (err error) {
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		if b.in, err = b.client.Fetch(b.ctx, b.path, b.off); err == nil {
			return nil
		}
		e, said := errors.AsType[*client.Error](err)
		final := errors.Is(err, objstore.ErrNotExist) || said && e.Status < 500 && !strings.Contains(e.Code, "Throttling")
		if b.failed++; final || b.failed >= attempts || b.ctx.Err() != nil {
			return err
		}
		select {
		case <-b.ctx.Done():
			return b.ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// Read goes on where a connection broke.
func (b *body) Read(p []byte) (int, error) {
	for {
		n, err := b.in.Read(p)
		b.off += int64(n)
		if b.left >= 0 {
			if b.left -= int64(n); b.left < 0 {
				return n, fmt.Errorf("%s is larger than anything of its kind", b.path)
			}
		}
		if n > 0 {
			b.failed = 0
		}
		if err == nil || err == io.EOF || b.ctx.Err() != nil {
			return n, err
		}
		if n > 0 {
			return n, nil // the error comes again
		}
		if b.failed++; b.failed >= attempts {
			return 0, err
		}
		_ = b.in.Close() // it is broken
		if err := b.open(); err != nil {
			return 0, err
		}
	}
}

// Close ends the reading.
func (b *body) Close() error {
	if b.in == nil { // it could not be made anew
		return nil
	}
	return b.in.Close()
}

// List lists what lies in the store's folders now.
func (o *objects) List(ctx context.Context, prefix, startAfter string, fn func(objstore.Object) error) error {
	folder, _, ok := o.rest(prefix + "x")
	if !ok {
		return fmt.Errorf("%.200q is no folder of store %s", prefix, o.id)
	}
	for after := startAfter; ; {
		var page protocol.Objects
		if err := o.client.Get(ctx, o.path+"/objects?folder="+folder+"&after="+url.QueryEscape(after), &page); err != nil {
			return err
		}
		for _, x := range page.Objects {
			if x.Key <= after || !strings.HasPrefix(x.Key, folder+"/"+o.id+"/") {
				return fmt.Errorf("the server lists %.200q after %.200q", x.Key, after)
			}
			after = x.Key
			if !strings.HasPrefix(x.Key, prefix) {
				continue
			}
			if err := fn(objstore.Object{Key: x.Key, Size: x.Size}); err != nil {
				return err
			}
		}
		if !page.More || len(page.Objects) == 0 {
			return nil
		}
	}
}

// ListFolders gives the store's own folder among tables and logs.
func (o *objects) ListFolders(_ context.Context, prefix string, fn func(string) error) error {
	return fn(prefix + o.id + "/")
}

// URI is what the table names an object by.
func (o *objects) URI(key string) string { return o.Base + key }

// Key is URI's inverse.
func (o *objects) Key(uri string) (string, bool) {
	key, ok := strings.CutPrefix(uri, o.Base)
	return key, ok && objstore.CheckKey(key) == nil
}

// LocalPath is none: the objects are elsewhere.
func (o *objects) LocalPath(string) string { return "" }
