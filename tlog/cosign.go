package tlog

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/lochlake/loch/objstore"
)

// cosigner has one witness cosign the logs' checkpoints, beside their publication: a witness that hangs holds up nothing but itself. Of a log that moves on meanwhile only the
// last checkpoint is asked for.
type cosigner struct {
	Witness
	service *Service
	client  *http.Client

	mu      sync.Mutex
	want    map[string]bool // stores whose checkpoint has no cosignature yet
	refused map[string]bool // stores whose log the witness refuses

	wake chan struct{}

	// Only of the goroutine that asks.
	listed bool                 // whether the logs that were there at the start are in want
	sizes  map[string]uint64    // by store: what the witness has cosigned
	later  map[string]time.Time // by store: when it is asked again that said no
	pause  time.Duration        // after the last attempt that reached nobody; 0: it did
	until  time.Time            // that pause's end
	told   map[string]string    // by store ("": of the witness): what was logged last
}

const (
	firstPause  = time.Second // after which a witness that could not be asked is asked again; then twice as long each time
	longPause   = time.Minute // at most, and after a no
	lastWitness = 5 * time.Second
)

// witnessMetrics are those of all witnesses.
type witnessMetrics struct {
	cosignatures *prometheus.CounterVec
	failures     *prometheus.CounterVec
	unreachable  *prometheus.GaugeVec
	refused      *prometheus.GaugeVec
}

func newWitnessMetrics(r prometheus.Registerer) witnessMetrics {
	f := promauto.With(r)
	return witnessMetrics{
		f.NewCounterVec(prometheus.CounterOpts{Name: "loch_witness_cosignatures_total", Help: "Cosignatures that witnesses gave for published checkpoints."}, []string{"witness"}),
		f.NewCounterVec(prometheus.CounterOpts{Name: "loch_witness_failures_total", Help: "Attempts to get a cosignature that got none."}, []string{"witness"}),
		f.NewGaugeVec(prometheus.GaugeOpts{Name: "loch_witness_unreachable", Help: "1 for a witness that cannot be asked at present."}, []string{"witness"}),
		f.NewGaugeVec(prometheus.GaugeOpts{Name: "loch_witness_refused", Help: "1 for a log that a witness refuses, because it does not go on from what the witness cosigned: it was set back or rewritten."}, []string{"witness", "store"}),
	}
}

