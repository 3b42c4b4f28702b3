package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/objstore"
)

// newest finds the newest metadata that can be gone on with, and says what the log lacks.
//
// Files of one version were all made of the one before, which was committed, and at most one of them was, too: the others' changes were refused or cut off when their metadata had been written. Times
// of files do not tell which. What the log tells of in part was committed. Else it is the one whose events are more, since commits bring what was accepted in the durable log's order: that one is no
// loss where it was the other that was committed, as it has the other's events.
func (a *adopter) newest(ctx context.Context) (adopted, error) {
	here := adopted{metadata: a.h.metadata}
	files, err := lake.MetadataFiles(ctx, a.objects, a.id)
	if err != nil {
		return here, err
	}
	head := a.folder() + a.h.metadata // which may be gone, where the log lags behind by many commits
	if len(files) == 0 || files[0].Version < lake.MetadataVersion(head) {
		return here, fmt.Errorf("%s is missing, where the table stands by its log", head)
	}
	version := files[0].Version
	if version == lake.MetadataVersion(head) {
		if !slices.ContainsFunc(files, func(f lake.MetadataFile) bool { return f.Key == head }) {
			return here, fmt.Errorf("%s is missing, where the table stands by its log", head)
		}
		return here, a.settled()
	}
	var tips []adopted
	var untrue []error
	for _, f := range files {
		if f.Version != version {
			break
		}
		got, err := a.tip(ctx, head, f.Key)
		switch {
		case errors.Is(err, errUntold):
			untrue = append(untrue, err)
		case err != nil:
			return here, err
		default:
			tips = append(tips, got)
		}
	}
	if len(tips) == 0 {
		return here, errors.Join(untrue...)
	}
	return most(tips)
}

// most chooses among metadata files of one version.
func most(tips []adopted) (adopted, error) {
	best := slices.MaxFunc(tips, func(x, y adopted) int { // of equal ones the first
		return cmp.Or(cmp.Compare(x.events, y.events), cmp.Compare(y.back, x.back))
	})
	notes := []string{}
	for i := range tips {
		notes = append(notes, tips[i].notes...)
		for at, list := range tips[i].rows {
			for position, of := range list {
				if has, ok := best.rows[at][position]; !ok || has.leaf != of.leaf {
					return best, fmt.Errorf("of %s and %s one was committed, and each has events that the other has not: nobody knows any more which it was. Move one away", best.tip, tips[i].tip)
				}
			}
		}
	}
	best.notes = slices.Compact(notes)
	return best, nil
}

// tip adopts a metadata file of the newest version, or else the one that it was made from: see back.
func (a *adopter) tip(ctx context.Context, head, tip string) (adopted, error) {
	got, err := a.adopt(ctx, tip)
	got.tip = tip
	lacks := errors.Is(err, objstore.ErrNotExist) || errors.Is(err, fs.ErrNotExist)
	if err != nil && !lacks || err == nil && len(got.away) == 0 {
		return got, err
	}
	// A change that takes events away may have been refused when its metadata had been written, and only the last one can have been: a change is written on what was committed.
	parent, perr := lake.Parent(ctx, a.objects, tip)
	if perr != nil {
		return got, errors.Join(err, perr)
	}
	key, ok := a.objects.Key(parent)
	if !ok {
		return got, errors.Join(err, fmt.Errorf("%s lies outside the object store", parent))
	}
	before := adopted{metadata: a.h.metadata}
	if key != head {
		before, perr = a.adopt(ctx, key)
	} else {
		perr = a.settled()
	}
	if perr != nil {
		return got, errors.Join(err, perr)
	}
	before.tip, before.back = tip, 1
	switch {
	case lacks:
		before.notes = append(before.notes, fmt.Sprintf("its newest metadata names what is not there (%v): the one before is gone on with", err))
		return before, nil
	case slices.ContainsFunc(slices.Collect(maps.Keys(got.away)), func(what string) bool { return !before.away[what] }):
		before.notes = append(before.notes, "the last change took events away, and the log does not tell of it: it is undone")
		return before, nil
	}
	return got, nil
}

// errUntold: the metadata is not what the log's last leaves tell of.
var errUntold = errors.New("the log's last leaves tell of a change that the table does not have")

// untold is the error of metadata that contradicts the log: where that tells of a change in part, the metadata may be another change's.
func (a *adopter) untold(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if told := a.settled(); told != nil {
		return fmt.Errorf("%w: %w", told, err)
	}
	return err
}

// settled refuses a log whose last leaves tell of a change that the table does not have.
func (a *adopter) settled() error {
	if a.h.halfway || a.h.removal != nil || a.h.open {
		return errUntold
	}
	return nil
}
