// Package objstore keeps objects: in a local directory or in an S3-compatible store, behind one small interface, with
// a bounded local cache for reading from afar. It knows nothing of events or tables.
package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// ErrNotExist: no object has that key.
var ErrNotExist = errors.New("object does not exist")

// ErrExists: a create-only Put found the key taken.
var ErrExists = errors.New("object exists already")

// ErrUnsupported: the store does not know what was asked of it (HTTP status 501), a create-only Put for example.
var ErrUnsupported = errors.New("the store does not support this")

// ErrNoBucket: the bucket does not exist.
var ErrNoBucket = errors.New("bucket does not exist")

// ErrDenied: the store refused the request (HTTP status 403).
var ErrDenied = errors.New("access denied")

// Object describes one object. Keys are slash-separated, relative to the store's root, without "." or ".." parts.
type Object struct {
	Key      string
	Size     int64
	ETag     string // of S3; of a local file a token that changes when the file does
	Modified time.Time
}

// Store keeps objects. A Put that returned nil is durable (fsync of file and directory, or S3's 200). A reader sees a
// whole object or none. All methods may be called from many goroutines.
type Store interface {
	// Put writes an object of size bytes read from r. With onlyNew it fails with ErrExists where the key is taken.
	Put(ctx context.Context, key string, r io.Reader, size int64, onlyNew bool) error
	// Stat describes an object, or fails with ErrNotExist.
	Stat(ctx context.Context, key string) (Object, error)
	// Get reads n bytes from offset off (n < 0: to the end). The caller closes it.
	Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)
	// List calls fn for every object whose key begins with prefix and sorts after startAfter, in key order; it stops at fn's first error.
	List(ctx context.Context, prefix, startAfter string, fn func(Object) error) error
	// ListFolders calls fn for every common prefix one level ("/") below prefix, in order, each ending in "/".
	ListFolders(ctx context.Context, prefix string, fn func(string) error) error
	// Delete removes an object; a missing one is no error.
	Delete(ctx context.Context, key string) error
	// URI names an object as table metadata does: file:///dir/key or s3://bucket/prefix/key.
	URI(key string) string
	// Key is URI's inverse; false where the URI lies outside the store.
	Key(uri string) (string, bool)
	// LocalPath is the object's file where the store is a local directory, and "" where it is not.
	LocalPath(key string) string
}

// Named has a store's URIs begin with base, which ends in "/", rather than with where it is. Tables name their files by absolute locations, so a lake that was brought
// to another place goes on under the name of the place where it was made. It is to be called before the store is used.
func Named(s Store, base string) error {
	if !strings.HasSuffix(base, "/") {
		return fmt.Errorf("a store's name ends in \"/\", and %q does not", base)
	}
	switch s := s.(type) {
	case *Local:
		s.name = base
	case *S3:
		s.name = base
	default:
		return fmt.Errorf("a store of type %T has no other name than its place", s)
	}
	return nil
}

// Range is a run of bytes of an object.
type Range struct{ Off, Len int64 }
