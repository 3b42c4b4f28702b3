package tlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lochlake/loch/objstore"
)

// ownerKey is the object that names the server whose lake a bucket holds: its text is the public half of the key that signs the logs, which a server keeps for good. It is written once, by
// the first start, and only where there is none: of two that begin at once, one wins.
const ownerKey = "owner"

// ErrForeign: the bucket's lake is another server's. Stores that are made by name, as the event histories are, have the same paths for both; each would publish its checkpoints over the
// other's, and sweep the other's files as nobody's.
var ErrForeign = errors.New("another server's lake lies there")

// claim makes the bucket this server's, or finds whose it is. A log that somebody else's key signs, in a bucket that nobody has claimed, may be of a server from before there were claims: then none is made.
func (g *Guard) claim(ctx context.Context) error {
	own := g.cfg.Key.String() + "\n"
	owner, err := g.owner(ctx)
	if errors.Is(err, objstore.ErrNotExist) {
		g.mu.Lock()
		strange := len(g.strange)
		g.mu.Unlock()
		if strange > 0 {
			return nil
		}
		err = g.put(ctx, own, true)
		if errors.Is(err, objstore.ErrUnsupported) { // a store without create-only writes: of two that begin at once, the last wins
			err = g.put(ctx, own, false)
		}
		if err == nil || errors.Is(err, objstore.ErrExists) {
			owner, err = g.owner(ctx)
		}
	}
	if err != nil {
		return err
	}
	if owner != own {
		return fmt.Errorf("%w: the logs at %s are signed by %s, and this server's by %s. Give each server a bucket or a prefix of its own; where that one is no more, and neither is its lake, remove the object %q",
			ErrForeign, strings.TrimSuffix(g.cfg.Objects.URI(""), "/"), strings.TrimSpace(owner), g.cfg.Key, ownerKey)
	}
	return nil
}

func (g *Guard) put(ctx context.Context, owner string, onlyNew bool) error {
	return g.cfg.Objects.Put(ctx, ownerKey, strings.NewReader(owner), int64(len(owner)), onlyNew)
}

func (g *Guard) owner(ctx context.Context) (string, error) {
	r, err := g.cfg.Objects.Get(ctx, ownerKey, 0, -1)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(r, 1000))
	return string(text), errors.Join(err, r.Close())
}
