package catalog

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lochlake/loch/access"
)

const (
	// tokenLife is how long a bearer token holds. Clients fetch another before it ends.
	tokenLife = time.Hour
	// clockStep is how far the clock may go back without ending the tokens that were given before.
	clockStep = 5 * time.Minute
	// chainLife is how long tokens can be exchanged for others without the key being shown again, so that one that leaked ends: the longest that
	// AWS lets temporary credentials live (GetSessionToken).
	chainLife = 36 * time.Hour
)

// statusExpired is the specification's answer to a token past its time (AuthenticationTimeoutResponse), upon which clients fetch another.
const statusExpired = 419

const (
	grantCredentials = "client_credentials"                              // RFC 6749, section 4.4
	grantExchange    = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
	typeAccessToken  = "urn:ietf:params:oauth:token-type:access_token"   // RFC 8693, section 3
)

// claims are what a bearer token says. A token is base64url of their JSON, a dot, and base64url of HMAC-SHA-256 over the first part.
type claims struct {
	KeyID   string `json:"key"`
	Account string `json:"account"`
	Shown   int64  `json:"shown"`   // when the key was shown, seconds since the Unix epoch
	Expires int64  `json:"expires"` // likewise
}

var (
	errForged  = &fault{http.StatusUnauthorized, "NotAuthorizedException", "The bearer token is not one of this server's."}
	errStale   = &fault{statusExpired, "AuthenticationTimeoutException", "The bearer token has expired. Fetch another."}
	errRevoked = &fault{http.StatusUnauthorized, "NotAuthorizedException", "The access key that the bearer token was got with does not hold any more."}
)

func (c *Catalog) mac(payload string) []byte {
	h := hmac.New(sha256.New, c.macKey)
	h.Write([]byte(payload))
	return h.Sum(nil)
}

func (c *Catalog) seal(cl claims) (string, error) {
	text, err := json.Marshal(cl)
	if err != nil {
		return "", err
	}
	payload := base64.RawURLEncoding.EncodeToString(text)
	return payload + "." + base64.RawURLEncoding.EncodeToString(c.mac(payload)), nil
}

// unseal reads a token that seal made, of any age; another is errForged.
func (c *Catalog) unseal(token string) (cl claims, err error) {
	payload, mac, ok := strings.Cut(token, ".")
	sum, err := base64.RawURLEncoding.Strict().DecodeString(mac)
	if !ok || err != nil || !hmac.Equal(sum, c.mac(payload)) {
		return claims{}, errForged
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(text, &cl) != nil {
		return claims{}, errForged
	}
	return cl, nil
}

// authenticate gives what a request's bearer token says, while the key holds that the token was got with: the request may see that account's tables.
func (c *Catalog) authenticate(r *http.Request, now time.Time) (claims, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return claims{}, &fault{http.StatusUnauthorized, "NotAuthorizedException", "A bearer token is needed: get one from " + Root + "/v1/oauth/tokens with an access key's id and secret as client_id and client_secret."}
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return claims{}, &fault{http.StatusUnauthorized, "NotAuthorizedException", "Only bearer tokens are taken here."}
	}
	cl, err := c.unseal(strings.TrimSpace(token))
	if err != nil {
		return claims{}, err
	}
	return cl, c.holds(r.Context(), cl, now)
}

// holds tells whether a token that unseal opened is good now: errStale past its time, errRevoked where its key does not hold any more.
func (c *Catalog) holds(ctx context.Context, cl claims, now time.Time) error {
	// One from a time when the clock ran ahead would hold for as long, once it is set right.
	if now.Unix() >= cl.Expires || now.Add(tokenLife+clockStep).Unix() < cl.Expires {
		return errStale
	}
	key, err := c.lookup(ctx, cl.KeyID)
	if errors.Is(err, access.ErrNoKey) || err == nil && key.Account != cl.Account {
		return errRevoked
	}
	return err
}

func (c *Catalog) isEngine(keyID string) bool { return keyID != "" && keyID == c.cfg.Engine.ID }

// lookup finds a key: the engine's, or else an access key.
func (c *Catalog) lookup(ctx context.Context, keyID string) (access.Key, error) {
	if c.isEngine(keyID) {
		return c.cfg.Engine, nil
	}
	return c.cfg.Keys.Lookup(ctx, keyID)
}

// refusal is an error of the token endpoint (RFC 6749, section 5.2).
type refusal struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// Error gives code and description.
func (r *refusal) Error() string { return r.Code + ": " + r.Description }

