package delivery

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/lochlake/loch/objstore"
)

// Folder is where delivered results lie.
type Folder interface {
	// Open opens a file by its name; fs.ErrNotExist where there is none. The caller closes it.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Names gives the names of the files.
	Names(ctx context.Context) ([]string, error)
}

// OpenFolder opens a local folder, or s3://bucket/prefix, which s3 says how to reach. Nothing outside it is ever read, whatever a sign file names.
func OpenFolder(ctx context.Context, location string, s3 objstore.S3Config) (Folder, error) {
	if !strings.HasPrefix(location, "s3://") {
		root, err := os.OpenRoot(location)
		if err != nil {
			return nil, err
		}
		return localFolder{root}, nil
	}
	s3.URL = location
	store, err := objstore.OpenS3(ctx, s3)
	if err != nil {
		return nil, err
	}
	return remoteFolder{store}, nil
}

type localFolder struct{ root *os.Root }

func (f localFolder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	return f.root.Open(name)
}

func (f localFolder) Names(context.Context) (names []string, err error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

type remoteFolder struct{ store *objstore.S3 }

func (f remoteFolder) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := f.store.Get(ctx, name, 0, -1)
	if errors.Is(err, objstore.ErrNotExist) {
		return nil, &fs.PathError{Op: "open", Path: f.store.URI(name), Err: fs.ErrNotExist}
	}
	return r, err
}

func (f remoteFolder) Names(ctx context.Context) (names []string, err error) {
	err = f.store.List(ctx, "", "", func(o objstore.Object) error {
		names = append(names, o.Key)
		return nil
	})
	return names, err
}
