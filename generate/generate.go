// Package generate makes the audit events of an invented organisation: seeded, repeatable, shaped like real CloudTrail records. The demonstration
// tells its story with them and the benchmarks scale by them. The same options give the same bytes.
package generate

import (
	"math"
	"math/rand/v2"
	"time"
)

// Options say what to make.
type Options struct {
	Events int       // how many CloudTrail events, the attack's included; at least 1
	Seed   uint64    // the same seed, start and counts give the same bytes
	Start  time.Time // first instant; truncated to the second, UTC
	Days   int       // length of the time that the events spread over; 30 where 0
	Attack bool      // weave in the attack that Story tells
}

// Event is one CloudTrail record and where a trail would file it.
type Event struct {
	Account string
	Region  string
	Time    time.Time
	Text    []byte // valid until the next call
}

// Generator makes events one after another in order of time. It is not for several goroutines.
type Generator struct {
	opt    Options
	org    *org
	rnd    *rand.Rand
	src    *rand.PCG
	buf    []byte
	made   int
	attack []step
	actors []actor
	weight []float64 // running sums over actors
	hours  []float64 // running sums of the load over the hours of the time span
}

// New makes a generator.
func New(opt Options) *Generator {
	if opt.Days <= 0 {
		opt.Days = 30
	}
	opt.Start = opt.Start.UTC().Truncate(time.Second)
	src := rand.NewPCG(opt.Seed, 0x6c6f6368)
	g := &Generator{opt: opt, src: src, rnd: rand.New(src)}
	g.org = newOrg(g.rnd)
	g.actors = g.org.actors()
	sum := 0.0
	for _, a := range g.actors {
		sum += a.weight
		g.weight = append(g.weight, sum)
	}
	if opt.Attack {
		g.attack = attackSteps(g.org)
		if len(g.attack) > opt.Events/2 {
			g.attack = g.attack[:opt.Events/2]
		}
	}
	sum = 0
	for h := range opt.Days * 24 {
		sum += load(opt.Start.Add(time.Duration(h) * time.Hour))
		g.hours = append(g.hours, sum)
	}
	return g
}

// load is the organisation's activity in an hour, machines' steady part and people's office hours.
func load(t time.Time) float64 {
	people := math.Max(0, math.Sin(float64(t.Hour()-6)/12*math.Pi))
	if d := t.Weekday(); d == time.Saturday || d == time.Sunday {
		people *= 0.15
	}
	return 1 + 1.6*people
}

// Next makes the next event; false when all are made.
func (g *Generator) Next() (Event, bool) {
	if g.made >= g.opt.Events {
		return Event{}, false
	}
	at := g.timeOf(g.made - g.attackDone())
	if done := g.attackDone(); done < len(g.attack) {
		s := &g.attack[done]
		when := g.attackTime(s)
		left := g.opt.Events - g.made
		if !when.After(at) || left <= len(g.attack)-done {
			g.made++
			s.done = true
			g.buf = g.writeStep(g.buf[:0], s, when)
			return Event{Account: s.account, Region: s.region, Time: when, Text: g.buf}, true
		}
	}
	g.made++
	a := &g.actors[pick(g.weight, g.rnd.Float64())]
	region := a.account.region(g.rnd)
	act := a.pick(g.rnd)
	if act.global {
		region = "us-east-1"
	}
	g.buf = g.write(g.buf[:0], a, act, region, at)
	return Event{Account: a.account.id, Region: region, Time: at, Text: g.buf}, true
}

func (g *Generator) attackDone() int {
	n := 0
	for n < len(g.attack) && g.attack[n].done {
		n++
	}
	return n
}

// timeOf spreads event number i of the everyday ones over the span by its load, so that times never go back.
func (g *Generator) timeOf(i int) time.Time {
	n := g.opt.Events - len(g.attack)
	total := g.hours[len(g.hours)-1]
	want := total * (float64(i) + 0.5) / float64(max(n, 1))
	h := pick(g.hours, want/total)
	before := 0.0
	if h > 0 {
		before = g.hours[h-1]
	}
	into := (want - before) / (g.hours[h] - before)
	return g.opt.Start.Add(time.Duration(h)*time.Hour + time.Duration(math.Min(into, 1)*3599)*time.Second)
}

// pick gives the index whose running sum first exceeds the fraction f of the whole.
func pick(sums []float64, f float64) int {
	want := f * sums[len(sums)-1]
	lo, hi := 0, len(sums)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if sums[mid] > want {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
