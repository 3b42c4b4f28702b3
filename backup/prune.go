package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lochlake/loch/objstore"
)

// Pruned is what was removed.
type Pruned struct {
	Points []string `json:"points"`
	Files  int64    `json:"files"`
	Bytes  int64    `json:"bytes"`
}

// cutOff is after how long a point that is not finished is taken for one that never will be.
const cutOff = 24 * time.Hour

// Prune removes all points but the newest keep, which is at least one, and then the files that none of these names. While a point is being made, or may be, nothing is removed
// that it could name; a point that is begun meanwhile notices.
func Prune(ctx context.Context, at objstore.Store, keep int) (p Pruned, err error) {
	if keep < 1 {
		return p, errors.New("at least one point is kept")
	}
	now := time.Now()
	points, unfinished, err := Points(ctx, at)
	if err != nil {
		return p, fmt.Errorf("nothing is removed: %w", err)
	}
	if err := young(ctx, at, unfinished, now); err != nil {
		return p, err
	}
	old := points[:max(0, len(points)-keep)]
	for _, o := range old {
		if err := at.Delete(ctx, pointKey(o.Name, pointFile)); err != nil { // first: what is left is no point
			return p, err
		}
		p.Points = append(p.Points, o.Name)
		unfinished = append(unfinished, o.Name)
	}
	for _, name := range unfinished {
		if err := p.remove(ctx, at, pointKey(name, ""), func(objstore.Object) bool { return true }); err != nil {
			return p, err
		}
	}
	left, begun, err := Points(ctx, at)
	if err == nil {
		err = young(ctx, at, begun, now)
	}
	if err != nil {
		return p, err
	}
	named := map[string]bool{}
	for _, l := range left {
		for _, f := range l.Files {
			named[f.Object] = true
		}
	}
	return p, p.remove(ctx, at, lakePrefix, func(o objstore.Object) bool { return !named[o.Key] && o.Modified.Before(now) })
}

// young refuses while a point that is not finished may still be in the making.
func young(ctx context.Context, at objstore.Store, unfinished []string, now time.Time) error {
	for _, name := range unfinished {
		err := at.List(ctx, pointKey(name, ""), "", func(o objstore.Object) error {
			if now.Sub(o.Modified) < cutOff {
				return fmt.Errorf("point %s is being made, or was cut off within a day: files are removed when it is finished or older", name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// remove removes objects that which chooses.
func (p *Pruned) remove(ctx context.Context, at objstore.Store, prefix string, which func(objstore.Object) bool) error {
	var gone []objstore.Object
	err := at.List(ctx, prefix, "", func(o objstore.Object) error {
		if which(o) {
			gone = append(gone, o)
		}
		return nil
	})
	if err != nil && !errors.Is(err, objstore.ErrNotExist) {
		return err
	}
	for _, o := range gone {
		if err := at.Delete(ctx, o.Key); err != nil {
			return err
		}
		p.Files++
		p.Bytes += o.Size
	}
	return nil
}
