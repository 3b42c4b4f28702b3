// Package streamer is the client's half of a streamed import: it reads files, asks the server which of them it knows, sends the others, and says
// what became of them.
package streamer

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
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/uuid"
	"github.com/lochlake/loch/imports/protocol"
)

// Config says how to reach the server.
type Config struct {
	Endpoint    string // http(s)://host[:port]
	Region      string
	Credentials aws.CredentialsProvider
	Parallel    int // requests under way at once; 0: 4
	Attempts    int // tries of one request; 0: 8
}

// Error is an error that the server answered with.
type Error struct {
	Status  int
	Code    string
	Message string
}

// Error gives the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// retryable tells whether another try may succeed: the server is busy, or has a fault that may pass.
func retryable(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status >= 500 || e.Status == http.StatusRequestTimeout || throttled(err)
	}
	return true // the connection broke, or could not be made
}

// throttled tells whether the server only asks to come later.
func throttled(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable || strings.HasPrefix(e.Code, "Throttling"))
}

type client struct {
	cfg    Config
	http   *http.Client
	signer *v4.Signer
	base   string
}

func newClient(cfg Config) (*client, error) {
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("endpoint %q is not of the form http://host:port", cfg.Endpoint)
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = 4
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = 8
	}
	return &client{cfg: cfg, signer: v4.NewSigner(), base: strings.TrimSuffix(cfg.Endpoint, "/"),
		http: &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 2 * time.Minute,
			MaxIdleConnsPerHost:   cfg.Parallel + 1,
			ForceAttemptHTTP2:     true,
		}}}, nil
}

// call does one request, with retries, and decodes the answer.
func (c *client) call(ctx context.Context, method, path string, body []byte, out any) error {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	id := uuid.NewString()
	for try := 1; ; try++ {
		err := c.once(ctx, method, path, id, hash, body, out)
		if err == nil || ctx.Err() != nil || !retryable(err) || try >= c.cfg.Attempts {
			return err
		}
		if throttled(err) && try > 5 {
			try = 5 // a busy server is waited for
		}
		wait := min(100*time.Millisecond<<(try-1), 5*time.Second)
		wait = wait/2 + rand.N(wait/2+1)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

func (c *client) once(ctx context.Context, method, path, id, hash string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Amz-Content-Sha256", hash)
	req.Header.Set(protocol.RequestHeader, id)
	creds, err := c.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	if err := c.signer.SignHTTP(ctx, creds, req, hash, "cloudtrail", c.cfg.Region, time.Now()); err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return failure(resp, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: the answer cannot be read: %w", method, path, err)
	}
	return nil
}

func failure(resp *http.Response, answer []byte) *Error {
	e := &Error{Status: resp.StatusCode}
	var body struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &body) == nil && body.Type != "" {
		e.Code, e.Message = body.Type, body.Message
	} else {
		e.Code, e.Message = fmt.Sprint("HTTP ", resp.StatusCode), strings.TrimSpace(fmt.Sprintf("%.300s", answer))
	}
	return e
}

// callJSON is call with a body of JSON.
func (c *client) callJSON(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	return c.call(ctx, method, protocol.Path+path, body, out)
}
