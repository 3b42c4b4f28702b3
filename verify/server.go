package verify

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// ErrDenied: a server does not let the caller read a store. Its text is for people.
var ErrDenied = errors.New("the server does not let the caller read it")

// Server is a running server, as who verifies it over the network comes at it. Nothing that it says is believed.
type Server interface {
	// Stores lists the IDs of the stores that the caller may verify.
	Stores(ctx context.Context) ([]string, error)
	// Snapshot takes a snapshot of a store; ErrDenied (wrapped) where the caller may not read it.
	Snapshot(ctx context.Context, storeID string) (Snapshot, error)
	// Logs are the transparency logs as everybody may read them, as far as Options.Logs needs them.
	Logs() objstore.Store
}

// Snapshot is a store of a running server at one moment: what its metadata says then and the objects that it names, which the server keeps until Close.
type Snapshot interface {
	Meta
	Objects() objstore.Store
	// Lost tells whether the server says that it does not keep the snapshot any more, as after a new start: what is missing then need not have been missing.
	Lost(ctx context.Context) bool
	Close(ctx context.Context) error
}

// snapshotTries is how many snapshots are taken of a store while the server loses them.
const snapshotTries = 4

// RunServer verifies the stores of a running server, each as it is at one moment, as Run verifies those of a stopped one; Objects, Meta and Logs of the options are set here. Stores that the caller may
// not read, or that could not be read to the end, are in the report's Unverified.
func RunServer(ctx context.Context, opt Options, s Server) (Report, error) {
	if opt.Now.IsZero() {
		opt.Now = time.Now()
	}
	var total Report
	ids, err := s.Stores(ctx)
	if err != nil {
		return total, err
	}
	for _, id := range ids {
		one, err := runStore(ctx, opt, s, id, total)
		switch {
		case ctx.Err() != nil:
			return total, ctx.Err()
		case err != nil: // the others are verified all the same
			total.Unverified = append(total.Unverified, Unverified{id, strings.TrimPrefix(err.Error(), "store "+id+": ")})
			total.Findings = append(total.Findings, one.Findings...)
		default:
			total.add(one)
		}
	}
	// What is remembered and not listed: whatever the server says, everybody may read how its log goes on.
	last := opt
	last.Objects, last.Meta, last.Logs, last.Progress = s.Logs(), nil, []string{}, nil
	r := &run{Options: last}
	if err := r.gone(ctx, ids); err != nil {
		return total, err
	}
	for _, id := range r.report.unlisted {
		total.Unverified = append(total.Unverified, Unverified{id, "it was there the last time, and the server does not list it among the stores that the caller may read; what everybody may read of its log was verified"})
	}
	total.add(r.report)
	return total, nil
}

// runStore verifies one store; done is what was found of those before.
func runStore(ctx context.Context, opt Options, s Server, id string, done Report) (Report, error) {
	for try := 1; ; try++ {
		report, lost, err := once(ctx, opt, s, id, done)
		if !lost || try == snapshotTries || ctx.Err() != nil {
			return report, err
		}
	}
}

// once verifies a store by one snapshot. lost tells that the snapshot was lost, and that what went wrong may come of that.
func once(ctx context.Context, opt Options, s Server, id string, done Report) (report Report, lost bool, err error) {
	snap, err := snapshot(ctx, opt, s, id)
	if err != nil {
		return report, false, err
	}
	defer func() { err = errors.Join(err, snap.Close(context.WithoutCancel(ctx))) }()
	opt.Objects, opt.Meta, opt.Logs, opt.Live = snap.Objects(), snap, nil, true
	if tell := opt.Progress; tell != nil {
		opt.Progress = func(bytes, total, events int64) { tell(done.Bytes+bytes, done.Bytes+total, done.Checked+events) }
	}
	all := opt.Seen
	if all != nil { // the others are not expected here
		opt.Seen = Seen{}
		if was, ok := all[id]; ok {
			opt.Seen[id] = was
		}
	}
	report, err = Run(ctx, opt)
	if err != nil || len(report.Findings) > 0 {
		return report, snap.Lost(ctx), err
	}
	if seen, ok := opt.Seen[id]; ok && all != nil {
		all[id] = seen
	}
	return report, false, nil
}

// snapshot takes a snapshot of a store. A checkpoint gets its cosignatures after it is published, and a busy log has a new one every second: it is tried until one has them.
func snapshot(ctx context.Context, opt Options, s Server, id string) (Snapshot, error) {
	for n := 0; ; n++ {
		snap, err := s.Snapshot(ctx, id)
		if err != nil || n == cosignTries || !lacksCosignature(ctx, opt.Witnesses, snap, id) {
			return snap, err
		}
		if err := snap.Close(ctx); err != nil {
			return nil, err
		}
		select {
		case <-time.After(cosignPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func lacksCosignature(ctx context.Context, witnesses []proof.Witness, snap Snapshot, id string) bool {
	if len(witnesses) == 0 {
		return false
	}
	signed, err := tlog.Reader{Objects: snap.Objects(), StoreID: id}.Checkpoint(ctx)
	if err != nil {
		return false // there is none, or Run says what is wrong
	}
	for _, w := range witnesses {
		if _, err := w.Cosigned(signed); errors.Is(err, proof.ErrNotCosigned) {
			return true
		}
	}
	return false
}

// add adds what was found of other stores.
func (r *Report) add(o Report) {
	r.Stores += o.Stores
	r.Leaves += o.Leaves
	r.Pending += o.Pending
	r.Files += o.Files
	r.Bytes += o.Bytes
	r.Events += o.Events
	r.Erased += o.Erased
	r.Checked += o.Checked
	r.Orphans += o.Orphans
	r.Findings = append(r.Findings, o.Findings...)
	r.Cosigned = append(r.Cosigned, o.Cosigned...)
}
