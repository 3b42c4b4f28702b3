package catalog

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/meta"
)

// keys are two keys of different accounts. A slice, so that a test can take one away.
type keys []access.Key

func (k *keys) Lookup(_ context.Context, id string) (access.Key, error) {
	for _, key := range *k {
		if key.ID == id {
			return key, nil
		}
	}
	return access.Key{}, access.ErrNoKey
}

var (
	mine   = access.Key{ID: "AKIAMINEMINEMINEMINE", Secret: "a+b/c" + strings.Repeat("s", 35), Account: "111122223333"}
	ours   = access.Key{ID: access.EngineID, Secret: strings.Repeat("e", 40)}
	theirs = access.Key{ID: "AKIATHEIRSTHEIRSTHEI", Secret: strings.Repeat("t", 40), Account: "444455556666"}
)

const (
	idA = "0a000000-0000-4000-8000-00000000000a"
	idB = "bb000000-0000-4000-8000-00000000000b"
	idC = "cc000000-0000-4000-8000-00000000000c"
	idD = "dd000000-0000-4000-8000-00000000000d"
	idE = "ee000000-0000-4000-8000-00000000000e"

	idHidden = "11000000-0000-4000-8000-000000000011"
)

// stores by account; the registry decides what is federated.
type stores map[string][]meta.EventDataStore

func (s stores) Federated(account string) []meta.EventDataStore { return s[account] }

// Readable has one store more, which is not federated.
func (s stores) Readable() []meta.EventDataStore {
	hidden := storeOf(mine, "us-east-1", idHidden, "hidden")
	return slices.Concat(s[mine.Account], s[theirs.Account], []meta.EventDataStore{hidden})
}

type tables map[string]string

func (m tables) Metadata(_ context.Context, id string) (string, []byte, error) {
	switch text := m[id]; text {
	case "":
		return "", nil, fmt.Errorf("store %s: %w", id, meta.ErrNotFound)
	case "broken":
		return "", nil, errors.New("the disk s3cret is gone")
	default:
		return "file:///lake/" + id + "/metadata/1.metadata.json", []byte(text), nil
	}
}

func storeOf(key access.Key, region, id, name string) meta.EventDataStore {
	return meta.EventDataStore{Scope: meta.Scope{Account: key.Account, Region: region}, ID: id, Name: name}
}

const metadata = `{"format-version":2,"current-snapshot-id":3051729675574597004,"refs":{"main":{"snapshot-id":3051729675574597004,"type":"branch"},"old":{"snapshot-id":1,"type":"tag"}},
	"snapshots":[{"snapshot-id":1,"timestamp-ms":1},{"snapshot-id":2},{"snapshot-id":3051729675574597004,"summary":{"operation":"append"}}],"schemas":[{"fields":[]}]}`

type rig struct {
	t     *testing.T
	http  *httptest.Server
	keys  *keys
	now   time.Time
	log   *bytes.Buffer
	token string

	served chan struct{} // told when a request is done with, which is after its answer: then nothing reads the clock any more, or writes to the log
}

func newRig(t *testing.T) *rig {
	g := &rig{t: t, keys: &keys{mine, theirs}, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), log: new(bytes.Buffer), served: make(chan struct{}, 1)}
	c, err := New(Config{Keys: g.keys, Engine: ours, TokenKey: bytes.Repeat([]byte{7}, 32), Now: func() time.Time { return g.now }, Log: slog.New(slog.NewTextHandler(g.log, nil)),
		FileIO: map[string]string{"s3.region": "us-east-1"},
		Stores: stores{
			mine.Account: {storeOf(mine, "us-east-1", idA, "audit_logs"), storeOf(mine, "us-east-1", idB, "Twice"), storeOf(mine, "us-east-1", idC, "tWICE"),
				storeOf(mine, "eu-west-1", idD, "not.plain"), storeOf(mine, "us-east-1", idE, idA)},
			theirs.Account: {storeOf(theirs, "ap-south-1", "ff000000-0000-4000-8000-00000000000f", "theirs")},
		},
		Tables: tables{idHidden: metadata, idA: metadata, idB: `{"format-version":2,"current-snapshot-id":null}`, idC: "broken"}})
	if err != nil {
		t.Fatal(err)
	}
	g.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.ServeHTTP(w, r)
		g.served <- struct{}{}
	}))
	t.Cleanup(g.http.Close)
	g.token = g.login(mine)
	return g
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (g *rig) do(method, path, body string, header ...string) answer {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, g.http.URL+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	<-g.served
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// get makes a call with the rig's token.
func (g *rig) get(method, path, body string) answer {
	g.t.Helper()
	return g.do(method, path, body, "Authorization", "Bearer "+g.token)
}

func (g *rig) form(path string, values url.Values, header ...string) answer {
	g.t.Helper()
	return g.do("POST", path, values.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

func credentials(k access.Key) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {k.ID}, "client_secret": {k.Secret}, "scope": {"catalog"}}
}

func (g *rig) login(k access.Key) string {
	g.t.Helper()
	return g.granted(g.form("/iceberg/v1/oauth/tokens", credentials(k)))
}

func (g *rig) granted(a answer) string {
	g.t.Helper()
	var out struct {
		AccessToken, TokenType string
		ExpiresIn              int
	}
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(a.body), &fields); a.status != 200 || err != nil {
		g.t.Fatalf("%d %s", a.status, a.body)
	}
	out.AccessToken, _ = fields["access_token"].(string)
	if fields["token_type"] != "bearer" || fields["expires_in"] != 3600.0 || fields["issued_token_type"] != typeAccessToken || out.AccessToken == "" || a.header.Get("Cache-Control") != "no-store" {
		g.t.Fatalf("%v %v", a.header, fields)
	}
	return out.AccessToken
}

// failure gives the type of an error answer, after a look at its form.
func (a answer) failure(t *testing.T) string {
	t.Helper()
	var e struct {
		Error struct {
			Message, Type string
			Code          int
		}
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Error.Code != a.status || e.Error.Message == "" || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("no Iceberg error: %d %v %s", a.status, a.header, a.body)
	}
	return e.Error.Type
}

// TestReads holds every answer of a reading catalog against what the specification says of it.
func TestReads(t *testing.T) {
	g := newRig(t)
	ns := "/iceberg/v1/namespaces/us-east-1"
	noMetadata := `{"metadata-location":"file:///lake/` + idA + `/metadata/1.metadata.json","config":{},"metadata":`
	token := func(last string) string { return base64.RawURLEncoding.EncodeToString([]byte(last)) }
	id := func(ids ...string) string {
		var parts []string
		for _, s := range ids {
			parts = append(parts, `{"namespace":["us-east-1"],"name":"`+s+`"}`)
		}
		return strings.Join(parts, ",")
	}
	for _, c := range []struct {
		method, path string
		status       int
		want         string // JSON, an error's type, or "" for no body
	}{
		{"GET", "/iceberg/v1/namespaces", 200, `{"namespaces":[["eu-west-1"],["us-east-1"]]}`},
		{"GET", "/iceberg/v1/namespaces?pageToken=&pageSize=1", 200, `{"namespaces":[["eu-west-1"]],"next-page-token":"` + token("eu-west-1") + `"}`},
		{"GET", "/iceberg/v1/namespaces?pageSize=1&pageToken=" + token("eu-west-1"), 200, `{"namespaces":[["us-east-1"]]}`},
		{"GET", "/iceberg/v1/namespaces?pageToken=", 200, `{"namespaces":[["eu-west-1"],["us-east-1"]]}`},
		{"GET", "/iceberg/v1/namespaces?parent=us-east-1", 200, `{"namespaces":[]}`},
		{"GET", "/iceberg/v1/namespaces?parent=nowhere", 404, "NoSuchNamespaceException"},
		{"GET", "/iceberg/v1/namespaces?pageToken=&pageSize=0", 400, "BadRequestException"},
		{"GET", "/iceberg/v1/namespaces?pageToken=&pageSize=x", 400, "BadRequestException"},
		{"GET", "/iceberg/v1/namespaces?pageToken=!", 400, "BadRequestException"},
		{"GET", ns, 200, `{"namespace":["us-east-1"],"properties":{}}`},
		{"HEAD", ns, 204, ""},
		{"GET", "/iceberg/v1/namespaces/ap-south-1", 404, "NoSuchNamespaceException"}, // another account's
		{"HEAD", "/iceberg/v1/namespaces/nowhere", 404, ""},
		{"GET", "/iceberg/v1/namespaces/us-east-1%1Fdeeper", 404, "NoSuchNamespaceException"},
		{"GET", ns + "/tables", 200, `{"identifiers":[` + id(idA, idB, idC, idE) + `]}`},
		{"GET", ns + "/tables?pageToken=&pageSize=3", 200, `{"identifiers":[` + id(idA, idB, idC) + `],"next-page-token":"` + token(idC) + `"}`},
		{"GET", ns + "/tables?pageSize=3&pageToken=" + token(idC), 200, `{"identifiers":[` + id(idE) + `]}`},
		{"GET", ns + "/tables?pageSize=3&pageToken=" + token("bc"), 200, `{"identifiers":[` + id(idC, idE) + `]}`}, // that table is gone
		{"GET", ns + "/tables?pageToken=" + token("z"), 200, `{"identifiers":[]}`},
		{"GET", "/iceberg/v1/namespaces/nowhere/tables", 404, "NoSuchNamespaceException"},
		{"GET", ns + "/tables/" + idA, 200, noMetadata + metadata + `}`},
		{"GET", ns + "/tables/" + strings.ToUpper(idA) + "?snapshots=all", 200, noMetadata + metadata + `}`},
		{"GET", ns + "/tables/audit_logs", 200, noMetadata + metadata + `}`},
		{"GET", ns + "/tables/AUDIT_LOGS?snapshots=refs", 200, noMetadata + strings.Replace(metadata, `{"snapshot-id":2},`, "", 1) + `}`},
		{"GET", ns + "/tables/" + idB + "?snapshots=refs", 200, `{"metadata-location":"file:///lake/` + idB + `/metadata/1.metadata.json","config":{},"metadata":{"format-version":2,"current-snapshot-id":null,"snapshots":[]}}`},
		{"GET", ns + "/tables/" + idA + "?snapshots=some", 400, "BadRequestException"},
		{"HEAD", ns + "/tables/audit_logs", 204, ""},
		{"HEAD", ns + "/tables/none", 404, ""},
		{"GET", ns + "/tables/none", 404, "NoSuchTableException"},
		{"GET", ns + "/tables/twice", 404, "NoSuchTableException"},  // two stores' name, but for case
		{"GET", ns + "/tables/" + idD, 404, "NoSuchTableException"}, // of another region
		{"GET", ns + "/tables/ff000000-0000-4000-8000-00000000000f", 404, "NoSuchTableException"},
		{"GET", ns + "/tables/%7B" + idA + "%7D", 404, "NoSuchTableException"}, // another writing of the UUID
		{"GET", ns + "/tables/" + idE, 404, "NoSuchTableException"},            // its table is gone
		{"GET", ns + "/tables/" + idC, 500, "InternalServerError"},
		{"GET", "/iceberg/v1/namespaces/eu-west-1/tables/not.plain", 404, "NoSuchTableException"},
		{"GET", "/iceberg/v1/namespaces/nowhere/tables/x", 404, "NoSuchTableException"},
		{"POST", ns + "/tables/" + idA + "/metrics", 204, ""},
		{"POST", ns + "/tables/none/metrics", 404, "NoSuchTableException"},
		{"GET", ns + "/views", 200, `{"identifiers":[]}`},
		{"GET", ns + "/views/audit_logs", 404, "NoSuchViewException"},
		{"HEAD", ns + "/views/audit_logs", 404, ""},
		{"GET", "/iceberg/v1/namespaces/nowhere/views", 404, "NoSuchNamespaceException"},
		{"GET", "/iceberg/v1/nothing", 404, "NotFoundException"},
		{"GET", "/iceberg/v2/config", 404, "NotFoundException"},
		{"GET", "/iceberg/v1/namespaces/us-east-1/tables/", 404, "NotFoundException"},
		{"GET", ns + "/tables/" + idA + "/credentials", 404, "NotFoundException"},
	} {
		a := g.get(c.method, c.path, `{}`)
		switch {
		case a.status != c.status:
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		case c.want == "":
			if a.body != "" {
				t.Errorf("%s %s: %s", c.method, c.path, a.body)
			}
		case c.status < 300:
			same(t, c.path, a.body, c.want)
		case a.failure(t) != c.want:
			t.Errorf("%s %s: %s, want %s", c.method, c.path, a.body, c.want)
		}
		if strings.Contains(a.body, "s3cret") {
			t.Errorf("%s tells what went wrong inside: %s", c.path, a.body)
		}
	}
	if !strings.Contains(g.log.String(), "s3cret") {
		t.Error("the log does not tell what went wrong inside")
	}
	g.token = g.login(theirs)
	same(t, "theirs", g.get("GET", "/iceberg/v1/namespaces", "").body, `{"namespaces":[["ap-south-1"]]}`)
	if a := g.get("GET", ns+"/tables/"+idA, ""); a.status != 404 {
		t.Errorf("another account reads a table: %d", a.status)
	}
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(got))
	if err := dec.Decode(&g); err != nil || !reflect.DeepEqual(g, w) {
		t.Errorf("%s: %v\ngot  %s\nwant %s", what, err, got, want)
	}
	if strings.Contains(want, "3051729675574597004") && !strings.Contains(got, "3051729675574597004") {
		t.Errorf("%s: a snapshot's ID lost digits: %s", what, got)
	}
}

