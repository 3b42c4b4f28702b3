package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/lochlake/loch/objstore"
)

// metadataCacheBytes bounds the metadata objects (manifests, manifest lists) that are kept in memory. They never change once
// written, and every commit reads its parent's list again.
const metadataCacheBytes = 32 << 20

// tableFiles is the object store as iceberg-go sees a file system: what it writes is durable when Close returns, and no reader sees
// half of it. (Its own local file system neither syncs nor writes aside.) Only metadata passes here; data files are written by Write.
type tableFiles struct {
	ctx   context.Context
	store objstore.Store
	cache *lru[[]byte]
	held  *hold // nil: nobody holds the objects
}

func (f *tableFiles) key(uri string) (string, error) {
	key, ok := f.store.Key(uri)
	if !ok {
		return "", &fs.PathError{Op: "open", Path: uri, Err: errors.New("lies outside the object store")}
	}
	return key, nil
}

// ReadFile gives the whole object. The caller may change what it gets.
func (f *tableFiles) ReadFile(uri string) ([]byte, error) {
	b, err := f.read(uri)
	return bytes.Clone(b), err
}

func (f *tableFiles) read(uri string) ([]byte, error) {
	key, err := f.key(uri)
	if err != nil {
		return nil, err
	}
	if b, ok := f.cache.get(key); ok {
		return b, nil
	}
	r, err := f.store.Get(f.ctx, key, 0, -1)
	if err != nil {
		if errors.Is(err, objstore.ErrNotExist) {
			err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
		}
		return nil, &fs.PathError{Op: "open", Path: uri, Err: err}
	}
	b, err := io.ReadAll(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: uri, Err: err}
	}
	f.cache.put(key, b, int64(len(b)))
	return b, nil
}

func (f *tableFiles) Open(uri string) (iceio.File, error) {
	b, err := f.read(uri)
	if err != nil {
		return nil, err
	}
	return &openFile{Reader: *bytes.NewReader(b), name: path.Base(uri)}, nil
}

func (f *tableFiles) Remove(uri string) error {
	key, err := f.key(uri)
	if err != nil {
		return err
	}
	if f.held.deferred(key) {
		return nil
	}
	f.cache.remove(key)
	return f.store.Delete(f.ctx, key)
}

func (f *tableFiles) Create(uri string) (iceio.FileWriter, error) {
	key, err := f.key(uri)
	if err != nil {
		return nil, err
	}
	return &createdFile{files: f, key: key}, nil
}

func (f *tableFiles) WriteFile(uri string, p []byte) error {
	key, err := f.key(uri)
	if err != nil {
		return err
	}
	return f.put(key, bytes.Clone(p))
}

// put may overwrite: every name holds a UUID of its writer, so what lies there can only be its own earlier try.
func (f *tableFiles) put(key string, b []byte) error {
	if err := f.store.Put(f.ctx, key, bytes.NewReader(b), int64(len(b)), false); err != nil {
		return err
	}
	f.cache.put(key, b, int64(len(b)))
	return nil
}

// createdFile gathers a metadata file (kilobytes to a few megabytes) and puts it when closed.
type createdFile struct {
	bytes.Buffer
	files  *tableFiles
	key    string
	closed bool
}

func (c *createdFile) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	return c.files.put(c.key, c.Bytes())
}

type openFile struct {
	bytes.Reader
	name string
}

func (o *openFile) Close() error               { return nil }
func (o *openFile) Stat() (fs.FileInfo, error) { return fileInfo{o.name, o.Size()}, nil }

type fileInfo struct {
	name string
	size int64
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return 0o400 }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }
