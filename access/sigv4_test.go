package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/lochlake/loch/awserr"
)

var (
	exampleKey  = Key{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Account: "123456789012", ARN: "arn:aws:iam::123456789012:root", Root: true}
	exampleTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
)

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// verify checks a request as the server does.
func verify(r *http.Request, body string, now time.Time) (Caller, error) {
	sig, err := NewVerifier(exampleKey, func() time.Time { return now }).Begin(context.Background(), r, "service")
	if err != nil {
		return Caller{}, err
	}
	return sig.Verify(hashOf(body))
}

// The cases of AWS's published suite (https://github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4: those that normalise paths, as every
// service but S3 does), the header form and the presigned one.
func TestPublishedSuite(t *testing.T) {
	text, err := os.ReadFile("testdata/sigv4.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Method, URI, Body, Canonical string
		Headers                            [][2]string
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 60 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			path, query, _ := strings.Cut(c.URI, "?")
			r := &http.Request{Method: c.Method, RequestURI: c.URI, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{}, ContentLength: int64(len(c.Body))}
			for _, h := range c.Headers {
				if h[0] == "Host" {
					r.Host = h[1]
					continue
				}
				r.Header.Add(h[0], h[1])
			}
			caller, err := verify(r, c.Body, exampleTime)
			if r.Header.Get("X-Amz-Security-Token") != "" || r.URL.Query().Has("X-Amz-Security-Token") {
				// There are no sessions here yet; and one sent after signing is never taken.
				if !awserr.Is(err, "UnrecognizedClientException") && !awserr.Is(err, "InvalidSignatureException") {
					t.Errorf("a session token: %v", err)
				}
				return
			}
			if err != nil || caller.Account != "123456789012" || caller.Region != "us-east-1" {
				t.Errorf("%+v %v", caller, err)
			}
			sig, err := NewVerifier(exampleKey, func() time.Time { return exampleTime }).Begin(t.Context(), r, "service")
			if err != nil {
				t.Fatal(err)
			}
			if got := sig.canonical(hashOf(c.Body)); got != c.Canonical {
				t.Errorf("canonical request\n%s\nwant\n%s", got, c.Canonical)
			}
		})
	}
}

// sign makes a request as Go's SDK does.
func sign(t testing.TB, method, target, body string, header map[string]string, at time.Time) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for k, v := range header {
		r.Header.Set(k, v)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: exampleKey.ID, SecretAccessKey: exampleKey.Secret}, r, hashOf(body), "service", "us-east-1", at); err != nil {
		t.Fatal(err)
	}
	return r
}

func presign(t testing.TB, method, target, body string, at time.Time, expires string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	q := r.URL.Query()
	q.Set("X-Amz-Expires", expires)
	r.URL.RawQuery = q.Encode()
	uri, header, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: exampleKey.ID, SecretAccessKey: exampleKey.Secret}, r, hashOf(body), "service", "us-east-1", at)
	if err != nil {
		t.Fatal(err)
	}
	p := httptest.NewRequest(method, uri, strings.NewReader(body))
	for k, v := range header {
		p.Header[k] = v
	}
	return p
}

func TestAccepted(t *testing.T) {
	target := map[string]string{"X-Amz-Target": "CloudTrail_20131101.StartQuery", "Content-Type": "application/x-amz-json-1.1"}
	for name, r := range map[string]*http.Request{
		"header":                sign(t, "POST", "http://h:4510/", "{}", target, exampleTime),
		"query":                 sign(t, "POST", "http://h/PutAuditEvents?channelArn=arn%3Aaws%3Ac%2Fd&externalId=a%20b", "{}", nil, exampleTime),
		"escaped path":          sign(t, "POST", "http://h/loch/v1/a%20b%2Fc/%C3%A9", "{}", nil, exampleTime),
		"four minutes old":      sign(t, "POST", "http://h/", "{}", target, exampleTime.Add(-4*time.Minute)),
		"four minutes ahead":    sign(t, "POST", "http://h/", "{}", target, exampleTime.Add(4*time.Minute)),
		"hash named":            sign(t, "POST", "http://h/", "{}", map[string]string{"X-Amz-Content-Sha256": hashOf("{}")}, exampleTime),
		"presigned":             presign(t, "POST", "http://h/?a=b", "{}", exampleTime, "60"),
		"presigned an hour ago": presign(t, "GET", "http://h/", "{}", exampleTime.Add(-time.Hour), "3601"),
	} {
		if caller, err := verify(r, "{}", exampleTime); err != nil || caller.AccessKeyID != exampleKey.ID || !caller.Root {
			t.Errorf("%s: %+v %v", name, caller, err)
		}
	}
}