func TestConfig(t *testing.T) {
	g := newRig(t)
	for _, warehouse := range []string{"", "?warehouse=", "?warehouse=s3%3A%2F%2Fbucket%2Fprefix", "?warehouse=" + mine.Account} {
		a := g.get("GET", "/iceberg/v1/config"+warehouse, "")
		var out configuration
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 || out.Overrides == nil || !reflect.DeepEqual(out.Defaults, map[string]string{"s3.region": "us-east-1"}) {
			t.Errorf("%s: %d %s", warehouse, a.status, a.body)
		}
		if !slices.Contains(out.Endpoints, "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}") || slices.ContainsFunc(out.Endpoints, func(e string) bool { return strings.Contains(e, "view") }) {
			t.Errorf("endpoints: %v", out.Endpoints)
		}
	}
	if a := g.get("GET", "/iceberg/v1/config?warehouse="+theirs.Account, ""); a.status != 404 || a.failure(t) != "NoSuchWarehouseException" {
		t.Errorf("another account's warehouse: %d %s", a.status, a.body)
	}
}

// Nothing can be written, whatever the client tries.
func TestWritesAreRefused(t *testing.T) {
	g := newRig(t)
	table := "/iceberg/v1/namespaces/us-east-1/tables/" + idA
	for _, c := range [][2]string{
		{"POST", "/iceberg/v1/namespaces"}, {"DELETE", "/iceberg/v1/namespaces/us-east-1"}, {"POST", "/iceberg/v1/namespaces/us-east-1/properties"},
		{"POST", "/iceberg/v1/namespaces/us-east-1/tables"}, {"POST", "/iceberg/v1/namespaces/us-east-1/register"}, {"POST", table}, {"DELETE", table + "?purgeRequested=true"},
		{"PUT", table}, {"PATCH", table}, {"POST", table + "/plan"}, {"POST", "/iceberg/v1/tables/rename"}, {"POST", "/iceberg/v1/transactions/commit"},
		{"POST", "/iceberg/v1/namespaces/us-east-1/views"}, {"DELETE", "/iceberg/v1/namespaces/us-east-1/views/v"}, {"POST", "/iceberg/v1/config"}, {"DELETE", table + "/metrics"},
	} {
		a := g.get(c[0], c[1], `{"updates":[]}`)
		if a.status != http.StatusNotAcceptable || a.failure(t) != "UnsupportedOperationException" || !strings.Contains(a.body, "only reads") {
			t.Errorf("%v: %d %s", c, a.status, a.body)
		}
	}
	if a := g.get("POST", table+"/metrics", strings.Repeat("x", maxBody+1)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a report too long: %d", a.status)
	}
}

