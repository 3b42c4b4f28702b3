package access

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lochlake/loch/awserr"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	stampForm  = "20060102T150405Z"

	// maxSkew is how far a request's time may lie from ours.
	maxSkew = 5 * time.Minute
	// maxExpires is the longest life of a presigned request, in seconds: seven days (AWS, "Authenticating Requests: Using Query Parameters").
	maxExpires = 7 * 24 * 3600
	// maxDerived bounds the cache of derived signing keys.
	maxDerived = 1024
)

// Verifier checks AWS Signature Version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), in its header
// form and its presigned one. It keeps the signing keys that it derived.
type Verifier struct {
	keys Keys
	now  func() time.Time

	mu      sync.Mutex
	derived map[derivation][]byte
}

type derivation struct{ secret, date, region, service string }

// NewVerifier makes a Verifier over keys; now is the clock that requests are held against.
func NewVerifier(keys Keys, now func() time.Time) *Verifier {
	return &Verifier{keys: keys, now: now, derived: map[derivation][]byte{}}
}

// Signature is a request's signature, checked in all but its value, which needs the body's hash.
type Signature struct {
	v         *Verifier
	r         *http.Request
	key       Key
	query     url.Values // without the signature itself
	presigned bool
	stamp     string // the request's time
	date      string
	region    string
	service   string
	headers   []string // signed, in order
	signature string
}

// Begin checks what can be checked without the body: that the request is signed, by a key that exists, for the service, in time, and over the
// host and every X-Amz header. The errors are AWS's common ones.
func (v *Verifier) Begin(ctx context.Context, r *http.Request, service string) (*Signature, error) {
	s := &Signature{v: v, r: r, service: service}
	var err error
	// The canonical query is made of what handlers will read, so that the two can't differ.
	if s.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return nil, &awserr.Error{Code: "MalformedQueryString", Status: http.StatusBadRequest, Message: "The query string contains a syntax error."}
	}
	fields, expires, err := s.fields()
	if err != nil {
		return nil, err
	}
	id, scope, _ := strings.Cut(fields.credential, "/")
	parts := strings.Split(scope, "/")
	if len(parts) != 4 || id == "" {
		return nil, incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%.120s'", fields.credential)
	}
	s.date, s.region, s.signature = parts[0], parts[1], fields.signature
	switch {
	case parts[3] != terminator:
		return nil, badSignature("Credential should be scoped with a valid terminator: '%s', not '%.40s'.", terminator, parts[3])
	case parts[2] != service:
		return nil, badSignature("Credential should be scoped to correct service: '%s'.", service)
	case !regionName(s.region):
		return nil, badSignature("Credential should be scoped to a valid Region.")
	case len(s.stamp) != len(stampForm) || s.date != s.stamp[:8]:
		return nil, badSignature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%.40s' != '%.40s'.", s.date, s.stamp)
	}
	if err := s.checkTime(expires); err != nil {
		return nil, err
	}
	if err := s.checkHeaders(fields.signedHeaders); err != nil {
		return nil, err
	}
	if s.query.Has("X-Amz-Security-Token") || r.Header.Get("X-Amz-Security-Token") != "" {
		return nil, unrecognized() // there are no sessions whose token it could be
	}
	if s.key, err = v.keys.Lookup(ctx, id); errors.Is(err, ErrNoKey) {
		return nil, unrecognized()
	} else if err != nil {
		return nil, fmt.Errorf("looking up the access key: %w", err)
	}
	return s, nil
}

// Claimed is the account whose key the request names, and the region that it is for. Nothing of it is proven before Verify: it is for refusing, never for taking.
func (s *Signature) Claimed() (account, region string) { return s.key.Account, s.region }

// Verify ends the check with the SHA-256 of the body, in lower-case hexadecimal, and tells who calls.
func (s *Signature) Verify(bodyHash string) (Caller, error) {
	if h := s.r.Header.Values("X-Amz-Content-Sha256"); len(h) > 0 && h[0] != bodyHash {
		return Caller{}, badSignature("X-Amz-Content-Sha256 is not the SHA-256 of the body; unsigned and chunked payloads are not taken.")
	}
	request := sha256.Sum256([]byte(s.canonical(bodyHash)))
	scope := s.date + "/" + s.region + "/" + s.service + "/" + terminator
	key := s.v.signingKey(derivation{s.key.Secret, s.date, s.region, s.service})
	want := hex.EncodeToString(mac(key, algorithm+"\n"+s.stamp+"\n"+scope+"\n"+hex.EncodeToString(request[:])))
	if subtle.ConstantTimeCompare([]byte(want), []byte(s.signature)) != 1 {
		return Caller{}, badSignature("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	s.v.remember(derivation{s.key.Secret, s.date, s.region, s.service}, key)
	return Caller{AccessKeyID: s.key.ID, Account: s.key.Account, Region: s.region, ARN: s.key.ARN, Root: s.key.Root}, nil
}

// authorization is what a request says of its signature.
type authorization struct{ credential, signedHeaders, signature string }

// fields reads the authorization, from the header or the query, and the request's time. Expires is the life of a presigned request, 0 of another.
func (s *Signature) fields() (a authorization, expires time.Duration, err error) {
	header := s.r.Header.Values("Authorization")
	s.presigned = s.query.Has("X-Amz-Signature") || s.query.Has("X-Amz-Algorithm") || s.query.Has("X-Amz-Credential")
	switch {
	case len(header) > 0 && s.presigned:
		return a, 0, incomplete("A request is signed in its Authorization header or in its query, not in both.")
	case s.presigned:
		return s.queryFields()
	case len(header) == 0:
		return a, 0, &awserr.Error{Code: "MissingAuthenticationTokenException", Status: http.StatusForbidden, Message: "Missing Authentication Token"}
	case len(header) > 1:
		return a, 0, incomplete("There is more than one Authorization header.")
	}
	if a, err = parseAuthorization(header[0]); err != nil {
		return a, 0, err
	}
	dates := s.r.Header.Values("X-Amz-Date")
	if len(dates) != 1 {
		return a, 0, incomplete("Authorization header requires existence of one 'X-Amz-Date' header.")
	}
	s.stamp = dates[0]
	return a, 0, nil
}

// parseAuthorization reads the value of an Authorization header.
func parseAuthorization(header string) (a authorization, err error) {
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return a, incomplete("Authorization header must begin with '%s'.", algorithm)
	}
	parts := map[string]*string{"Credential": &a.credential, "SignedHeaders": &a.signedHeaders, "Signature": &a.signature}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.Trim(part, " "), "=")
		at := parts[name]
		if at == nil || *at != "" {
			return a, incomplete("Authorization header has '%.40s' twice, or should not have it.", name)
		}
		*at = value
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if *parts[name] == "" {
			return a, incomplete("Authorization header requires '%s' parameter.", name)
		}
	}
	return a, nil
}

