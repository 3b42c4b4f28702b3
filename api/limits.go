package api

import (
	"sync"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
	"golang.org/x/time/rate"
)

// maxLimiters bounds the scopes whose rates are known at once. A key reaches any region, so their number is the caller's to choose.
const maxLimiters = 4096

// limits holds each account and region to a number of calls a second.
type limits struct {
	perSecond float64
	mu        sync.Mutex
	scopes    map[meta.Scope]*rate.Limiter
}

func newLimits(perSecond float64) *limits {
	return &limits{perSecond: perSecond, scopes: map[meta.Scope]*rate.Limiter{}}
}

// take counts a call, or refuses it with ThrottlingException.
func (l *limits) take(sc meta.Scope, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.scopes[sc]
	if r == nil {
		if len(l.scopes) >= maxLimiters {
			clear(l.scopes)
		}
		r = rate.NewLimiter(rate.Limit(l.perSecond), max(1, int(l.perSecond)))
		l.scopes[sc] = r
	}
	if !r.AllowN(now, 1) {
		return l.exceeded()
	}
	return nil
}

// spent is the error that take would give, and counts nothing: it may be asked for a scope that is not proven.
func (l *limits) spent(sc meta.Scope, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.scopes[sc]; r != nil && r.TokensAt(now) < 1 {
		return l.exceeded()
	}
	return nil
}

func (l *limits) exceeded() error {
	return awserr.New(throttling, "Rate exceeded: at most %g calls a second.", l.perSecond)
}