// TestEngine: the key of the engine that runs Loch's own queries opens one namespace with every store, federated or not, by ID alone; other keys see nothing of it.
func TestEngine(t *testing.T) {
	g := newRig(t)
	g.token = g.login(ours)
	if a := g.get("GET", "/iceberg/v1/namespaces", ""); !strings.Contains(a.body, `[["stores"]]`) {
		t.Errorf("namespaces: %d %s", a.status, a.body)
	}
	a := g.get("GET", "/iceberg/v1/namespaces/stores/tables", "")
	for _, id := range []string{idA, idB, idHidden, "ff000000-0000-4000-8000-00000000000f"} {
		if !strings.Contains(a.body, id) {
			t.Errorf("tables lack %s: %d %s", id, a.status, a.body)
		}
	}
	for path, status := range map[string]int{"stores/tables/" + idHidden: 200, "stores/tables/" + idA: 200, "stores/tables/audit_logs": 404, "us-east-1/tables/" + idA: 404,
		"stores/views/" + idA: 404, "us-east-1": 404} {
		if a := g.get("GET", "/iceberg/v1/namespaces/"+path, ""); a.status != status {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	g.token = g.login(mine)
	for _, path := range []string{"stores", "stores/tables/" + idA, "us-east-1/tables/" + idHidden} {
		if a := g.get("GET", "/iceberg/v1/namespaces/"+path, ""); a.status != 404 {
			t.Errorf("another key: %s: %d %s", path, a.status, a.body)
		}
	}
}
