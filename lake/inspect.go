package lake

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/apache/iceberg-go/table"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// Inspection is called by Inspect with what a table's metadata is made of and says; paths are relative to the table's folder.
type Inspection struct {
	Object  func(path string, sum proof.Hash)     // the metadata file, and manifest lists and manifests of every snapshot it has
	Missing func(path string)                     // one of these that is not there, which ends the reading; nil: nobody asks
	File    func(path string, stats *proof.Stats) // a data file of the present snapshot
}

// Inspect reads the metadata of a table from its location, without any server. It gives the present snapshot's id (0: none) and the kind of the table's events. An error is
// one of reading, or of content that is no table's.
func Inspect(ctx context.Context, objects objstore.Store, location string, in Inspection) (snapshot int64, kind event.Kind, err error) {
	defer func() {
		if p := recover(); p != nil { // the library's readers do on some damaged files
			err = fmt.Errorf("table metadata %s: %v", location, p)
		}
	}()
	files := tableFiles{ctx: ctx, store: objects, cache: newLRU[[]byte](metadataCacheBytes)}
	text, err := files.read(location)
	if err != nil {
		return 0, 0, err
	}
	m, err := table.ParseMetadataBytes(text)
	if err != nil {
		return 0, 0, fmt.Errorf("table metadata %s: %w", location, err)
	}
	told := map[string]bool{}
	object := func(uri string) error {
		if told[uri] {
			return nil
		}
		told[uri] = true
		path, err := below(m.Location(), uri)
		if err != nil {
			return err
		}
		b, err := files.read(uri)
		switch {
		case err == nil:
			in.Object(path, sha256.Sum256(b))
		case errors.Is(err, objstore.ErrNotExist) && in.Missing != nil:
			in.Missing(path)
		}
		return err
	}
	if err := object(location); err != nil {
		return 0, 0, err
	}
	var number uint8
	if _, err := fmt.Sscan(m.Properties()[kindProperty], &number); err != nil {
		return 0, 0, fmt.Errorf("table property %s: %w", kindProperty, err)
	}
	if cur := m.CurrentSnapshot(); cur != nil {
		snapshot = cur.SnapshotID
	}
	for _, s := range m.Snapshots() {
		if err := object(s.ManifestList); err != nil {
			return 0, 0, err
		}
		manifests, err := s.Manifests(&files)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", s.ManifestList, err)
		}
		for _, f := range manifests {
			if err := object(f.FilePath()); err != nil {
				return 0, 0, err
			}
			if s.SnapshotID != snapshot {
				continue
			}
			for e, err := range f.Entries(&files, true) {
				if err != nil {
					return 0, 0, fmt.Errorf("%s: %w", f.FilePath(), err)
				}
				path, err := below(m.Location(), e.DataFile().FilePath())
				if err != nil {
					return 0, 0, err
				}
				in.File(path, statsOf(e.DataFile()))
			}
		}
	}
	return snapshot, event.Kind(number), nil
}
