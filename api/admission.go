package api

import (
	"context"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"golang.org/x/time/rate"
)

// Under overload most of what comes is refused, so what a refusal costs decides how much is left for what was accepted. Hence calls are refused at their heads where that can be told: nothing of them is read,
// hashed or decoded. The answer goes out at once, and the body behind it is thrown away, since many clients read no answer before they have written all of it.

// throttling is the code of every refusal that says: later.
const throttling = "ThrottlingException"

// bodiesSize bounds the bodies of the calls that are being read or worked on, and so, some times over, their memory: the connections that may be open would be too many. It is the largest body of sixteen
// callers: more at once would only share the same cores, and wait the longer for an answer that may be a refusal.
const bodiesSize = 16 << 20

// admission decides by the head of a call of one operation whether its body, of n bytes at most, is read at all. The scope is claimed, not proven. What it took for the call is given back by leave, when the call is answered.
type admission func(ctx context.Context, claimed meta.Scope, now time.Time, n int64) (leave func(), err error)

// admit takes room for the body, until the call is answered. Where there is none the call is refused before anything of its body is read: then more come than can be worked on.
func (q *request) admit(sig *access.Signature) error {
	n := q.r.ContentLength
	if n < 0 {
		n = q.p.limit // it does not say
	}
	if !q.s.bodies.TryAcquire(n) {
		return awserr.New(throttling, "More calls come than can be worked on. Try again later.")
	}
	q.leave = func() { q.s.bodies.Release(n) }
	if q.admission == nil {
		return nil
	}
	var claimed meta.Scope
	claimed.Account, claimed.Region = sig.Claimed()
	leave, err := q.admission(q.r.Context(), claimed, q.call.Time, n)
	if err != nil {
		return err
	}
	q.leave = func() {
		leave()
		q.s.bodies.Release(n)
	}
	return nil
}

// drainable tells whether a call that fails before its body is read is answered at once, and the body thrown away then. A streamed body, or one that is too long, has no bound that is worth it, and one whose client waits to be
// told to go on does not come: net/http cuts such connections.
func (q *request) drainable() bool {
	return q.r.ContentLength > 0 && q.r.ContentLength <= q.p.limit && q.r.Header.Get("Expect") == ""
}

// drain throws away what was not read of the body of a call that failed. net/http would do so for a quarter of a megabyte, and cut the connection where more is left: then a client that is still writing does not see its answer. Nor would it
// set a deadline; the one set here it takes back before the next call.
func (q *request) drain() {
	if q.code == throttling {
		q.s.refusals.wait(q.r.Context(), time.Now())
	}
	if q.code == "" || q.bytes == q.r.ContentLength {
		return
	}
	if err := q.control.SetReadDeadline(time.Now().Add(bodyTime)); err != nil || !q.drainable() {
		return // where the connection is gone, its body is
	}
	_, _ = io.Copy(io.Discard, q.r.Body) // where it does not come whole, net/http ends the connection
}

// refusalsPerCore is how many calls a second and core are refused at full speed. At the 60 to 110 µs of the processor that each was measured to take, that is a quarter of it to two fifths.
const refusalsPerCore = 4000

// refusals keeps what clients that come again at once take of the processor to a share, so that the rest is for what was accepted. Beyond it a connection whose call was refused, and answered, waits for its turn before it is read further.
type refusals struct{ *rate.Limiter }

func newRefusals(cores int) refusals {
	return refusals{rate.NewLimiter(rate.Limit(refusalsPerCore*cores), refusalsPerCore*cores/10)}
}

// pause is how long the connection of one more refused call is not read. Each connection has one turn at most, so it is no longer than all that may be open take one after the other: a quarter of a second with 2,000 and two cores.
func (r refusals) pause(now time.Time) time.Duration {
	return r.ReserveN(now, 1).DelayFrom(now)
}

// wait pauses, or until ctx ends.
func (r refusals) wait(ctx context.Context, now time.Time) {
	d := r.pause(now)
	if d == 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// throttledEvery is how often the log tells at most that calls are refused for being too many.
const throttledEvery = 10 * time.Second

// throttled counts refusals for one line of the log in a while: a line for each would be as much work as the refusal.
type throttled struct {
	mu    sync.Mutex
	calls int64
	since time.Time // of the first that is not told
	told  time.Time
}

// count notes a refusal. It gives how many are to be told now, and since when they came; 0 when the log has told of others just now.
func (t *throttled) count(now time.Time) (calls int64, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls == 0 {
		t.since = now
	}
	t.calls++
	if now.Sub(t.told).Abs() < throttledEvery { // calls do not come here in the order in which they began
		return 0, time.Time{}
	}
	calls, since = t.calls, t.since
	t.calls, t.told = 0, now
	return calls, since
}

// decoding runs decode beside those of as many other calls as there are further cores, and lets others go first before the next one may begin. Without that, calls that are to be refused wait for a core behind all that were admitted: what is woken by the end of
// another one's turn runs in the same turn, and so a chain of calls that wait for each other runs before what came from the network, however long that has waited.
func (s *Server) decoding(ctx context.Context, decode func() error) error {
	if err := s.decoders.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.decoders.Release(1)
	err := decode()
	runtime.Gosched()
	return err
}
