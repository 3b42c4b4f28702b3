package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	overloadCrowd = 1500 // clients
	overloadTimes = 10   // what the machine was measured to take
	overloadTime  = 20 * time.Second
	// overloadRefused is the code of the refusals, in answers and in the server's metrics.
	overloadRefused = "ThrottlingException"
)

// overload measures what the server does when far more calls come than it can take. What it can take is measured first. Then ten times as many come, at times that do not hang on earlier ones: a loop of clients that wait for
// answers would send the less the slower these are, and their number alone would decide how long each waits. In the end the same clients send one call after the other until all are taken.
func overload(ctx context.Context, bin, dir string, events int, seed uint64) error {
	s, err := start(ctx, bin, filepath.Join(dir, "data"), "--audit-events-rate", "1000000")
	if err != nil {
		return err
	}
	defer s.stop()
	channel, err := s.auditChannel(ctx)
	if err != nil {
		return err
	}
	type part struct {
		each, clients int
		rate          float64 // calls a second that the server was measured to take
	}
	parts := []part{{each: auditEach, clients: auditClients}, {each: 1, clients: 8 * auditClients}}
	fmt.Printf("\n### PutAuditEvents: what the machine takes\n\n")
	printAuditHead()
	least, most := 0, 0
	for i := range parts {
		p := &parts[i]
		calls, err := s.auditCalls(ctx, channel, max(events/max(p.each, 10), p.clients), p.each, seed+uint64(i))
		if err != nil {
			return err
		}
		least, most = least+len(calls)*p.each, most+len(calls)*p.each
		t, err := s.auditRun(ctx, calls, 0, p.clients, least)
		if err != nil {
			return err
		}
		p.rate = float64(len(calls)) / t.wall.Seconds()
		t.print(fmt.Sprintf("of %d from %d clients", p.each, p.clients))
	}

	fmt.Printf("\n### PutAuditEvents: %d times as many calls\n\n", overloadTimes)
	fmt.Println("| events a call | kB a call | calls/s wanted | calls/s sent | begun late, p50 ms | p99 ms | events/s taken | of the rate without | taken within p50 ms | p99 ms | refused | refused within p50 ms | p99 ms | most ms | by the server's clock p50 ms | p99 ms | no answer | server's CPU s | client's CPU s |")
	fmt.Println("|" + strings.Repeat(" --- |", 19))
	for i, p := range parts {
		// Refused calls are sent again in the place of others. So there must be enough for those that are taken, and for those on the way.
		n := int(p.rate*overloadTime.Seconds())*3/2 + overloadCrowd
		calls, err := s.auditCalls(ctx, channel, n, p.each, seed+100+uint64(i))
		if err != nil {
			return err
		}
		f, err := s.flood(ctx, calls, p.rate*overloadTimes)
		if err != nil {
			return err
		}
		least += len(f.taken) * p.each
		most += (len(f.taken) + f.cut) * p.each
		f.print(p.each, p.rate, len(calls[0].wire))
		if err := s.awaitRows(ctx, least); err != nil {
			return err
		}
	}

	fmt.Printf("\n### PutAuditEvents: calls of %d events from %d clients, each again 10 ms after a refusal\n\n", auditEach, overloadCrowd)
	printAuditHead()
	calls, err := s.auditCalls(ctx, channel, max(events/auditEach, overloadCrowd), auditEach, seed+200)
	if err != nil {
		return err
	}
	t, err := s.auditRun(ctx, calls, 0, overloadCrowd, least+len(calls)*auditEach)
	if err != nil {
		return err
	}
	least, most = least+t.events, most+t.events
	t.print("one after another")
	fmt.Printf("\nRefused within %.1f ms (median) and %.1f ms (99 %%).\n", percentile(t.refused, 0.5), percentile(t.refused, 0.99))
	if err := s.hasAudit(ctx, least, most); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	fmt.Printf("\nThe server's peak: %.0f MB.\n", float64(peak(s.cmd.ProcessState))/1e6)
	return nil
}

// flooded is what became of calls that came at a rate.
type flooded struct {
	wanted         float64         // calls a second
	wall           time.Duration   // from the first call to the last answer
	late           []time.Duration // that calls were begun after they were due: the clients' doing, and that of answers for which all of them waited
	taken, refused []time.Duration // from when a call was due to its answer
	cut            int             // calls whose connection ended without an answer
	server, client time.Duration   // CPU time
	// inside are the server's own times of refusals: the upper ends of a histogram's buckets in seconds, rising, and how many were within each.
	inside []boundary
}

type boundary struct{ within, count float64 }

