package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/objstore/s3fault"
	"github.com/lochlake/loch/registry"
)

// account is the root key's, and the management account of the generated organisation.
const account = "111122223333"

const (
	senders   = 4
	importers = 2
)

// store is an event data store, and what should be in it.
type store struct {
	name   string
	id     string
	ledger *ledger
}

// run is a soak of one kind: "disk" or "s3".
type run struct {
	loch, gateway, kind, dir string
	seed                     uint64
	last                     time.Duration
	kills                    int
	out                      io.Writer

	begun    time.Time
	address  string
	flags    []string // of the server
	client   *client.Client
	channels []*channel
	audit    [2]*store
	imported *store
	bucket   *bucket
	proxy    *s3fault.Proxy

	mu                                                   sync.Mutex
	histories                                            map[string]*store
	findings                                             []string
	calls, again, imports, queries, errors, merges, lost int // lost: queries that got no answer
	faults                                               map[string]int
	answers, refusals, starts                            []time.Duration
	killed, stopped                                      int
	peak                                                 int64 // bytes, of any life
}

func (r *run) data() string { return filepath.Join(r.dir, "data") }

func (r *run) count(n *int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*n++
}

func (r *run) took(list *[]time.Duration, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*list = append(*list, d)
}

// found keeps what should not be. The run goes on: what comes after tells more.
func (r *run) found(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.findings) < 50 {
		r.findings = append(r.findings, fmt.Sprintf(format, args...))
	}
}

func (r *run) historyOf(account string) *store {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.histories[account]
	if h == nil {
		h = &store{"history of " + account, registry.HistoryID(account), newLedger()}
		r.histories[account] = h
	}
	return h
}

// stores are all that events were sent to.
func (r *run) stores() []*store {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := []*store{r.audit[0], r.audit[1], r.imported}
	for _, h := range r.histories {
		all = append(all, h)
	}
	return all
}

// all runs the soak and its checks, and prints what came of it.
func (r *run) all(ctx context.Context) (err error) {
	r.begun, r.histories, r.faults = time.Now(), map[string]*store{}, map[string]int{}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	if r.address, err = freeAddress(); err != nil {
		return err
	}
	if r.kind == "s3" {
		if r.bucket, err = startBucket(ctx, r.gateway, r.dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.bucket.stop()) }()
		if r.proxy, err = s3fault.Start("http://" + r.bucket.address); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.proxy.Close()) }()
		r.flags = []string{"--store-url", "s3://lake/tables", "--s3-endpoint", r.proxy.URL, "--s3-region", "us-east-1", "--s3-path-style", "--s3-access-key", bucketKey, "--s3-secret-key", bucketSecret}
	}
	l, err := r.begin(ctx)
	if err != nil {
		return err
	}
	if err := r.setUp(ctx); err != nil {
		return errors.Join(err, l.end(syscall.SIGTERM))
	}
	if l, err = r.load(ctx, l); err != nil {
		return err
	}
	loaded := time.Since(r.begun)
	if err := r.settle(ctx, l); err != nil {
		return err
	}
	checked := time.Now()
	if err := r.check(ctx); err != nil {
		return err
	}
	r.report(loaded, time.Since(checked))
	if n := len(r.findings); n > 0 {
		return fmt.Errorf("%d findings:\n%s", n, strings.Join(r.findings, "\n"))
	}
	return ctx.Err()
}

// setUp makes two stores for events from outside AWS with a channel to one and a channel to both, and a store for imports.
func (r *run) setUp(ctx context.Context) error {
	creds := filepath.Join(r.data(), "credentials")
	cfg, err := config.LoadDefaultConfig(ctx, config.WithSharedCredentialsFiles([]string{creds}), config.WithSharedConfigFiles(nil), config.WithSharedConfigProfile("default"))
	if err != nil {
		return err
	}
	if r.client, err = client.WithCredentials("http://"+r.address, "us-east-1", cfg.Credentials); err != nil {
		return err
	}
	type object = map[string]any
	made := func(name string, in object) (*store, error) {
		var out struct{ EventDataStoreArn string }
		in["Name"], in["TerminationProtectionEnabled"], in["OrganizationEnabled"] = name, false, true
		err := r.client.Call(ctx, "CreateEventDataStore", in, &out)
		return &store{name, out.EventDataStoreArn, newLedger()}, err
	}
	for i := range r.audit {
		r.audit[i], err = made(fmt.Sprint("audit-", i), object{"AdvancedEventSelectors": []object{{"FieldSelectors": []object{{"Field": "eventCategory", "Equals": []string{"ActivityAuditLog"}}}}}})
		if err != nil {
			return err
		}
	}
	if r.imported, err = made("imported", object{}); err != nil {
		return err
	}
	for name, to := range map[string][]*store{"one": r.audit[:1], "both": r.audit[:]} {
		var leads []object
		for _, s := range to {
			leads = append(leads, object{"Type": "EVENT_DATA_STORE", "Location": s.id})
		}
		var out struct{ ChannelArn string }
		if err := r.client.Call(ctx, "CreateChannel", object{"Name": name, "Source": "Custom", "Destinations": leads}, &out); err != nil {
			return err
		}
		r.channels = append(r.channels, &channel{out.ChannelArn, to})
	}
	for _, s := range r.stores() {
		s.id = s.id[strings.LastIndexByte(s.id, '/')+1:]
	}
	return nil
}

