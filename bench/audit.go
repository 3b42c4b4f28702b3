package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lochlake/loch/generate"
)

const (
	auditClients = 16
	auditEach    = 100    // events of a call, the most that the API takes
	auditPace    = 10_000 // events a second, where the calls come at a pace
	// auditCheck is in the answer once for each event that was taken.
	auditCheck = `"eventID"`
)

// auditCall is a PutAuditEvents call, signed, as it goes over the wire.
type auditCall struct {
	wire   []byte
	events int
}

// auditTimes is what became of the calls of one measurement.
type auditTimes struct {
	took    []time.Duration // from when the call was due to the end of its answer
	wall    time.Duration   // from the first call to the last answer
	tables  time.Duration   // from the first call until the tables have every event
	refused []time.Duration // that answers took which told to try again later
	events  int
	client  time.Duration // CPU time of the clients
	server  time.Duration
	fsyncs  float64 // seconds, and their number
	groups  float64
}

// audits measures PutAuditEvents over HTTP with everything on: signatures, durable log, identities, commits. First sixteen clients send one call after
// the other, then calls come at a pace and wait for nobody. The clients share the machine: so what they send is made and signed before.
func audits(ctx context.Context, bin, dir string, events int, seed uint64) error {
	s, err := start(ctx, bin, filepath.Join(dir, "data"), "--audit-events-rate", "100000")
	if err != nil {
		return err
	}
	defer s.stop()
	channel, err := s.auditChannel(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("\n### PutAuditEvents: calls of %d events from %d clients\n\n", auditEach, auditClients)
	printAuditHead()
	rows := 0
	for n, load := range []struct {
		name string
		pace int
	}{{"one after another", 0}, {fmt.Sprintf("%d events a second", auditPace), auditPace}} {
		calls, err := s.auditCalls(ctx, channel, max(events/auditEach, auditClients), auditEach, seed+uint64(n))
		if err != nil {
			return err
		}
		rows += len(calls) * auditEach
		t, err := s.auditRun(ctx, calls, load.pace, auditClients, rows)
		if err != nil {
			return err
		}
		t.print(load.name)
	}
	if err := s.hasAudit(ctx, rows, rows); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	fmt.Printf("\nThe server's peak: %.0f MB.\n", float64(peak(s.cmd.ProcessState))/1e6)
	return nil
}

func printAuditHead() {
	fmt.Println("| calls come | events | events/s answered | events/s in tables | p50 ms | p99 ms | most ms | refused | calls a fsync | fsync ms | server µs of CPU an event | clients' |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
}

func (t *auditTimes) print(name string) {
	sent := float64(t.events)
	fmt.Printf("| %s | %.0f | %.0f | %.0f | %s | %.1f | %d | %.1f | %.2f | %.1f | %.1f |\n", name, sent, sent/t.wall.Seconds(), sent/t.tables.Seconds(), percentiles(t.took), percentile(t.took, 1),
		len(t.refused), float64(len(t.took))/t.groups, t.fsyncs/t.groups*1e3, t.server.Seconds()/sent*1e6, t.client.Seconds()/sent*1e6)
}

// percentile gives the time that a share of the times are within, in milliseconds; it sorts them.
func percentile(times []time.Duration, share float64) float64 {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[int(share*float64(len(times)-1))].Seconds() * 1e3
}

// percentiles gives the median and the 99th, as two cells of a table.
func percentiles(times []time.Duration) string {
	return fmt.Sprintf("%.1f | %.1f", percentile(times, 0.5), percentile(times, 0.99))
}

// hasAudit checks that the table has so many events, each once: a fast way to lose events would be worth nothing. Between least and most where calls ended without an answer.
func (s *served) hasAudit(ctx context.Context, least, most int) error {
	for _, count := range []string{"count(*)", "count(DISTINCT eventID)"} {
		said, err := s.ask(ctx, "SELECT "+count+" FROM "+s.store)
		if err != nil {
			return err
		}
		if got, err := strconv.Atoi(said); err != nil || got < least || got > most {
			return fmt.Errorf("%d events were answered with success, at most %d were sent, and %s is %s", least, most, count, said)
		}
	}
	return nil
}

// auditChannel makes a store for events from outside AWS and a channel that leads there, and gives the channel's ARN.
func (s *served) auditChannel(ctx context.Context) (string, error) {
	type object = map[string]any
	var store struct{ EventDataStoreArn string }
	err := s.Call(ctx, "CreateEventDataStore", object{"Name": "audit", "RetentionPeriod": 2557, "TerminationProtectionEnabled": false,
		"AdvancedEventSelectors": []object{{"FieldSelectors": []object{{"Field": "eventCategory", "Equals": []string{"ActivityAuditLog"}}}}}}, &store)
	if err != nil {
		return "", err
	}
	s.store = store.EventDataStoreArn[strings.LastIndexByte(store.EventDataStoreArn, '/')+1:]
	var channel struct{ ChannelArn string }
	err = s.Call(ctx, "CreateChannel", object{"Name": "audit", "Source": "Custom", "Destinations": []object{{"Type": "EVENT_DATA_STORE", "Location": store.EventDataStoreArn}}}, &channel)
	return channel.ChannelArn, err
}

// auditCalls makes n calls of each different events. Their signatures are good for five minutes.
func (s *served) auditCalls(ctx context.Context, channel string, n, each int, seed uint64) ([]auditCall, error) {
	type sent struct {
		ID   string `json:"id"`
		Data string `json:"eventData"`
	}
	day := time.Now().UTC().AddDate(0, 0, -1)
	events := generate.WizEvents(generate.Options{Events: 1, Seed: seed, Start: day, Days: 1}, n*each)
	calls := make([]auditCall, n)
	for i := range calls {
		part := make([]sent, each)
		for k, e := range events[i*each:][:each] {
			part[k] = sent{e.ID, e.Data}
		}
		body, err := json.Marshal(map[string]any{"auditEvents": part})
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint+"/PutAuditEvents?channelArn="+url.QueryEscape(channel), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		sum := sha256.Sum256(body)
		if err := s.Sign(ctx, req, "cloudtrail-data", hex.EncodeToString(sum[:])); err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := req.Write(&b); err != nil {
			return nil, err
		}
		calls[i] = auditCall{b.Bytes(), each}
	}
	return calls, nil
}

// auditRun sends the calls, at a pace of events a second or, where that is 0, as fast as answers come, and waits until the tables have as many rows as rows says.
func (s *served) auditRun(ctx context.Context, calls []auditCall, pace, clients, rows int) (t auditTimes, err error) {
	before, err := s.auditNumbers(ctx)
	if err != nil {
		return t, err
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return t, err
	}
	t.took = make([]time.Duration, len(calls))
	for _, c := range calls {
		t.events += c.events
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, clients)
	refused := make([][]time.Duration, clients)
	cpu := ownCPU()
	begun := time.Now()
	for c := range clients {
		wg.Go(func() {
			conn, err := net.Dial("tcp", u.Host)
			if err != nil {
				errs[c] = err
				return
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			var body bytes.Buffer
			for {
				i := int(next.Add(1)) - 1
				if i >= len(calls) || ctx.Err() != nil {
					return
				}
				due := time.Now()
				if pace > 0 {
					due = begun.Add(time.Duration(i*calls[i].events) * time.Second / time.Duration(pace))
					time.Sleep(time.Until(due))
				}
				took, err := calls[i].send(conn, in, &body)
				refused[c] = append(refused[c], took...)
				if err != nil {
					errs[c] = err
					return
				}
				t.took[i] = time.Since(due)
			}
		})
	}
	wg.Wait()
	t.wall, t.client = time.Since(begun), ownCPU()-cpu
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return t, err
	}
	if err := s.awaitRows(ctx, rows); err != nil {
		return t, err
	}
	t.tables, t.refused = time.Since(begun), slices.Concat(refused...)
	after, err := s.auditNumbers(ctx)
	t.server = time.Duration((after[0] - before[0]) * float64(time.Second))
	t.fsyncs, t.groups = after[1]-before[1], after[2]-before[2]
	return t, err
}

// awaitRows waits until the tables have as many rows.
func (s *served) awaitRows(ctx context.Context, rows int) error {
	for {
		n, err := s.metric(ctx, "loch_lake_rows_total")
		if err != nil || int(n) >= rows {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// auditNumbers reads the server's CPU seconds, its seconds of fsync, and the number of these.
func (s *served) auditNumbers(ctx context.Context) (n [3]float64, err error) {
	for i, name := range []string{"process_cpu_seconds_total", "loch_log_fsync_seconds_sum", "loch_log_fsync_seconds_count"} {
		if n[i], err = s.metric(ctx, name); err != nil {
			return n, err
		}
	}
	return n, nil
}

// send sends a call until it is taken, and tells how long each answer took that refused it before.
func (c auditCall) send(conn net.Conn, in *bufio.Reader, body *bytes.Buffer) (refused []time.Duration, err error) {
	for {
		begun := time.Now()
		taken, err := c.try(conn, in, body)
		if err != nil || taken {
			return refused, err
		}
		refused = append(refused, time.Since(begun))
		time.Sleep(10 * time.Millisecond)
	}
}

// try sends a call and reads its answer: whether it was taken, or is to be sent again later.
func (c auditCall) try(conn net.Conn, in *bufio.Reader, body *bytes.Buffer) (taken bool, err error) {
	if _, err := conn.Write(c.wire); err != nil {
		return false, err
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return false, err
	}
	body.Reset()
	if _, err := io.Copy(body, resp.Body); err != nil {
		return false, err
	}
	switch {
	case resp.StatusCode == http.StatusOK && bytes.Count(body.Bytes(), []byte(auditCheck)) == c.events:
		return true, nil
	case bytes.Contains(body.Bytes(), []byte("ThrottlingException")):
		return false, nil
	}
	return false, fmt.Errorf("PutAuditEvents answered %s: %.300s", resp.Status, body)
}

// ownCPU is the CPU time of this process so far.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it fails for bad arguments alone
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