// flood sends calls at a rate, whatever becomes of earlier ones: a call that is due is sent by the next client that has its answer, and its time counts from when it was due. A call that was refused is sent again later, in the place of
// another one, since gigabytes would be needed else.
func (s *served) flood(ctx context.Context, calls []auditCall, rate float64) (f flooded, err error) {
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return f, err
	}
	cpu, err := s.metric(ctx, "process_cpu_seconds_total")
	if err != nil {
		return f, err
	}
	before, err := s.histogram(ctx, "loch_api_answer_seconds", `code="`+overloadRefused+`"`)
	if err != nil {
		return f, err
	}
	unsent := make(chan auditCall, len(calls))
	for _, c := range calls {
		unsent <- c
	}
	conns := make([]net.Conn, overloadCrowd)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", u.Host); err != nil {
			return f, err
		}
	}
	type kept struct {
		late, taken, refused []time.Duration
		cut                  int
		err                  error
	}
	all := make([]kept, len(conns))
	var next atomic.Int64
	var wg sync.WaitGroup
	own := ownCPU()
	begun := time.Now()
	for i, conn := range conns {
		k := &all[i]
		wg.Go(func() {
			defer func() { conn.Close() }()
			in := bufio.NewReader(conn)
			var body bytes.Buffer
			for {
				due := begun.Add(time.Duration(float64(next.Add(1)-1) / rate * float64(time.Second)))
				if due.Sub(begun) >= overloadTime || ctx.Err() != nil {
					return
				}
				time.Sleep(time.Until(due))
				var call auditCall
				select {
				case call = <-unsent:
				default:
					return // all were taken: it ends before its time
				}
				k.late = append(k.late, time.Since(due))
				taken, err := call.try(conn, in, &body)
				took := time.Since(due)
				switch {
				case err != nil:
					k.cut++
					conn.Close()
					if conn, k.err = net.Dial("tcp", u.Host); k.err != nil {
						return
					}
					in.Reset(conn)
				case taken:
					k.taken = append(k.taken, took)
				default:
					k.refused = append(k.refused, took)
					unsent <- call
				}
			}
		})
	}
	wg.Wait()
	f.wanted, f.wall, f.client = rate, time.Since(begun), ownCPU()-own
	errs := []error{ctx.Err()}
	for _, k := range all {
		f.late, f.taken, f.refused = append(f.late, k.late...), append(f.taken, k.taken...), append(f.refused, k.refused...)
		f.cut += k.cut
		errs = append(errs, k.err)
	}
	if err := errors.Join(errs...); err != nil {
		return f, err
	}
	after, err := s.metric(ctx, "process_cpu_seconds_total")
	if err != nil {
		return f, err
	}
	f.server = time.Duration((after - cpu) * float64(time.Second))
	f.inside, err = s.histogram(ctx, "loch_api_answer_seconds", `code="`+overloadRefused+`"`)
	for i := range before {
		f.inside[i].count -= before[i].count
	}
	return f, err
}

func (f *flooded) print(each int, rate float64, size int) {
	perSecond := func(n int) float64 { return float64(n) / f.wall.Seconds() }
	fmt.Printf("| %d | %.1f | %.0f | %.0f | %s | %.0f | %.2f | %s | %d | %s | %.1f | %s | %d | %.1f | %.1f |\n", each, float64(size)/1e3, f.wanted, perSecond(len(f.late)), percentiles(f.late),
		perSecond(len(f.taken)*each), perSecond(len(f.taken))/rate, percentiles(f.taken), len(f.refused), percentiles(f.refused), percentile(f.refused, 1),
		within(f.inside, 0.5)+" | "+within(f.inside, 0.99), f.cut, f.server.Seconds(), f.client.Seconds())
}

// within tells the bucket that has the quantile, by its ends in milliseconds.
func within(buckets []boundary, share float64) string {
	if len(buckets) == 0 || buckets[len(buckets)-1].count == 0 {
		return "–"
	}
	all := buckets[len(buckets)-1].count
	i := slices.IndexFunc(buckets, func(b boundary) bool { return b.count >= share*all })
	if i == len(buckets)-1 {
		return fmt.Sprintf("> %.3g", buckets[i-1].within*1e3)
	}
	return fmt.Sprintf("≤ %.3g", buckets[i].within*1e3)
}

// histogram reads one of the server's histograms; none where nothing was counted in it yet.
func (s *served) histogram(ctx context.Context, name, label string) (buckets []boundary, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	sc := bufio.NewScanner(resp.Body)
	for sc.Scan() {
		rest, ok := strings.CutPrefix(sc.Text(), name+"_bucket{"+label+`,le="`)
		if !ok {
			continue
		}
		end, count, _ := strings.Cut(rest, `"} `)
		var b boundary
		if b.within, err = strconv.ParseFloat(end, 64); err != nil { // "+Inf" is the last
			return nil, err
		}
		if b.count, err = strconv.ParseFloat(count, 64); err != nil {
			return nil, err
		}
		buckets = append(buckets, b)
	}
	return buckets, sc.Err()
}
