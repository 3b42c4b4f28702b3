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
	auditCrowd   = 1500   // clients of an overload
	auditEach    = 100    // events of a call, the most that the API takes
	auditPace    = 10_000 // events a second, where the calls come at a pace
	// auditCheck is in the answer once for each event that was taken.
	auditCheck = `"eventID"`
)

// auditCall is a PutAuditEvents call, signed, as it goes over the wire.
type auditCall []byte

// auditTimes is what became of the calls of one measurement.
type auditTimes struct {
	took    []time.Duration // from when the call was due to the end of its answer
	wall    time.Duration   // from the first call to the last answer
	tables  time.Duration   // from the first call until the tables have every event
	refused []time.Duration // that answers took which told to try again later
	client  time.Duration   // CPU time of the clients
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
	fmt.Println("| calls come | events | events/s answered | events/s in tables | p50 ms | p99 ms | most ms | refused | calls a fsync | fsync ms | server µs of CPU an event | clients' |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	rows, refusals := 0, ""
	for n, load := range []struct {
		name          string
		pace, clients int
	}{{"one after another", 0, auditClients}, {fmt.Sprintf("%d events a second", auditPace), auditPace, auditClients}, {fmt.Sprintf("from %d clients", auditCrowd), 0, auditCrowd}} {
		calls, err := s.auditCalls(ctx, channel, max(events/auditEach, auditClients), seed+uint64(n))
		if err != nil {
			return err
		}
		rows += len(calls) * auditEach
		t, err := s.auditRun(ctx, calls, load.pace, load.clients, rows)
		if err != nil {
			return err
		}
		slices.Sort(t.took)
		at := func(share float64) float64 { return t.took[int(share*float64(len(t.took)-1))].Seconds() * 1e3 }
		sent := float64(len(calls) * auditEach)
		fmt.Printf("| %s | %.0f | %.0f | %.0f | %.1f | %.1f | %.1f | %d | %.1f | %.2f | %.1f | %.1f |\n", load.name, sent, sent/t.wall.Seconds(), sent/t.tables.Seconds(), at(0.5), at(0.99), at(1),
			len(t.refused), float64(len(calls))/t.groups, t.fsyncs/t.groups*1e3, t.server.Seconds()/sent*1e6, t.client.Seconds()/sent*1e6)
		if n := len(t.refused); n > 0 {
			slices.Sort(t.refused)
			refusals += fmt.Sprintf("Refusals (calls come %s): %d, p50 %.1f ms, p99 %.1f ms.\n", load.name, n, t.refused[n/2].Seconds()*1e3, t.refused[n*99/100].Seconds()*1e3)
		}
	}
	// A fast way to lose events would be worth nothing.
	if got, err := s.ask(ctx, "SELECT count(DISTINCT eventID) FROM "+s.store); err != nil || got != strconv.Itoa(rows) {
		return fmt.Errorf("%d events were answered with success and the table has %s: %w", rows, got, err)
	}
	if err := s.stop(); err != nil {
		return err
	}
	fmt.Printf("\n%sThe server's peak: %.0f MB.\n", refusals, float64(peak(s.cmd.ProcessState))/1e6)
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

// auditCalls makes n calls of different events. Their signatures are good for five minutes.
func (s *served) auditCalls(ctx context.Context, channel string, n int, seed uint64) ([]auditCall, error) {
	type sent struct {
		ID   string `json:"id"`
		Data string `json:"eventData"`
	}
	day := time.Now().UTC().AddDate(0, 0, -1)
	events := generate.WizEvents(generate.Options{Events: 1, Seed: seed, Start: day, Days: 1}, n*auditEach)
	calls := make([]auditCall, n)
	for i := range calls {
		part := make([]sent, auditEach)
		for k, e := range events[i*auditEach:][:auditEach] {
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
		calls[i] = b.Bytes()
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
					due = begun.Add(time.Duration(i) * auditEach * time.Second / time.Duration(pace))
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
	for {
		n, err := s.metric(ctx, "loch_lake_rows_total")
		if err != nil {
			return t, err
		}
		if int(n) >= rows {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.tables, t.refused = time.Since(begun), slices.Concat(refused...)
	after, err := s.auditNumbers(ctx)
	t.server = time.Duration((after[0] - before[0]) * float64(time.Second))
	t.fsyncs, t.groups = after[1]-before[1], after[2]-before[2]
	return t, err
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
		if _, err := conn.Write(c); err != nil {
			return refused, err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return refused, err
		}
		body.Reset()
		if _, err := io.Copy(body, resp.Body); err != nil {
			return refused, err
		}
		if resp.StatusCode == http.StatusOK && bytes.Count(body.Bytes(), []byte(auditCheck)) == auditEach {
			return refused, nil
		}
		if !bytes.Contains(body.Bytes(), []byte("ThrottlingException")) {
			return refused, fmt.Errorf("PutAuditEvents answered %s: %.300s", resp.Status, body)
		}
		refused = append(refused, time.Since(begun))
		time.Sleep(10 * time.Millisecond)
	}
}

// ownCPU is the CPU time of this process so far.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it fails for bad arguments alone
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
