package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// Where things lie in a backup.
const (
	pointsPrefix = "points/"
	pointFile    = "point.json"  // written last: without it there is no point
	copiedFile   = "copied.json" // what has been copied so far
	lakePrefix   = "lake/"       // of what never changes: points share it, so its names are of one content for good
)

// pointVersion is the version of points that this package writes, and the newest that it reads. Points of version 1 have the whole tiles of logs in objects named by their paths alone, where a point of
// another history of the log may have written over them: nothing is taken over from these, and programs that write them refuse a place with points of version 2.
const pointVersion = 2

// Point is a consistent copy.
type Point struct {
	Version  int       `json:"v"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Location string    `json:"location"` // the URI that the tables' locations begin with
	ProofKey string    `json:"proofKey"` // public half of the key that signs the transparency logs; "" where it was not known
	Keys     bool      `json:"keys"`     // whether the secrets are in it
	Stores   int       `json:"stores"`
	Events   int64     `json:"events"` // in tables
	Bytes    int64     `json:"bytes"`  // of all files
	Files    []File    `json:"files,omitempty"`
}

// File is a file of a point.
type File struct {
	Path   string       `json:"path"`   // in a data folder; the secrets' begins with keys/
	Object string       `json:"object"` // in the backup
	Size   int64        `json:"size"`
	SHA256 proof.Digest `json:"sha256"`
}

// sealed is a point as it is written: its JSON, and the SHA-256 of that.
type sealed struct {
	SHA256 string          `json:"sha256"`
	Point  json.RawMessage `json:"point"`
}

var pointName = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z`)

func pointKey(name, path string) string { return pointsPrefix + name + "/" + path }

func (p *Point) write(ctx context.Context, to objstore.Store) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	text, err := json.Marshal(sealed{hex.EncodeToString(sum[:]), body})
	if err != nil {
		return err
	}
	return to.Put(ctx, pointKey(p.Name, pointFile), bytes.NewReader(text), int64(len(text)), true)
}

// ErrDamaged: a backup's file is not the one that was written.
var ErrDamaged = errors.New("the backup is damaged")

// readPoint reads a point; objstore.ErrNotExist where it was not finished, or never was.
func readPoint(ctx context.Context, from objstore.Store, name string) (p Point, err error) {
	key := pointKey(name, pointFile)
	text, err := readAll(ctx, from, key)
	if err != nil {
		return p, err
	}
	var s sealed
	if err := json.Unmarshal(text, &s); err != nil {
		return p, fmt.Errorf("%w: %s: %w", ErrDamaged, key, err)
	}
	if sum := sha256.Sum256(s.Point); hex.EncodeToString(sum[:]) != s.SHA256 {
		return p, fmt.Errorf("%w: %s was changed: its content does not have the SHA-256 that it names", ErrDamaged, key)
	}
	if err := json.Unmarshal(s.Point, &p); err != nil {
		return p, fmt.Errorf("%w: %s: %w", ErrDamaged, key, err)
	}
	if p.Version < 1 || p.Version > pointVersion {
		return p, fmt.Errorf("%s is of version %d, which this program doesn't know", key, p.Version)
	}
	if p.Name != name {
		return p, fmt.Errorf("%w: %s is the point %q", ErrDamaged, key, p.Name)
	}
	return p, nil
}

func readAll(ctx context.Context, from objstore.Store, key string) ([]byte, error) {
	in, err := from.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return b, nil
}

// names lists the points, the unfinished ones among them, in order of their names.
func names(ctx context.Context, from objstore.Store) (all []string, err error) {
	something := errors.New("there is something in it")
	err = from.ListFolders(ctx, pointsPrefix, func(folder string) error {
		err := from.List(ctx, folder, "", func(objstore.Object) error { return something }) // an empty folder is what is left of a point that was removed
		if errors.Is(err, something) {
			all, err = append(all, strings.TrimSuffix(strings.TrimPrefix(folder, pointsPrefix), "/")), nil
		}
		return err
	})
	if errors.Is(err, objstore.ErrNotExist) {
		err = nil
	}
	return all, err
}

// Points lists a backup's finished points, the oldest first, and the names of those that were not finished.
func Points(ctx context.Context, from objstore.Store) (points []Point, unfinished []string, err error) {
	all, err := names(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range all {
		p, err := readPoint(ctx, from, name)
		if errors.Is(err, objstore.ErrNotExist) {
			unfinished = append(unfinished, name)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		points = append(points, p)
	}
	slices.SortStableFunc(points, func(a, b Point) int { return a.Created.Compare(b.Created) })
	return points, unfinished, nil
}