// None of these may be accepted.
func TestHostile(t *testing.T) {
	type change = func(r *http.Request)
	set := func(name string, values ...string) change {
		return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
	}
	edit := func(name, from, to string) change {
		return func(r *http.Request) {
			old := r.Header.Get(name)
			if !strings.Contains(old, from) {
				panic("nothing to edit in " + old)
			}
			r.Header.Set(name, strings.Replace(old, from, to, 1))
		}
	}
	auth := func(from, to string) change { return edit("Authorization", from, to) }
	for _, c := range []struct {
		name string
		do   change
		code string
	}{
		{"no signature", func(r *http.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationTokenException"},
		{"empty signature", set("Authorization", ""), "IncompleteSignatureException"},
		{"other algorithm", auth("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), "IncompleteSignatureException"},
		{"version 2", set("Authorization", "AWS AKIDEXAMPLE:c2ln"), "IncompleteSignatureException"},
		{"bearer", set("Authorization", "Bearer x"), "IncompleteSignatureException"},
		{"two signatures", func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, "IncompleteSignatureException"},
		{"no credential", auth("Credential=", "X="), "IncompleteSignatureException"},
		{"credential twice", auth("SignedHeaders=", "Credential=a, SignedHeaders="), "IncompleteSignatureException"},
		{"signature cut", auth("Signature=", "Signature=, X="), "IncompleteSignatureException"},
		{"signature longer", func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+"0") }, "InvalidSignatureException"},
		{"short scope", auth("/service/aws4_request", "/aws4_request"), "IncompleteSignatureException"},
		{"other service", auth("/service/", "/s3/"), "InvalidSignatureException"},
		{"other region", auth("/us-east-1/", "/us-east-2/"), "InvalidSignatureException"},
		{"no region", auth("/us-east-1/", "//"), "InvalidSignatureException"},
		{"strange region", auth("/us-east-1/", "/US East/"), "InvalidSignatureException"},
		{"other day in scope", auth("/20150830/", "/20150829/"), "InvalidSignatureException"},
		{"other terminator", auth("aws4_request", "aws4_reques"), "InvalidSignatureException"},
		{"unknown key", auth("AKIDEXAMPLE", "AKIDEXAMPLF"), "UnrecognizedClientException"},
		{"session token", set("X-Amz-Security-Token", "abc"), "InvalidSignatureException"},
		{"other host", func(r *http.Request) { r.Host = "other" }, "InvalidSignatureException"},
		{"other method", func(r *http.Request) { r.Method = "PUT" }, "InvalidSignatureException"},
		{"other path", func(r *http.Request) { r.RequestURI, r.URL.Path = "/x", "/x" }, "InvalidSignatureException"},
		{"other query", func(r *http.Request) { r.URL.RawQuery = "a=b" }, "InvalidSignatureException"},
		{"broken query", func(r *http.Request) { r.URL.RawQuery = "a=%zz" }, "MalformedQueryString"},
		{"semicolon in query", func(r *http.Request) { r.URL.RawQuery = "a=b;c=d" }, "MalformedQueryString"},
		{"other target", set("X-Amz-Target", "CloudTrail_20131101.DeleteChannel"), "InvalidSignatureException"},
		{"second target", set("X-Amz-Target", "CloudTrail_20131101.StartQuery", "CloudTrail_20131101.DeleteChannel"), "InvalidSignatureException"},
		{"target gone", func(r *http.Request) { r.Header.Del("X-Amz-Target") }, "InvalidSignatureException"},
		{"unsigned x-amz header", set("X-Amz-Foo", "1"), "InvalidSignatureException"},
		{"host not signed", auth("host;", ""), "InvalidSignatureException"},
		{"target not signed", auth(";x-amz-target", ""), "InvalidSignatureException"},
		{"date not signed", auth(";x-amz-date", ""), "InvalidSignatureException"},
		{"signed headers out of order", auth("host;x-amz-date", "x-amz-date;host"), "InvalidSignatureException"},
		{"signed headers doubled", auth("host;", "host;host;"), "InvalidSignatureException"},
		{"signed headers in capitals", auth("host;", "Host;"), "InvalidSignatureException"},
		{"two content types", set("Content-Type", "application/x-amz-json-1.1", "text/plain"), "InvalidSignatureException"},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, "IncompleteSignatureException"},
		{"two dates", set("X-Amz-Date", "20150830T123600Z", "20150830T123600Z"), "IncompleteSignatureException"},
		{"other date form", set("X-Amz-Date", "20150830 123600Z"), "IncompleteSignatureException"},
		{"other time", set("X-Amz-Date", "20150830T123601Z"), "InvalidSignatureException"},
		{"body unsigned", set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), "InvalidSignatureException"},
		{"body chunked", set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), "InvalidSignatureException"},
		{"header and query", func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=a" }, "IncompleteSignatureException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := sign(t, "POST", "http://h/", "{}", map[string]string{"X-Amz-Target": "CloudTrail_20131101.StartQuery", "Content-Type": "application/x-amz-json-1.1"}, exampleTime)
			c.do(r)
			if _, err := verify(r, "{}", exampleTime); !awserr.Is(err, c.code) {
				t.Errorf("%v, want %s", err, c.code)
			}
		})
	}
	hashed := map[string]string{"X-Amz-Content-Sha256": hashOf("{}")}
	for _, c := range []struct {
		name string
		r    *http.Request
		body string
		code string
	}{
		{"other body", sign(t, "POST", "http://h/", "{}", nil, exampleTime), "[]", "InvalidSignatureException"},
		{"other body, its hash named", sign(t, "POST", "http://h/", "{}", hashed, exampleTime), "[]", "InvalidSignatureException"},
		{"unsigned payload, signed as such", sign(t, "POST", "http://h/", "{}", map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}, exampleTime), "{}", "InvalidSignatureException"},
		{"replayed after five minutes", sign(t, "POST", "http://h/", "{}", nil, exampleTime.Add(-5*time.Minute-time.Second)), "{}", "InvalidSignatureException"},
		{"from the future", sign(t, "POST", "http://h/", "{}", nil, exampleTime.Add(5*time.Minute+time.Second)), "{}", "InvalidSignatureException"},
		{"signed session token", sign(t, "POST", "http://h/", "{}", map[string]string{"X-Amz-Security-Token": "abc"}, exampleTime), "{}", "UnrecognizedClientException"},
		{"presigned past its time", presign(t, "POST", "http://h/", "{}", exampleTime.Add(-61*time.Second), "60"), "{}", "RequestExpired"},
		{"presigned from the future", presign(t, "POST", "http://h/", "{}", exampleTime.Add(6*time.Minute), "60"), "{}", "InvalidSignatureException"},
		{"presigned for eight days", presign(t, "POST", "http://h/", "{}", exampleTime, "691200"), "{}", "IncompleteSignatureException"},
		{"presigned for no time", presign(t, "POST", "http://h/", "{}", exampleTime, "0"), "{}", "IncompleteSignatureException"},
		{"presigned, other body", presign(t, "POST", "http://h/", "{}", exampleTime, "60"), "[]", "InvalidSignatureException"},
	} {
		if _, err := verify(c.r, c.body, exampleTime); !awserr.Is(err, c.code) {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
	r := presign(t, "POST", "http://h/", "{}", exampleTime, "60")
	r.Header.Set("X-Amz-Target", "CloudTrail_20131101.DeleteChannel")
	if _, err := verify(r, "{}", exampleTime); !awserr.Is(err, "InvalidSignatureException") {
		t.Errorf("presigned with an unsigned target: %v", err)
	}
	r = presign(t, "POST", "http://h/", "{}", exampleTime, "60")
	r.URL.RawQuery += "&X-Amz-Expires=604800"
	if _, err := verify(r, "{}", exampleTime); !awserr.Is(err, "IncompleteSignatureException") {
		t.Errorf("presigned with two lives: %v", err)
	}
}

// A parameter reads the same to who verifies and to who handles: a plus is a space to both.
func TestPlusInQuery(t *testing.T) {
	r := sign(t, "POST", "http://h/?a=b%20c", "{}", nil, exampleTime)
	r.URL.RawQuery = "a=b+c"
	if _, err := verify(r, "{}", exampleTime); err != nil || r.URL.Query().Get("a") != "b c" {
		t.Error(err)
	}
	r.URL.RawQuery = "a=b%2Bc"
	if _, err := verify(r, "{}", exampleTime); err == nil {
		t.Error("a plus passes for a space")
	}
}

func TestDerivedKeysAreBounded(t *testing.T) {
	v := NewVerifier(exampleKey, time.Now)
	for i := range 3 * maxDerived {
		v.remember(derivation{region: string(rune('a'+i%26)) + strings.Repeat("b", i/26)}, []byte{1})
		if len(v.derived) > maxDerived {
			t.Fatalf("%d keys", len(v.derived))
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa0", "a=b", "/a//b/../c")
	f.Add("AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=", "X-Amz-Signature=a&X-Amz-Algorithm=b", "/%2F")
	f.Add("", "%zz", "")
	f.Fuzz(func(t *testing.T, header, query, path string) {
		r := &http.Request{Method: "POST", Host: "h", URL: &url.URL{Path: "/", RawQuery: query}, RequestURI: path, Body: io.NopCloser(bytes.NewReader(nil)),
			Header: http.Header{"Authorization": {header}, "X-Amz-Date": {"20150830T123600Z"}}}
		if _, err := verify(r, "", exampleTime); err == nil {
			t.Errorf("accepted %q %q %q", header, query, path)
		}
		if p := canonicalPath(path); !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || strings.Contains(p+"/", "/../") {
			t.Errorf("%q is canonically %q", path, p)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	r := sign(b, "POST", "http://h/PutAuditEvents?channelArn=arn%3Aaws%3Ac%2Fd", "{}", map[string]string{"Content-Type": "application/json"}, exampleTime)
	v := NewVerifier(exampleKey, func() time.Time { return exampleTime })
	hash := hashOf("{}")
	for b.Loop() {
		sig, err := v.Begin(b.Context(), r, "service")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := sig.Verify(hash); err != nil {
			b.Fatal(err)
		}
	}
}
