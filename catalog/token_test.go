package catalog

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const tokens = "/iceberg/v1/oauth/tokens"

func TestTokenNeeded(t *testing.T) {
	g := newRig(t)
	payload, mac, _ := strings.Cut(g.token, ".")
	text, err := json.Marshal(claims{theirs.ID, theirs.Account, g.now.Unix(), g.now.Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	other, _, _ := strings.Cut(g.login(theirs), ".")
	for name, headers := range map[string][]string{
		"none":             nil,
		"empty":            {"Authorization", ""},
		"basic":            {"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(mine.ID+":"+mine.Secret))},
		"no token":         {"Authorization", "Bearer "},
		"no mac":           {"Authorization", "Bearer " + payload},
		"empty mac":        {"Authorization", "Bearer " + payload + "."},
		"mac cut":          {"Authorization", "Bearer " + g.token[:len(g.token)-4]},
		"mac longer":       {"Authorization", "Bearer " + g.token + "AAAA"},
		"other payload":    {"Authorization", "Bearer " + base64.RawURLEncoding.EncodeToString(text) + "." + mac},
		"others' payload":  {"Authorization", "Bearer " + other + "." + mac},
		"two":              {"Authorization", "Bearer " + g.token, "Authorization", "Bearer " + g.token},
		"the key's secret": {"Authorization", "Bearer " + mine.Secret},
	} {
		for _, path := range []string{"/iceberg/v1/config", "/iceberg/v1/namespaces", "/iceberg/v1/nothing", "/iceberg/v1/namespaces/us-east-1/tables/" + idA} {
			a := g.do("GET", path, "", headers...)
			if a.status != 401 || a.failure(t) != "NotAuthorizedException" || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: %s: %d %s", name, path, a.status, a.body)
			}
		}
	}
	if a := g.do("DELETE", "/iceberg/v1/namespaces/us-east-1", ""); a.status != 401 {
		t.Errorf("a write without token: %d", a.status)
	}
	if a := g.do("GET", "/iceberg/v1/namespaces", "", "Authorization", "bearer "+g.token); a.status != 200 {
		t.Errorf("the scheme's case: %d %s", a.status, a.body)
	}
	g.now = g.now.Add(tokenLife - time.Second)
	if a := g.get("GET", "/iceberg/v1/namespaces", ""); a.status != 200 {
		t.Errorf("in its last second: %d %s", a.status, a.body)
	}
	g.now = g.now.Add(time.Second)
	if a := g.get("GET", "/iceberg/v1/namespaces", ""); a.status != statusExpired || a.failure(t) != "AuthenticationTimeoutException" {
		t.Errorf("past its time: %d %s", a.status, a.body)
	}
	g.token = g.login(mine)
	*g.keys = keys{theirs}
	if a := g.get("GET", "/iceberg/v1/namespaces", ""); a.status != 401 {
		t.Errorf("after its key: %d %s", a.status, a.body)
	}
	moved := mine
	moved.Account = theirs.Account
	*g.keys = keys{moved}
	if a := g.get("GET", "/iceberg/v1/namespaces", ""); a.status != 401 {
		t.Errorf("the key is another account's now: %d %s", a.status, a.body)
	}
}

// A token that was got while the clock ran ahead ends when the clock is set right; one of a moment before a small step back holds.
func TestTokenOfAWrongClock(t *testing.T) {
	g := newRig(t)
	right := g.now
	for ahead, want := range map[time.Duration]int{time.Minute: 200, 6 * time.Minute: statusExpired, 400 * 24 * time.Hour: statusExpired} {
		g.now = right.Add(ahead)
		g.token = g.login(mine)
		if a := g.get("GET", "/iceberg/v1/namespaces", ""); a.status != 200 {
			t.Errorf("%s ahead: %d %s", ahead, a.status, a.body)
		}
		g.now = right
		if a := g.get("GET", "/iceberg/v1/namespaces", ""); a.status != want {
			t.Errorf("%s ahead, and set right: %d %s", ahead, a.status, a.body)
		}
	}
}

// A token of a server with another secret is no token here.
func TestForeignToken(t *testing.T) {
	g := newRig(t)
	c, err := New(Config{TokenKey: []byte(strings.Repeat("x", 32)), Keys: g.keys})
	if err != nil {
		t.Fatal(err)
	}
	if g.token, err = c.seal(claims{mine.ID, mine.Account, g.now.Unix(), g.now.Add(time.Hour).Unix()}); err != nil {
		t.Fatal(err)
	}
	if a := g.get("GET", "/iceberg/v1/config", ""); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if _, err := New(Config{TokenKey: make([]byte, 31)}); err == nil {
		t.Error("a short token key")
	}
}

func TestGrants(t *testing.T) {
	g := newRig(t)
	with := func(v url.Values, pairs ...string) url.Values {
		out := url.Values{}
		for k, list := range v {
			out[k] = list
		}
		for i := 0; i < len(pairs); i += 2 {
			if out.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
				out.Del(pairs[i])
			}
		}
		return out
	}
	basic := func(id, secret string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}
	}
	full := credentials(mine)
	bare := url.Values{"grant_type": {"client_credentials"}}
	renew := func(token string) url.Values {
		return url.Values{"grant_type": {grantExchange}, "subject_token": {token}, "subject_token_type": {typeAccessToken}}
	}
	g.now = g.now.Add(2 * time.Hour) // the token has expired
	for name, a := range map[string]answer{
		"form":                            g.form(tokens, full),
		"beside a bearer token":           g.form(tokens, full, "Authorization", "Bearer "+g.token),
		"basic, as Iceberg's Java writes": g.form(tokens, bare, basic(mine.ID, mine.Secret)...),
		"basic, as the RFC says":          g.form(tokens, bare, basic(url.QueryEscape(mine.ID), url.QueryEscape(mine.Secret))...),
		"renewed with basic":              g.form(tokens, renew(g.token), basic(mine.ID, mine.Secret)...),
		"renewed with the form":           g.form(tokens, with(renew(g.token), "client_id", mine.ID, "client_secret", mine.Secret)),
		"renewed with another":            g.form(tokens, renew(g.login(mine)), "Authorization", "Bearer "+g.login(mine)),
		"charset":                         g.do("POST", tokens, full.Encode(), "Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
	} {
		token := g.granted(a)
		if b := g.do("GET", "/iceberg/v1/namespaces", "", "Authorization", "Bearer "+token); b.status != 200 {
			t.Errorf("%s: the token opens nothing: %d %s", name, b.status, b.body)
		}
	}
	twice := with(full)
	twice["client_id"] = []string{mine.ID, theirs.ID}
	for name, c := range map[string]struct {
		a      answer
		status int
		code   string
	}{
		"wrong secret":              {g.form(tokens, with(full, "client_secret", theirs.Secret)), 401, "invalid_client"},
		"no secret":                 {g.form(tokens, with(full, "client_secret", "")), 401, "invalid_client"},
		"unknown key":               {g.form(tokens, with(full, "client_id", "AKIANOBODYNOBODYNOBO")), 401, "invalid_client"},
		"no key":                    {g.form(tokens, bare), 401, "invalid_client"},
		"wrong secret, basic":       {g.form(tokens, bare, basic(mine.ID, "x")...), 401, "invalid_client"},
		"broken escape, basic":      {g.form(tokens, bare, basic(mine.ID, "%zz")...), 400, "invalid_request"},
		"secret in the query":       {g.form(tokens+"?"+full.Encode(), bare), 401, "invalid_client"},
		"other grant":               {g.form(tokens, with(full, "grant_type", "password")), 400, "unsupported_grant_type"},
		"no grant":                  {g.form(tokens, with(full, "grant_type", "")), 400, "unsupported_grant_type"},
		"two ids":                   {g.form(tokens, twice), 400, "invalid_request"},
		"no form":                   {g.do("POST", tokens, full.Encode(), "Content-Type", "application/json"), 400, "invalid_request"},
		"form too long":             {g.form(tokens, with(full, "x", strings.Repeat("x", maxBody))), 400, "invalid_request"},
		"get":                       {g.do("GET", tokens+"?"+full.Encode(), ""), 405, "invalid_request"},
		"renewed, expired":          {g.form(tokens, renew(g.token), "Authorization", "Bearer "+g.token), 400, "invalid_grant"},
		"renewed, wrong secret":     {g.form(tokens, renew(g.login(mine)), basic(mine.ID, "x")...), 401, "invalid_client"},
		"renewed, no secret":        {g.form(tokens, with(renew(g.login(mine)), "client_id", mine.ID)), 401, "invalid_client"},
		"renewed, no token of ours": {g.form(tokens, renew("x.y")), 400, "invalid_grant"},
		"renewed, no token":         {g.form(tokens, renew("")), 400, "invalid_grant"},
	} {
		var e struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if err := json.Unmarshal([]byte(c.a.body), &e); err != nil || c.a.status != c.status || e.Error != c.code || e.Description == "" {
			t.Errorf("%s: %d %s, want %d %s", name, c.a.status, c.a.body, c.status, c.code)
		}
		if (c.a.status == http.StatusUnauthorized) != (c.a.header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: %v", name, c.a.header)
		}
	}
	if strings.Contains(g.log.String(), mine.Secret) {
		t.Error("the log has a secret")
	}
}

// Exchanges for which the key is not shown again end after 36 hours.
func TestChainEnds(t *testing.T) {
	g := newRig(t)
	renew := func() answer {
		return g.form(tokens, url.Values{"grant_type": {grantExchange}, "subject_token": {g.token}, "subject_token_type": {typeAccessToken}})
	}
	end := g.now.Add(chainLife)
	for i := range 40 { // each token is exchanged five minutes before its end
		a := renew()
		var out grant
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 {
			t.Fatalf("exchange %d: %d %s", i, a.status, a.body)
		}
		if left := end.Sub(g.now); out.ExpiresIn != int64(min(tokenLife, left)/time.Second) {
			t.Fatalf("exchange %d holds for %d s, with %s left", i, out.ExpiresIn, left)
		}
		g.token = out.AccessToken
		g.now = g.now.Add(55 * time.Minute)
	}
	g.now = end.Add(-time.Second)
	if a := g.get("GET", "/iceberg/v1/namespaces", ""); a.status != 200 {
		t.Errorf("in its last second: %d %s", a.status, a.body)
	}
	g.now = end
	if a := g.get("GET", "/iceberg/v1/namespaces", ""); a.status != statusExpired {
		t.Errorf("after 36 hours: %d %s", a.status, a.body)
	}
	if a := renew(); a.status != 400 || !strings.Contains(a.body, "invalid_grant") {
		t.Errorf("exchanged after 36 hours: %d %s", a.status, a.body)
	}
	g.token = g.login(mine)
	*g.keys = keys{theirs}
	if a := renew(); a.status != 400 || !strings.Contains(a.body, "invalid_grant") {
		t.Errorf("exchanged after its key: %d %s", a.status, a.body)
	}
}

// Whatever is sent as a token, only what seal made opens.
func FuzzUnseal(f *testing.F) {
	c, err := New(Config{TokenKey: make([]byte, 32)})
	if err != nil {
		f.Fatal(err)
	}
	good, err := c.seal(claims{"AKIA", "111122223333", 1, 2})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good + "=")
	f.Add(".")
	f.Add("e30.AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if cl, err := c.unseal(token); err == nil && token != good {
			t.Errorf("%q opens: %+v", token, cl)
		}
	})
}
