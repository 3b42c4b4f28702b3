package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// Seen is what a verifier remembers of logs, by the IDs of their stores: one checkpoint each, and of event histories, which every server has under one ID that has the account, one for each
// server. As JSON it is the file of --state.
type Seen map[string][]SeenLog

// SeenLog is what a log's checkpoint said, and whose it was.
type SeenLog struct {
	Key   string       `json:"key"` // the public key in base64; from a file that has origins alone: the origin without the store's ID
	Size  uint64       `json:"size"`
	Root  proof.Digest `json:"root"`
	Lakes []string     `json:"lakes,omitempty"` // the names (Options.Lake) under which the log was found
}

// UnmarshalJSON reads also what was written before keys were kept: checkpoints by their origins.
func (s *Seen) UnmarshalJSON(text []byte) error {
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(text, &byName); err != nil {
		return err
	}
	*s = Seen{}
	for name, text := range byName {
		at := strings.LastIndexByte(name, '/')
		if at < 0 {
			var logs []SeenLog
			if err := json.Unmarshal(text, &logs); err != nil {
				return fmt.Errorf("store %.100q: %w", name, err)
			}
			(*s)[name] = append((*s)[name], logs...)
			continue
		}
		var was SeenLog
		if err := json.Unmarshal(text, &was); err != nil {
			return fmt.Errorf("log %.100q: %w", name, err)
		}
		was.Key = name[:at]
		(*s)[name[at+1:]] = append((*s)[name[at+1:]], was)
	}
	return nil
}

// signedBy tells whether the checkpoint was signed by the key.
func (l SeenLog) signedBy(key proof.PublicKey) bool {
	return l.Key == key.String() || l.Key == signer(key)
}

// signer is what a key has in its logs' origins, before the store's ID.
func signer(key proof.PublicKey) string { return strings.TrimSuffix(key.Origin(""), "/") }

// signer is that of the checkpoint's key.
func (l SeenLog) signer() string {
	if key, err := proof.ParsePublicKey(l.Key); err == nil {
		return signer(key)
	}
	return l.Key
}

// ofAccount tells whether a store's ID is that of an account's event history: made of the account's number (UUID version 5), so that every server has it that has the account, where all others are random.
func ofAccount(id string) bool {
	u, err := uuid.Parse(id)
	return err == nil && u.Version() == 5
}

// remembered gives what is remembered of a store's log. Of an event history only what this key signed, or what was found under the name of this lake: the rest is other servers'.
func (r *run) remembered(id string) []SeenLog {
	if !ofAccount(id) {
		return r.Seen[id]
	}
	return slices.DeleteFunc(slices.Clone(r.Seen[id]), r.others)
}

// others tells whether what is remembered of an event history is another server's.
func (r *run) others(l SeenLog) bool {
	return !l.signedBy(r.Key) && (r.Lake == "" || !slices.Contains(l.Lakes, r.Lake))
}

// last gives what is remembered of a store's log. One that was signed by another key than this time is a finding, unless the new key is accepted; its leaves must go on all the same.
func (r *run) last(id string) SeenLog {
	all := r.remembered(id)
	if at := slices.IndexFunc(all, func(l SeenLog) bool { return l.signedBy(r.Key) }); at >= 0 {
		return all[at]
	}
	var was SeenLog
	for _, l := range all {
		if l.Size >= was.Size {
			was = l
		}
	}
	if len(all) > 0 && !r.accepted() {
		r.found(id, tlog.Prefix+id+"/"+proof.CheckpointPath, "the log has another key than the last time: it was %s, and is %s now. If the server was given a new key, name it with --new-key; another server needs a --state of its own", was.Key, r.Key)
	}
	return was
}

// accepted tells whether the caller knows that the lake's key may be a new one.
func (r *run) accepted() bool { return r.Accept != nil && r.Accept.String() == r.Key.String() }

// remember enters what is seen of a store's log this time.
func (r *run) remember(next Seen, id string, seen SeenLog) {
	was := r.last(id)
	seen.Key, seen.Lakes = r.Key.String(), slices.Clone(was.Lakes)
	if r.Lake != "" && !slices.Contains(seen.Lakes, r.Lake) {
		seen.Lakes = append(seen.Lakes, r.Lake)
	}
	logs := []SeenLog{seen}
	for _, l := range r.Seen[id] {
		if !l.signedBy(r.Key) && (was.signedBy(r.Key) || ofAccount(id) && r.others(l)) {
			logs = append(logs, l)
		}
	}
	next[id] = logs
}

// gone looks for the remembered logs of this lake that are not among the stores that were verified. A log outlives its store, so that none is ever gone. What is remembered of a lake is
// what was found under its name, what its key signed, and what was signed by the key that it had before.
func (r *run) gone(ctx context.Context, ids []string) error {
	keys := map[string]bool{signer(r.Key): true}
	for _, id := range ids {
		if all := r.remembered(id); !slices.ContainsFunc(all, func(l SeenLog) bool { return l.signedBy(r.Key) }) {
			for _, l := range all {
				keys[l.signer()] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.Seen)) {
		all := r.remembered(id)
		at := slices.IndexFunc(all, func(l SeenLog) bool {
			return l.Size > 0 && (keys[l.signer()] || r.Lake != "" && slices.Contains(l.Lakes, r.Lake))
		})
		if at < 0 || slices.Contains(ids, id) {
			continue
		}
		r.report.unlisted = append(r.report.unlisted, id)
		if err := r.unlisted(ctx, id, all[at].Size); err != nil {
			return fmt.Errorf("store %s: %w", id, err)
		}
	}
	return nil
}

// unlisted verifies that a remembered log goes on that was not among the stores: a server lists those of one account, and those that are not deleted. What everybody may read of it is enough.
func (r *run) unlisted(ctx context.Context, id string, leaves uint64) error {
	log := tlog.Reader{Objects: r.Objects, StoreID: id}
	signed, err := log.Checkpoint(ctx)
	if errors.Is(err, objstore.ErrNotExist) {
		r.found(id, tlog.Prefix+id, "the log of %d leaves that was here the last time is gone. Another server in the same place needs a --state of its own", leaves)
		return nil
	}
	if err != nil {
		return err
	}
	cp, err := proof.OpenCheckpoint(signed, r.Key, id)
	if err != nil {
		r.found(id, log.Key(proof.CheckpointPath), "%v", err)
		return nil
	}
	was := r.last(id)
	if cp.Size < was.Size {
		r.found(id, log.Key(proof.CheckpointPath), "the log was set back: it has %d leaves, and had %d the last time", cp.Size, was.Size)
		return nil
	}
	var tree proof.Tree
	for n := uint64(0); n*proof.TileWidth < cp.Size; n++ {
		w := int(min(cp.Size-n*proof.TileWidth, proof.TileWidth))
		hashes, err := log.Tile(ctx, 0, n, w)
		if errors.Is(err, objstore.ErrNotExist) {
			r.found(id, log.Key(proof.TilePath(0, n, w)), "missing")
			return nil
		}
		if err != nil {
			return err
		}
		for _, h := range hashes {
			if tree.Add(h); tree.Size() == was.Size && proof.Digest(tree.Root()) != was.Root {
				r.found(id, log.Key(proof.CheckpointPath), "the first %d leaves are not those of the last time: the log was rewritten", was.Size)
			}
		}
	}
	if tree.Root() != cp.Root {
		r.found(id, log.Key(proof.CheckpointPath), "the tiles do not make the checkpoint's root: the log was changed")
	}
	return nil
}
