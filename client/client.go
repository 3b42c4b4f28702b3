// Package client calls a Loch server, or anything else that speaks CloudTrail's API: AWS JSON 1.1 over HTTP, signed with Signature Version 4.
package client

import (
	"bytes"
	"cmp"
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
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// Options say which server to call, and as whom.
type Options struct {
	Endpoint string // the server's URL
	Profile  string // of the AWS configuration files; "" is the environment's choice
	Region   string // to sign for; "" is the configuration's, else us-east-1
}

// Client calls one server. It may be used from many goroutines.
type Client struct {
	Endpoint    string
	Region      string
	Credentials aws.CredentialsProvider
	HTTP        *http.Client
	Now         func() time.Time // that requests are signed with; nil: time.Now
	signer      *v4.Signer
}

// Error is an error that the server answered, in the API's vocabulary.
type Error struct {
	Code    string
	Message string
	Status  int
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// New makes a client with the credentials of the usual AWS environment, profile and files.
func New(ctx context.Context, o Options) (*Client, error) {
	opts := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if o.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(o.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, err
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		if file := os.Getenv("AWS_SHARED_CREDENTIALS_FILE"); file != "" {
			f, ferr := os.Open(file)
			if ferr != nil {
				return nil, fmt.Errorf("no AWS credentials to sign with: AWS_SHARED_CREDENTIALS_FILE: %w", ferr)
			}
			f.Close()
		}
		return nil, fmt.Errorf("no AWS credentials to sign with: set AWS_SHARED_CREDENTIALS_FILE to the file `credentials` in the server's data folder, or name a profile (%w)", err)
	}
	return WithCredentials(o.Endpoint, cmp.Or(o.Region, cfg.Region, "us-east-1"), cfg.Credentials)
}

// WithCredentials makes a client that signs with those credentials for a region.
func WithCredentials(endpoint, region string, creds aws.CredentialsProvider) (*Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("endpoint %q is no URL such as http://127.0.0.1:4510", endpoint)
	}
	return &Client{Endpoint: strings.TrimSuffix(endpoint, "/"), Region: region, Credentials: creds, HTTP: &http.Client{Transport: transport()}, signer: v4.NewSigner()}, nil
}

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	return t
}

// attempts bounds how often a call is tried where the server throttles or is briefly unable.
const attempts = 6

// Call carries out one operation of CloudTrail's control plane. Throttling and 5xx answers are tried again with growing pauses, about six seconds in all.
func (c *Client) Call(ctx context.Context, operation string, in, out any) error {
	return c.callPatiently(ctx, operation, in, out, 0)
}

// callPatiently is Call for an operation that a server may answer later, when there is something new (RFC 7240); patience is in whole seconds.
func (c *Client) callPatiently(ctx context.Context, operation string, in, out any, patience time.Duration) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.retry(ctx, func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint+"/", bytes.NewReader(body))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-amz-json-1.1")
			req.Header.Set("X-Amz-Target", "CloudTrail_20131101."+operation)
			if patience > 0 {
				req.Header.Set("Prefer", "wait="+strconv.Itoa(int(patience.Seconds())))
			}
		}
		return req, err
	}, "cloudtrail", body, out)
}

// PutAuditEvents brings events from outside AWS into a channel: REST-JSON, signed for cloudtrail-data.
func (c *Client) PutAuditEvents(ctx context.Context, channelARN string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.retry(ctx, func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint+"/PutAuditEvents?channelArn="+url.QueryEscape(channelARN), bytes.NewReader(body))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
		}
		return req, err
	}, "cloudtrail-data", body, out)
}

// Get asks one of Loch's own endpoints, by its path and query.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.Do(ctx, http.MethodGet, path, out)
}

// Do makes a call without a body of one of Loch's own endpoints, which it may make again as Call does.
func (c *Client) Do(ctx context.Context, method, path string, out any) error {
	return c.retry(ctx, func() (*http.Request, error) {
		return http.NewRequestWithContext(ctx, method, c.Endpoint+path, nil)
	}, "cloudtrail", nil, out)
}

func (c *Client) retry(ctx context.Context, make func() (*http.Request, error), service string, body []byte, out any) error {
	for try, pause := 1, 100*time.Millisecond; ; try, pause = try+1, pause*2 {
		req, err := make()
		if err != nil {
			return err
		}
		err = c.once(ctx, req, service, body, out)
		if err == nil || try == attempts || !temporary(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

// maxAnswer bounds an answer of JSON, whoever gives it, in bytes.
const maxAnswer = 512 << 20

func temporary(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Status >= 500 || strings.Contains(e.Code, "Throttling"))
}

// Sign signs a request whose body hashes to the given SHA-256 in hexadecimal.
func (c *Client) Sign(ctx context.Context, req *http.Request, service, hash string) error {
	creds, err := c.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Content-Sha256", hash)
	now := time.Now()
	if c.Now != nil {
		now = c.Now()
	}
	return c.signer.SignHTTP(ctx, creds, req, hash, service, c.Region, now)
}

func (c *Client) once(ctx context.Context, req *http.Request, service string, body []byte, out any) error {
	sum := sha256.Sum256(body)
	if err := c.Sign(ctx, req, service, hex.EncodeToString(sum[:])); err != nil {
		return err
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return Unreachable(c.Endpoint, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return readError(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("the answer of %s is not what was expected: %w", c.Endpoint, err)
	}
	return nil
}

// Unreachable says in plain words where err is that nobody listens at the endpoint; any other error it gives back.
func Unreachable(endpoint string, err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no server answers at %s: start one with `loch serve`, or name it with --endpoint", endpoint)
	}
	return err
}

func readError(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Upper   string `json:"Message"`
	}
	e := &Error{Status: resp.StatusCode, Code: resp.Header.Get("X-Amzn-ErrorType")}
	if json.Unmarshal(b, &said) == nil {
		e.Code, e.Message = cmp.Or(said.Type, e.Code), cmp.Or(said.Message, said.Upper)
	}
	if i := strings.LastIndexByte(e.Code, '#'); i >= 0 {
		e.Code = e.Code[i+1:]
	}
	e.Code, _, _ = strings.Cut(e.Code, ":")
	if e.Code == "" {
		e.Code, e.Message = "HTTP "+resp.Status, strings.TrimSpace(string(b))
	}
	return e
}