func newCosigner(s *Service, w Witness) *cosigner {
	return &cosigner{Witness: w, service: s, client: &http.Client{Timeout: s.cfg.WitnessTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		want: map[string]bool{}, refused: map[string]bool{}, wake: make(chan struct{}, 1), sizes: map[string]uint64{}, later: map[string]time.Time{}, told: map[string]string{}}
}

// published tells that a store has a new checkpoint.
func (c *cosigner) published(id string) {
	c.mu.Lock()
	c.want[id] = true
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run asks until ctx ends: at a publication, and again where there was no answer.
func (c *cosigner) run(ctx context.Context) {
	tick := time.NewTicker(firstPause)
	defer tick.Stop()
	for {
		c.pass(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.wake:
		}
	}
}

// pass asks once for every checkpoint that wants a cosignature and may be asked for now.
func (c *cosigner) pass(ctx context.Context) {
	if time.Now().Before(c.until) {
		return
	}
	if !c.listed {
		if err := c.list(ctx); err != nil {
			c.tell(ctx, "", err)
			return
		}
		c.listed = true
	}
	c.mu.Lock()
	ids := slices.Sorted(maps.Keys(c.want))
	c.mu.Unlock()
	for _, id := range ids {
		if ctx.Err() != nil {
			return
		}
		if time.Now().Before(c.later[id]) {
			continue
		}
		c.mu.Lock()
		delete(c.want, id) // a publication from here on asks anew
		c.mu.Unlock()
		size, err := c.ask(ctx, id, c.sizes[id])
		c.sizes[id] = size
		if !c.settle(ctx, id, err) {
			return
		}
	}
}

// list enters every log that there is: before the last end its checkpoint may not have been cosigned, or by other witnesses.
func (c *cosigner) list(ctx context.Context) error {
	err := c.service.cfg.Objects.ListFolders(ctx, Prefix, func(name string) error {
		c.mu.Lock()
		c.want[strings.TrimSuffix(strings.TrimPrefix(name, Prefix), "/")] = true
		c.mu.Unlock()
		return nil
	})
	if errors.Is(err, objstore.ErrNotExist) {
		return nil
	}
	return err
}

// settle notes how an attempt ended, and tells whether the witness may be asked for other logs now.
func (c *cosigner) settle(ctx context.Context, id string, err error) bool {
	m, name := c.service.witness, c.Key.Name()
	if err == nil {
		c.reached(ctx)
		c.alarm(id, false)
		delete(c.later, id)
		c.tell(ctx, id, nil)
		return true
	}
	c.mu.Lock()
	c.want[id] = true
	c.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	if errors.Is(err, errOvertaken) {
		c.reached(ctx)
		return true
	}
	m.failures.WithLabelValues(name).Inc()
	if errors.Is(err, errUnreachable) {
		c.pause = min(max(2*c.pause, firstPause), longPause)
		c.until = time.Now().Add(c.pause)
		m.unreachable.WithLabelValues(name).Set(1)
		c.tell(ctx, "", err)
		return false
	}
	if errors.Is(err, errRefused) {
		c.alarm(id, true)
	}
	if errors.Is(err, errRefused) || errors.Is(err, errUnknown) {
		c.reached(ctx)
	}
	c.later[id] = time.Now().Add(longPause)
	c.tell(ctx, id, err)
	return true
}

func (c *cosigner) reached(ctx context.Context) {
	c.pause, c.until = 0, time.Time{}
	c.service.witness.unreachable.WithLabelValues(c.Key.Name()).Set(0)
	c.tell(ctx, "", nil)
}

// alarm sets or ends the alarm that the witness refuses a store's log.
func (c *cosigner) alarm(id string, refused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !refused {
		delete(c.refused, id)
		c.service.witness.refused.DeleteLabelValues(c.Key.Name(), id)
		return
	}
	c.refused[id] = true
	c.service.witness.refused.WithLabelValues(c.Key.Name(), id).Set(1)
}

// tell logs what is new: a failure, and its end.
func (c *cosigner) tell(ctx context.Context, id string, err error) {
	if ctx.Err() != nil {
		return
	}
	log := c.service.log.With("witness", c.Key.Name())
	if id != "" {
		log = log.With("store", id)
	}
	switch was := c.told[id]; {
	case err == nil && was != "":
		delete(c.told, id)
		log.Info("the witness cosigns again")
	case err == nil || was == err.Error():
	case errors.Is(err, errRefused):
		c.told[id] = err.Error()
		log.Error("ALARM: a witness refuses a transparency log: the log was set back or rewritten, or the witness lies. Verify the lake", "error", err)
	default:
		c.told[id] = err.Error()
		log.Warn("a checkpoint has no cosignature", "error", err)
	}
}

// Refusal is a log that a witness refuses.
type Refusal struct{ Store, Witness string }

// Refusals are the alarms at present: an operator should know of them at once.
func (s *Service) Refusals() (out []Refusal) {
	for _, c := range s.cosigners {
		c.mu.Lock()
		for _, id := range slices.Sorted(maps.Keys(c.refused)) {
			out = append(out, Refusal{id, c.Key.Name()})
		}
		c.mu.Unlock()
	}
	return out
}

// askLast gives the witnesses a last, short time for the checkpoints that were published last. Nobody else may be asking.
func (s *Service) askLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastWitness)
	defer cancel()
	var all sync.WaitGroup
	for _, c := range s.cosigners {
		all.Go(func() { c.pass(ctx) })
	}
	all.Wait()
}
