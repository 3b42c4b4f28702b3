package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/lochlake/loch/event"
)

// channel is a way in, and the stores behind it.
type channel struct {
	arn    string
	stores []*store
}

// call is a PutAuditEvents call that can be made again, byte for byte.
type call struct {
	to    *channel
	body  []byte
	items []item
}

// newCall makes a call of n events, which the sender counts from first.
func (r *run) newCall(to *channel, sender, first, n int, rnd *rand.Rand) *call {
	type audit struct {
		ID   string `json:"id"`
		Data string `json:"eventData"`
	}
	c := &call{to: to}
	var in []audit
	for i := range n {
		id := fmt.Sprintf("%s-%d-%d", r.kind, sender, first+i)
		at := r.begun.Add(-time.Duration(rnd.IntN(3*24*3600)) * time.Second).UTC().Format(time.RFC3339)
		data := fmt.Sprintf(`{"version":"1.0","UID":%q,"userIdentity":{"type":"USER","principalId":"sender-%d"},"eventTime":%q,"eventName":"Probe%d","eventSource":"soak.example","recipientAccountId":%q,"additionalEventData":{"pad":%q}}`,
			id, sender, at, rnd.IntN(20), account, hex.EncodeToString(bytes.Repeat([]byte{byte(rnd.IntN(256))}, rnd.IntN(300))))
		in = append(in, audit{id, data})
		c.items = append(c.items, newItem(event.ActivityID(to.arn, id), []byte(data)))
	}
	c.body, _ = json.Marshal(map[string]any{"auditEvents": in}) // texts always marshal
	return c
}

// send makes the call once, and tells what its events' fate is by the answer.
func (r *run) send(ctx context.Context, c *call) (fate, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.address+"/PutAuditEvents?channelArn="+url.QueryEscape(c.to.arn), bytes.NewReader(c.body))
	if err != nil {
		return unknown, err
	}
	req.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(c.body)
	if err := r.client.Sign(ctx, req, "cloudtrail-data", hex.EncodeToString(sum[:])); err != nil {
		return unknown, err
	}
	begun := time.Now()
	resp, err := r.client.HTTP.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return refused, err // nobody was there to take it
	}
	if err != nil {
		return unknown, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return unknown, err
	}
	code := resp.Header.Get("x-amzn-ErrorType")
	switch {
	case resp.StatusCode == http.StatusOK:
		r.took(&r.answers, time.Since(begun))
		if n := bytes.Count(body, []byte(`"eventID"`)); n != len(c.items) {
			r.found("%d of %d events of a call were taken: %.300s", n, len(c.items), body)
			return unknown, nil
		}
		return acked, nil
	case code == "ThrottlingException":
		r.took(&r.refusals, time.Since(begun))
		return refused, nil
	case resp.StatusCode == http.StatusServiceUnavailable:
		// The disk refused it. A kill before it is cut off the log may bring it back.
		r.took(&r.refusals, time.Since(begun))
		return unknown, nil
	}
	r.found("PutAuditEvents answered %s: %.300s", resp.Status, body)
	return unknown, nil
}

// sending is one sender: it makes calls until ctx ends, and some of them again, whatever became of them.
func (r *run) sending(ctx context.Context, sender int, rnd *rand.Rand) {
	var old []*call
	for first := 0; ctx.Err() == nil; {
		var c *call
		if len(old) > 0 && rnd.IntN(7) == 0 {
			c = old[rnd.IntN(len(old))]
			r.count(&r.again)
		} else {
			n := 1 + rnd.IntN(60)
			c = r.newCall(r.channels[rnd.IntN(len(r.channels))], sender, first, n, rnd)
			first += n
			if len(old) < 200 {
				old = append(old, c)
			} else {
				old[rnd.IntN(len(old))] = c
			}
		}
		// It may get there though nobody waits for the answer any more.
		f, err := r.send(ctx, c)
		for _, s := range c.to.stores {
			s.ledger.note(c.items, f)
		}
		r.count(&r.calls)
		pause := time.Duration(rnd.IntN(8)) * time.Millisecond
		if err != nil {
			pause = 10 * time.Millisecond // the server is down
		}
		sleep(ctx, pause)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