// load has senders, importers and a reader work while the server is killed and its disk or bucket fails, and gives its last life.
func (r *run) load(ctx context.Context, l *life) (*life, error) {
	var wg sync.WaitGroup
	working, stop := context.WithCancel(ctx)
	defer wg.Wait()
	defer stop()
	seeds := rand.New(rand.NewPCG(r.seed, 1))
	fork := func() *rand.Rand { return rand.New(rand.NewPCG(seeds.Uint64(), seeds.Uint64())) }
	for i := range senders {
		rnd := fork()
		wg.Go(func() { r.sending(working, i, rnd) })
	}
	for i := range importers {
		rnd := fork()
		wg.Go(func() { r.importing(working, i, rnd) })
	}
	wg.Go(func() { r.asking(working) })
	rnd := fork()
	for r.killed < r.kills {
		// Many lives are short and some long, so that everything comes to its turn; together they take the time that there is.
		left := max(0, r.last-time.Since(r.begun)) / time.Duration(r.kills-r.killed)
		due := time.Now().Add(time.Duration(rnd.ExpFloat64() * float64(left)))
		if rnd.IntN(2) == 0 {
			sleep(ctx, time.Until(due)/2)
			if err := r.spoil(ctx, l, rnd); err != nil {
				return l, err
			}
		}
		sleep(ctx, time.Until(due))
		if ctx.Err() != nil {
			return l, errors.Join(ctx.Err(), l.end(syscall.SIGTERM))
		}
		sig := syscall.SIGKILL
		if rnd.IntN(12) == 0 {
			sig = syscall.SIGTERM
			if err := l.limitFiles(-1); err != nil {
				return l, err
			}
			r.mend()
			r.stopped++
		} else {
			r.killed++
		}
		if err := l.end(sig); err != nil {
			return l, err
		}
		r.measure(l)
		var err error
		if l, err = r.begin(ctx); err != nil {
			return nil, err
		}
		r.took(&r.starts, l.up)
		if rnd.IntN(3) > 0 {
			r.mend() // else the next life begins with the fault of the one before
		}
	}
	r.mend()
	if err := l.limitFiles(-1); err != nil {
		return l, err
	}
	sleep(ctx, r.last-time.Since(r.begun)) // the last life has what is left
	return l, r.awaitMerge(ctx)
}

// awaitMerge holds that files were merged while events came in. Where lives were too short for it, the last one goes on until they are, for as long again and a minute: then there is no
// compaction.
func (r *run) awaitMerge(ctx context.Context) error {
	for ctx.Err() == nil {
		r.mu.Lock()
		n := r.merges
		r.mu.Unlock()
		if n > 0 {
			return nil
		}
		if time.Since(r.begun) > 2*r.last+time.Minute {
			r.found("no files were merged beside the load")
			return nil
		}
		sleep(ctx, 50*time.Millisecond)
	}
	return ctx.Err()
}

func (r *run) measure(l *life) {
	if u, ok := l.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = max(r.peak, u.Maxrss*1024)
	}
}

// spoil makes a fault: one that ends by itself after a while, or one that lasts until the life does, or into the next.
func (r *run) spoil(ctx context.Context, l *life, rnd *rand.Rand) error {
	var name string
	if r.proxy != nil {
		f := s3fault.Fault{Kind: s3fault.Kinds[rnd.IntN(len(s3fault.Kinds))], Share: []float64{0.1, 0.4, 0}[rnd.IntN(3)]}
		name = string(f.Kind)
		r.proxy.Spoil(f)
	} else {
		limit := []int64{0, 1000, 30_000, 300_000}[rnd.IntN(4)]
		name = fmt.Sprintf("files of at most %d bytes", limit)
		if err := l.limitFiles(limit); err != nil {
			return err
		}
	}
	r.mu.Lock()
	r.faults[name]++
	r.mu.Unlock()
	if rnd.IntN(3) == 0 {
		return nil
	}
	sleep(ctx, time.Duration(rnd.IntN(700))*time.Millisecond)
	r.mend()
	if r.proxy == nil {
		return l.limitFiles(-1)
	}
	return nil
}

func (r *run) mend() {
	if r.proxy != nil {
		r.proxy.Mend()
	}
}
