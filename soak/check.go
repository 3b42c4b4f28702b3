package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/uuid"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
)

// ask counts a store's events through the API.
func (r *run) ask(ctx context.Context, s *store) (all, distinct int, err error) {
	sql := "SELECT count(*), count(DISTINCT eventID) FROM " + s.id
	_, err = r.client.Query(ctx, model.StartQueryRequest{QueryStatement: &sql}, nil, func([]string) error { return nil }, func(row []client.Cell) error {
		var e, e2 error
		all, e = strconv.Atoi(row[0].Text)
		distinct, e2 = strconv.Atoi(row[1].Text)
		return errors.Join(e, e2)
	})
	return all, distinct, err
}

// asking queries the stores while everything else goes on: no event may be seen twice, and none that was seen may be gone.
func (r *run) asking(ctx context.Context) {
	seen := map[*store]int{}
	for ctx.Err() == nil {
		for _, s := range []*store{r.audit[0], r.audit[1], r.imported} {
			all, distinct, err := r.ask(ctx, s)
			switch {
			case err != nil:
				r.count(&r.lost)
			case all != distinct:
				r.found("a query saw %d events of %s, of %d identities", all, s.name, distinct)
			case all < seen[s]:
				r.found("a query saw %d events of %s, and one before it %d", all, s.name, seen[s])
			default:
				seen[s] = all
				r.count(&r.queries)
			}
			sleep(ctx, 100*time.Millisecond)
		}
	}
}

// settle waits until the server has brought everything to its tables, asks it once more, and stops it.
func (r *run) settle(ctx context.Context, l *life) error {
	if err := r.healthy(ctx); err != nil {
		return errors.Join(err, l.end(syscall.SIGTERM))
	}
	if err := l.end(syscall.SIGTERM); err != nil {
		return err
	}
	r.measure(l)
	l, err := r.begin(ctx)
	if err != nil {
		return err
	}
	if err := r.healthy(ctx); err != nil {
		return errors.Join(err, l.end(syscall.SIGTERM))
	}
	for _, s := range []*store{r.audit[0], r.audit[1], r.imported} {
		all, distinct, err := r.ask(ctx, s)
		if err != nil {
			r.found("the last query of %s: %v", s.name, err)
			continue
		}
		if n := s.ledger.counts(); all != distinct || all < n[acked] || all > n[acked]+n[unknown] {
			r.found("the last query saw %d events of %s, of %d identities; %d were acknowledged, and of %d it is not known", all, s.name, distinct, n[acked], n[unknown])
		}
	}
	return l.end(syscall.SIGTERM)
}

// check holds the tables of the stopped server against the ledgers, row by row, and has loch verify look at everything.
func (r *run) check(ctx context.Context) error {
	args := []string{"verify", "--full", "--data", r.data(), "--state", filepath.Join(r.dir, "checkpoints.json")}
	for i := 0; i < len(r.flags); i += 1 { // those of the store; path style is alone
		args = append(args, r.flags[i])
	}
	cmd := exec.CommandContext(ctx, r.loch, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		r.found("loch verify: %v\n%s", err, said.Bytes())
	}
	db, err := meta.OpenSQLite(ctx, filepath.Join(r.data(), "meta.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	objects, err := r.objects(ctx)
	if err != nil {
		return err
	}
	l, err := lake.Open(ctx, lake.Config{Objects: objects, Meta: db})
	if err != nil {
		return err
	}
	defer l.Close()
	for _, s := range r.stores() {
		if err := r.hold(ctx, l, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) objects(ctx context.Context) (objstore.Store, error) {
	if r.bucket == nil {
		return objstore.OpenLocal(filepath.Join(r.data(), "lake"))
	}
	return objstore.Open(ctx, "s3://lake/tables", objstore.S3Config{Endpoint: "http://" + r.bucket.address, Region: "us-east-1", PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(bucketKey, bucketSecret, "")})
}

// hold compares a store's table with its ledger.
func (r *run) hold(ctx context.Context, l *lake.Lake, s *store) error {
	seen := make(map[uuid.UUID]int, len(s.ledger.sent))
	err := l.Identities(ctx, s.id, -1, func(row *lake.Stored) error {
		id := newItem(string(row.EventID), nil).id
		was, ok := s.ledger.sent[id]
		switch seen[id]++; {
		case !ok:
			r.found("%s has event %s, which nobody sent", s.name, row.EventID)
		case seen[id] > 1:
			r.found("%s has event %s %d times", s.name, row.EventID, seen[id])
		case was.fate == refused:
			r.found("%s has event %s, which was refused", s.name, row.EventID)
		case was.sum != [8]byte(row.Hash[:8]):
			r.found("%s has event %s with another text", s.name, row.EventID)
		}
		return nil
	})
	if (errors.Is(err, meta.ErrNotFound) || errors.Is(err, lake.ErrNoTable)) && s.ledger.counts()[acked] == 0 {
		return nil // a history that no event reached
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	for id, e := range s.ledger.sent {
		if e.fate == acked && seen[id] == 0 {
			r.found("%s lost event %s", s.name, id)
		}
	}
	n := s.ledger.counts()
	fmt.Fprintf(r.out, "%s, %s: %d events acknowledged, %d of unknown fate, %d refused; %d in the table\n", r.kind, s.name, n[acked], n[unknown], n[refused], len(seen))
	return nil
}

// report prints the figures.
func (r *run) report(loaded, checked time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := func(list []time.Duration, share float64) time.Duration {
		if len(list) == 0 {
			return 0
		}
		slices.Sort(list)
		return list[int(share*float64(len(list)-1))].Round(10 * time.Microsecond)
	}
	fmt.Fprintf(r.out, "%s: %s of load, %d kills, %d stops, %s of checks\n", r.kind, loaded.Round(time.Second), r.killed, r.stopped, checked.Round(100*time.Millisecond))
	fmt.Fprintf(r.out, "%s: %d calls (%d again), answered within %s (median) and %s (99 %%); %d refused, within %s and %s\n", r.kind, r.calls, r.again, at(r.answers, 0.5), at(r.answers, 0.99),
		len(r.refusals), at(r.refusals, 0.5), at(r.refusals, 0.99))
	fmt.Fprintf(r.out, "%s: %d imports, %d queries answered and %d not, %d merges, %d errors logged, starts within %s (median) and %s (most), peak memory %d MB\n", r.kind, r.imports, r.queries, r.lost,
		r.merges, r.errors, at(r.starts, 0.5), at(r.starts, 1), r.peak>>20)
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		fmt.Fprintf(r.out, "%s: fault %q: %d times\n", r.kind, name, r.faults[name])
	}
	fmt.Fprintf(r.out, "%s: %d findings\n", r.kind, len(r.findings))
}
