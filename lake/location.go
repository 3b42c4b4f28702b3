package lake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// locationKey is the key of meta.Value under which a lake that lies in another place than where it was made has the URI that its tables' locations begin with.
const locationKey = "lake.location"

// Locate lets objects answer to the locations that the tables name their files by, where the metadata says that they were made elsewhere.
func Locate(ctx context.Context, objects objstore.Store, db meta.DB) error {
	base, err := db.Value(ctx, locationKey)
	if errors.Is(err, meta.ErrNotFound) || err == nil && base == "" {
		return nil
	}
	if err != nil {
		return err
	}
	return objstore.Named(objects, base)
}

// Moved notes in the metadata that tables which were made at base (a URI that ends in "/") lie in objects now.
func Moved(ctx context.Context, objects objstore.Store, db meta.DB, base string) error {
	if objects.URI("") == base {
		base = ""
	}
	return db.SetValue(ctx, locationKey, base)
}

// MetadataFile is a metadata file of a table.
type MetadataFile struct {
	Key     string
	Version int // one more than that of the file that it was made from
}

// MetadataFiles lists a table's metadata files, the newest version first, and those of one version in order of their keys: a change that is refused or cut off when its metadata has been written leaves a file
// of the version that the next change's has, too, and no time of a file tells for certain which of them was committed.
func MetadataFiles(ctx context.Context, objects objstore.Store, storeID string) (files []MetadataFile, err error) {
	err = objects.List(ctx, "tables/"+storeID+"/metadata/", "", func(o objstore.Object) error {
		if strings.HasSuffix(o.Key, ".metadata.json") {
			files = append(files, MetadataFile{o.Key, MetadataVersion(o.Key)})
		}
		return nil
	})
	if err != nil && !errors.Is(err, objstore.ErrNotExist) {
		return nil, err
	}
	slices.SortFunc(files, func(a, b MetadataFile) int {
		return cmp.Or(cmp.Compare(b.Version, a.Version), cmp.Compare(a.Key, b.Key))
	})
	return files, nil
}

// Parent is the location of the metadata that a metadata file was made from; "" where it was a table's first.
func Parent(ctx context.Context, objects objstore.Store, key string) (location string, err error) {
	m, err := (&Lake{objects: objects, cache: newLRU[[]byte](metadataCacheBytes)}).readMetadata(ctx, objects.URI(key))
	if err != nil {
		return "", err
	}
	for f := range m.PreviousFiles() {
		location = f.MetadataFile
	}
	return location, nil
}

// AppliedIn is the durable log's sequence up to which the table holds everything, as its metadata at a location tells; 0 where it tells nothing. The metadata database may know
// of a later one: commits without events are told there alone.
func AppliedIn(ctx context.Context, objects objstore.Store, location string) (int64, error) {
	m, err := (&Lake{objects: objects, cache: newLRU[[]byte](metadataCacheBytes)}).readMetadata(ctx, location)
	if err != nil {
		return 0, err
	}
	snap := m.CurrentSnapshot()
	if snap == nil || snap.Summary == nil || snap.Summary.Properties[appliedProperty] == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(snap.Summary.Properties[appliedProperty], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %s: %w", location, appliedProperty, err)
	}
	return n, nil
}

// MadeAt finds out by the tables' own metadata which URI their locations begin with: "" where there is no table.
func MadeAt(ctx context.Context, objects objstore.Store) (base string, err error) {
	found := errors.New("found")
	err = objects.ListFolders(ctx, "tables/", func(folder string) error {
		id := strings.TrimSuffix(strings.TrimPrefix(folder, "tables/"), "/")
		return objects.List(ctx, folder+"metadata/", "", func(o objstore.Object) error {
			if !strings.HasSuffix(o.Key, ".metadata.json") {
				return nil
			}
			var m struct{ Location string }
			r, err := objects.Get(ctx, o.Key, 0, -1)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil {
				return err
			}
			if json.Unmarshal(text, &m) != nil {
				return nil // another one may tell
			}
			at, ok := strings.CutSuffix(m.Location, "tables/"+id)
			if !ok || !strings.HasSuffix(at, "/") {
				return fmt.Errorf("%s: its location %q is none of a table of this lake", o.Key, m.Location)
			}
			base = at
			return found
		})
	})
	if err != nil && !errors.Is(err, found) && !errors.Is(err, objstore.ErrNotExist) {
		return "", err
	}
	return base, nil
}
