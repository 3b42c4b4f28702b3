package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/lochlake/loch/access"
	"github.com/prometheus/client_golang/prometheus"
)

const testAccount = "123456789012"

// testKeys are two keys of different accounts.
type testKeys []access.Key

func (k testKeys) Lookup(_ context.Context, id string) (access.Key, error) {
	for _, key := range k {
		if key.ID == id {
			return key, nil
		}
	}
	return access.Key{}, access.ErrNoKey
}

var (
	rootKey  = access.Key{ID: "AKIAROOTROOTROOTROOT", Secret: strings.Repeat("s", 40), Account: testAccount, ARN: "arn:aws:iam::123456789012:root", Root: true}
	otherKey = access.Key{ID: "AKIAOTHEROTHEROTHER2", Secret: strings.Repeat("t", 40), Account: "210987654321", ARN: "arn:aws:iam::210987654321:root", Root: true}
)

// wire is a served Server and a client of it.
type wire struct {
	t    *testing.T
	s    *Server
	http *httptest.Server
	log  *bytes.Buffer
	reg  *prometheus.Registry
	key  access.Key
}

func serveTest(t *testing.T, register func(*Server)) *wire {
	w := &wire{t: t, log: new(bytes.Buffer), reg: prometheus.NewRegistry(), key: rootKey}
	s, err := New(Config{Keys: testKeys{rootKey, otherKey}, TokenKey: bytes.Repeat([]byte{7}, 32), Log: slog.New(slog.NewTextHandler(w.log, nil)), Metrics: w.reg})
	if err != nil {
		t.Fatal(err)
	}
	if register != nil {
		register(s)
	}
	w.s, w.http = s, httptest.NewUnstartedServer(nil)
	w.http.Config = s.HTTP()
	w.http.Start()
	t.Cleanup(w.http.Close)
	return w
}

// request makes a signed request.
func (w *wire) request(method, path, service, body string, header ...string) *http.Request {
	w.t.Helper()
	r, err := http.NewRequest(method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(w.t.Context(), aws.Credentials{AccessKeyID: w.key.ID, SecretAccessKey: w.key.Secret}, r,
		hex.EncodeToString(sum[:]), service, "eu-west-1", time.Now()); err != nil {
		w.t.Fatal(err)
	}
	return r
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (w *wire) do(r *http.Request) answer {
	w.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// call makes a call of the control plane.
func (w *wire) call(operation, body string) answer {
	w.t.Helper()
	return w.do(w.request("POST", "/", "cloudtrail", body, "X-Amz-Target", "CloudTrail_20131101."+operation, "Content-Type", "application/x-amz-json-1.1"))
}

// code is the error's name, "" of a success.
func (a answer) code(t *testing.T) string {
	t.Helper()
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("answer %q: %v", a.body, err)
	}
	if a.status >= 400 && (e.Type == "" || e.Message == "") {
		t.Fatalf("an error without name or message: %s", a.body)
	}
	return e.Type
}
