package identity

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lochlake/loch/disk"
)

// manifest is the file that says which runs the index has. It is replaced as a whole (disk.WriteFile); its first line is the CRC32C
// of the rest.
type manifest struct {
	Covered int64    `json:"covered"` // the runs hold the keys of every event of records up to this sequence
	Next    uint64   `json:"next"`    // number of the next run
	Runs    []string `json:"runs"`    // oldest first
	Mark    int64    `json:"mark"`    // Options.Mark when the index was made
}

const (
	manifestName = "manifest"
	runSuffix    = ".run"
)

// Open opens the index of a directory, making an empty one where there is none. ErrCorrupt in the error's chain says that it must
// be removed (Remove) and made anew. applied is the sequence that the table says it holds: an index that covers more belongs to
// events that the table does not have (it was put back to an earlier state), and is corrupt in that sense.
func Open(opt Options, applied int64) (_ *Index, err error) {
	opt.Memory = cmp.Or(opt.Memory, 1<<17)
	opt.Fanout = cmp.Or(opt.Fanout, 4)
	if opt.FS == nil {
		opt.FS = disk.OS
	}
	x := &Index{opt: opt, log: cmp.Or(opt.Logger, slog.Default()), table: newTable(firstTable), applied: applied, filling: true}
	x.changed.L = &x.mu
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the identity index %s: %w", opt.Dir, errors.Join(err, closeRuns(x.runs)))
		}
	}()
	if err := opt.FS.MkdirAll(opt.Dir); err != nil {
		return nil, err
	}
	if err := x.readManifest(); err != nil {
		return nil, err
	}
	if x.man.Covered > applied {
		return nil, fmt.Errorf("%w: it covers record %d of the durable log, the table %d", ErrCorrupt, x.man.Covered, applied)
	}
	for _, name := range x.man.Runs {
		r, err := openRun(opt.FS, filepath.Join(opt.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if err != nil {
			return nil, err
		}
		x.runs = append(x.runs, r)
	}
	if err := x.removeStrangers(); err != nil {
		return nil, err
	}
	return x, nil
}

// Remove removes the index of a directory, which nobody has open. The manifest goes first: without it there is no index.
func Remove(fsys disk.FS, dir string) error {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = fsys.Remove(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err = errors.Join(err, fsys.SyncDir(dir)); err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != manifestName {
			err = errors.Join(err, fsys.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(err, fsys.Remove(dir))
}

func (x *Index) readManifest() error {
	b, err := disk.ReadFile(x.opt.FS, filepath.Join(x.opt.Dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		x.man.Mark = x.opt.Mark
		return nil
	}
	if err != nil {
		return err
	}
	sum, rest, _ := bytes.Cut(b, []byte("\n"))
	if string(sum) != checksum(rest) {
		return fmt.Errorf("%w: manifest", ErrCorrupt)
	}
	if err := json.Unmarshal(rest, &x.man); err != nil {
		return fmt.Errorf("%w: manifest: %w", ErrCorrupt, err)
	}
	return nil
}

func checksum(b []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli)) }

func (x *Index) writeManifest(m manifest) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return disk.WriteFile(x.opt.FS, filepath.Join(x.opt.Dir, manifestName), append([]byte(checksum(b)+"\n"), b...))
}

// removeStrangers removes what a crash left: runs that no manifest names.
func (x *Index) removeStrangers() error {
	entries, err := x.opt.FS.ReadDir(x.opt.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), runSuffix) && !slices.Contains(x.man.Runs, e.Name()) {
			err = errors.Join(err, x.opt.FS.Remove(filepath.Join(x.opt.Dir, e.Name())))
		}
	}
	return err
}