func (s *Signature) queryFields() (a authorization, expires time.Duration, err error) {
	one := func(name string) string {
		if v := s.query[name]; len(v) == 1 && v[0] != "" {
			return v[0]
		}
		if err == nil {
			err = incomplete("AWS query-string parameters must include '%s', once.", name)
		}
		return ""
	}
	alg := one("X-Amz-Algorithm")
	a = authorization{one("X-Amz-Credential"), one("X-Amz-SignedHeaders"), one("X-Amz-Signature")}
	s.stamp = one("X-Amz-Date")
	life := one("X-Amz-Expires")
	if err != nil {
		return a, 0, err
	}
	if alg != algorithm {
		return a, 0, incomplete("Unsupported AWS 'algorithm': '%.40s'.", alg)
	}
	n, e := strconv.ParseUint(life, 10, 31)
	if e != nil || n == 0 || n > maxExpires {
		return a, 0, incomplete("X-Amz-Expires must be a number of seconds from 1 to %d.", maxExpires)
	}
	s.query.Del("X-Amz-Signature")
	return a, time.Duration(n) * time.Second, nil
}

// checkTime holds the request's time against the clock.
func (s *Signature) checkTime(expires time.Duration) error {
	t, err := time.Parse(stampForm, s.stamp)
	if err != nil {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '%.40s'.", s.stamp)
	}
	now := s.v.now().UTC()
	if latest := now.Add(maxSkew); t.After(latest) {
		return badSignature("Signature not yet current: %s is still later than %s (%s + 5 min.)", s.stamp, latest.Format(stampForm), now.Format(stampForm))
	}
	if s.presigned {
		if now.After(t.Add(expires)) {
			return &awserr.Error{Code: "RequestExpired", Status: http.StatusBadRequest, Message: fmt.Sprintf("Request has expired: it was good until %s, and it is %s.",
				t.Add(expires).Format(stampForm), now.Format(stampForm))}
		}
		return nil
	}
	if earliest := now.Add(-maxSkew); t.Before(earliest) {
		return badSignature("Signature expired: %s is now earlier than %s (%s - 5 min.)", s.stamp, earliest.Format(stampForm), now.Format(stampForm))
	}
	return nil
}

// checkHeaders checks that the list of signed headers is well formed, that each is there, and that those are signed that change what a request
// means. Those that are read as one value must be there once, else what was signed and what is read could differ.
func (s *Signature) checkHeaders(list string) error {
	s.headers = strings.Split(list, ";")
	signed := map[string]bool{}
	for i, name := range s.headers {
		if name != strings.ToLower(name) || i > 0 && name <= s.headers[i-1] {
			return badSignature("SignedHeaders must be lower case, in order, each once: '%.200s'.", list)
		}
		if _, ok := s.header(name); !ok {
			return badSignature("The signed header '%.80s' is not in the request.", name)
		}
		signed[name] = true
	}
	if !signed["host"] {
		return badSignature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name, values := range s.r.Header {
		lower := strings.ToLower(name)
		amz := strings.HasPrefix(lower, "x-amz-")
		if amz && !signed[lower] {
			return badSignature("'%.80s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
		if (amz || lower == "content-type") && len(values) > 1 {
			return badSignature("The header '%.80s' is there more than once.", name)
		}
	}
	return nil
}

// regionName tells whether text can be a region's name.
func regionName(text string) bool {
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return text != "" && len(text) <= 32
}

func (v *Verifier) signingKey(d derivation) []byte {
	v.mu.Lock()
	key := v.derived[d]
	v.mu.Unlock()
	if key != nil {
		return key
	}
	key = mac([]byte("AWS4"+d.secret), d.date)
	key = mac(key, d.region)
	key = mac(key, d.service)
	return mac(key, terminator)
}

// remember keeps a signing key that verified a request; others are not kept, so that who has no secret can't fill the cache.
func (v *Verifier) remember(d derivation, key []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.derived) >= maxDerived {
		clear(v.derived) // yesterday's keys go, and today's come back at the cost of four HMACs
	}
	v.derived[d] = key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func badSignature(format string, args ...any) error {
	return &awserr.Error{Code: "InvalidSignatureException", Status: http.StatusForbidden, Message: fmt.Sprintf(format, args...)}
}

func incomplete(format string, args ...any) error {
	return &awserr.Error{Code: "IncompleteSignatureException", Status: http.StatusForbidden, Message: fmt.Sprintf(format, args...)}
}

func unrecognized() error {
	return &awserr.Error{Code: "UnrecognizedClientException", Status: http.StatusForbidden, Message: "The security token included in the request is invalid."}
}