// grant is the answer of the token endpoint (RFC 6749, section 5.1; RFC 8693, section 2.2.1).
type grant struct {
	key         string // for which it is
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	IssuedType  string `json:"issued_token_type"`
}

// serveToken answers the token endpoint. It gives the key that got a token ("" for none), and the status of the answer.
func (c *Catalog) serveToken(w http.ResponseWriter, r *http.Request, now time.Time) (key string, status int) {
	status, answer := http.StatusOK, any(nil)
	g, err := c.grant(r, now)
	if err == nil {
		key, answer = g.key, g
	} else if no, ok := errors.AsType[*refusal](err); ok {
		status, answer = no.status, no
	} else {
		f := c.faultOf(r, err)
		status, answer = f.status, &refusal{Code: "server_error", Description: f.message}
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="iceberg"`)
	}
	w.Header().Set("Cache-Control", "no-store")
	c.write(w, r, status, answer)
	return key, status
}

// grant gives a token for an access key's id and secret, or for a token that holds: Iceberg's Java clients renew theirs by exchange, and show the key
// again only once one has expired.
func (c *Catalog) grant(r *http.Request, now time.Time) (*grant, error) {
	if r.Method != http.MethodPost {
		return nil, &refusal{http.StatusMethodNotAllowed, "invalid_request", "Tokens are asked for with POST."}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, &refusal{http.StatusBadRequest, "invalid_request", "The body must be application/x-www-form-urlencoded."}
	}
	if err := r.ParseForm(); err != nil {
		return nil, &refusal{http.StatusBadRequest, "invalid_request", "The form cannot be read."}
	}
	form := r.PostForm // secrets in a query string would end in logs
	for name, values := range form {
		if len(values) > 1 {
			return nil, &refusal{http.StatusBadRequest, "invalid_request", "The parameter " + short(name) + " is there more than once."}
		}
	}
	kind := form.Get("grant_type")
	if kind != grantCredentials && kind != grantExchange {
		return nil, &refusal{http.StatusBadRequest, "unsupported_grant_type", "grant_type must be " + grantCredentials + " or " + grantExchange + "."}
	}
	cl := claims{Shown: now.Unix()}
	key, err := c.client(r.Context(), r, form)
	switch {
	case err == nil:
		cl.KeyID, cl.Account = key.ID, key.Account
	case kind == grantExchange && errors.Is(err, errNoClient):
		if cl, err = c.renewed(r.Context(), form.Get("subject_token"), now); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	cl.Expires = min(now.Add(tokenLife).Unix(), time.Unix(cl.Shown, 0).Add(chainLife).Unix())
	token, err := c.seal(cl)
	if err != nil {
		return nil, err
	}
	return &grant{cl.KeyID, token, "bearer", cl.Expires - now.Unix(), typeAccessToken}, nil
}

// renewed gives what a token says that is to be exchanged without its key.
func (c *Catalog) renewed(ctx context.Context, token string, now time.Time) (claims, error) {
	cl, err := c.unseal(token)
	if err == nil {
		err = c.holds(ctx, cl, now)
	}
	if f, ok := errors.AsType[*fault](err); ok {
		return claims{}, &refusal{http.StatusBadRequest, "invalid_grant", f.message}
	}
	return cl, err
}

var errNoClient = &refusal{http.StatusUnauthorized, "invalid_client", "An access key is needed: its id as client_id and its secret as client_secret."}

// client finds the access key that a request of the token endpoint proves: in the form, or else by HTTP Basic. Without either it is errNoClient.
func (c *Catalog) client(ctx context.Context, r *http.Request, form url.Values) (access.Key, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok && id == "" && secret == "" {
		// RFC 6749 encodes both, and Iceberg's Java client neither; no id or secret has a percent sign of its own.
		var err1, err2 error
		id, err1 = url.PathUnescape(user)
		secret, err2 = url.PathUnescape(password)
		if err := errors.Join(err1, err2); err != nil {
			return access.Key{}, &refusal{http.StatusBadRequest, "invalid_request", "The Authorization header cannot be read."}
		}
	}
	if id == "" && secret == "" {
		return access.Key{}, errNoClient
	}
	key, err := c.lookup(ctx, id)
	if err != nil && !errors.Is(err, access.ErrNoKey) {
		return access.Key{}, err
	}
	if err != nil || subtle.ConstantTimeCompare([]byte(secret), []byte(key.Secret)) != 1 {
		return access.Key{}, &refusal{http.StatusUnauthorized, "invalid_client", "The access key's id or secret is wrong."}
	}
	return key, nil
}
