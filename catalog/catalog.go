// Package catalog serves the tables of federated event data stores to other engines (Trino, Spark, PyIceberg, DuckDB) as a read-only Iceberg REST
// catalog: the part of Apache Iceberg's open-api/rest-catalog-open-api.yaml that a reader needs. Readers open the data files themselves; the
// catalog hands out no credentials for them.
package catalog

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/meta"
	"github.com/prometheus/client_golang/prometheus"
)

// Root is the path that the catalog is served under; clients are given it as the catalog's URI.
const Root = "/iceberg"

const (
	// maxBody bounds the body of a request, in bytes. Reports of a scan over many columns are the largest.
	maxBody = 1 << 20
	// bodyTime is how long a client may take over its body, and answerTime over the answer.
	bodyTime   = 30 * time.Second
	answerTime = time.Minute
)

// Stores tells which stores the catalog shows; *registry.Registry is one.
type Stores interface {
	// Federated lists the stores of an account, of every region, that the catalog shows.
	Federated(account string) []meta.EventDataStore
	// Readable lists the stores of every account and region that queries may read, federated or not.
	Readable() []meta.EventDataStore
}

// Tables gives the metadata of tables; *lake.Lake is one.
type Tables interface {
	// Metadata gives where the current metadata file of a store's table lies, and its text, or meta.ErrNotFound.
	Metadata(ctx context.Context, storeID string) (location string, text []byte, err error)
}

// Config is what a Catalog is made of.
type Config struct {
	Stores   Stores
	Tables   Tables
	Keys     access.Keys
	Engine   access.Key        // of the engine that runs Loch's own queries, which sees every store; without an ID there is none
	TokenKey []byte            // at least 32 secret bytes, from which the key of bearer tokens is derived; kept over restarts, so that tokens live on
	FileIO   map[string]string // how readers come at the data files, in Iceberg's property names: every client is told, so no secret belongs here
	Log      *slog.Logger
	Metrics  prometheus.Registerer // nil: metrics are counted and not exposed
	Now      func() time.Time      // nil: time.Now
}

// Catalog is an http.Handler for the paths below Root.
type Catalog struct {
	cfg     Config
	macKey  []byte
	metrics *metrics
}

// New makes a Catalog.
func New(c Config) (*Catalog, error) {
	if len(c.TokenKey) < 32 {
		return nil, errors.New("catalog: the token key has fewer than 32 bytes")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	// The token key seals paging tokens elsewhere: a key of our own keeps the two kinds of token apart.
	key, err := hkdf.Key(sha256.New, c.TokenKey, nil, "loch iceberg catalog bearer token", 32)
	if err != nil {
		return nil, err
	}
	return &Catalog{cfg: c, macKey: key, metrics: newMetrics(c.Metrics)}, nil
}

// endpoints are what the catalog answers, in the specification's notation. Clients that know the list refuse the rest (writes, views) by themselves.
var endpoints = []string{
	"GET /v1/{prefix}/namespaces",
	"GET /v1/{prefix}/namespaces/{namespace}",
	"HEAD /v1/{prefix}/namespaces/{namespace}",
	"GET /v1/{prefix}/namespaces/{namespace}/tables",
	"GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
	"HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
	"POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics",
}

// request is one authenticated request: what it asks for, and of whose tables.
type request struct {
	*http.Request
	account string
	engine  bool     // it comes from the engine that runs Loch's own queries
	path    []string // the decoded parts after /iceberg/v1
	query   url.Values
}

// ServeHTTP answers one request.
func (c *Catalog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control, now := http.NewResponseController(w), c.cfg.Now()
	// Deadlines are the clock's of the machine, whatever Now says.
	if err := errors.Join(control.SetReadDeadline(time.Now().Add(bodyTime)), control.SetWriteDeadline(time.Now().Add(answerTime))); err != nil && !errors.Is(err, http.ErrNotSupported) {
		c.cfg.Log.ErrorContext(r.Context(), "catalog: deadlines", "error", err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	path, err := split(r.URL)
	if err == nil && len(path) == 2 && path[0] == "oauth" && path[1] == "tokens" {
		key, status := c.serveToken(w, r, now)
		c.observe(r, "getToken", status, key, now)
		return
	}
	operation, status := "unknown", 0
	var answer any
	var who claims
	if err == nil {
		if who, err = c.authenticate(r, now); err == nil {
			operation, status, answer, err = c.route(&request{Request: r, account: who.Account, engine: c.isEngine(who.KeyID), path: path, query: r.URL.Query()})
		}
	}
	if err != nil {
		f := c.faultOf(r, err)
		status, answer = f.status, f.body()
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="iceberg"`)
		}
	}
	c.write(w, r, status, answer)
	c.observe(r, operation, status, who.KeyID, now)
}

// observe counts an answer and logs who got it; key is "" where nobody proved who they are.
func (c *Catalog) observe(r *http.Request, operation string, status int, key string, start time.Time) {
	c.metrics.count(operation, status)
	source, _, _ := net.SplitHostPort(r.RemoteAddr)
	c.cfg.Log.InfoContext(r.Context(), "catalog request", "operation", operation, "status", status, "method", r.Method, "path", short(r.URL.Path), "key", key, "source", source,
		"took", c.cfg.Now().Sub(start))
}

// split gives the decoded parts of a path after /iceberg/v1. A slash within a part is encoded, which the part "%2F" of a name survives.
func split(u *url.URL) ([]string, error) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), Root+"/v1/")
	if !ok {
		return nil, noSuchPath(u)
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		text, err := url.PathUnescape(p)
		if err != nil || text == "" {
			return nil, noSuchPath(u)
		}
		parts[i] = text
	}
	return parts, nil
}

// route finds what a request asks for and does it: the operation's name in the specification, the status and the answer, nil for none.
func (c *Catalog) route(r *request) (operation string, status int, answer any, err error) {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	p := r.path
	switch n := len(p); {
	case n == 1 && p[0] == "config" && read:
		answer, err = c.config(r)
		return "getConfig", http.StatusOK, answer, err
	case p[0] != "namespaces":
	case n == 1 && read:
		answer, err = c.listNamespaces(r)
		return "listNamespaces", http.StatusOK, answer, err
	case n == 2 && read:
		answer, err = c.namespace(r)
		return "loadNamespaceMetadata", found(r), answer, err
	case n == 3 && p[2] == "tables" && read:
		answer, err = c.listTables(r)
		return "listTables", http.StatusOK, answer, err
	case n == 4 && p[2] == "tables" && r.Method == http.MethodHead:
		_, err = c.find(r)
		return "tableExists", http.StatusNoContent, nil, err
	case n == 4 && p[2] == "tables" && read:
		answer, err = c.loadTable(r)
		return "loadTable", http.StatusOK, answer, err
	case n == 5 && p[2] == "tables" && p[4] == "metrics" && r.Method == http.MethodPost:
		return "reportMetrics", http.StatusNoContent, nil, c.report(r)
	case n == 3 && p[2] == "views" && read:
		_, err = c.namespace(r)
		return "listViews", http.StatusOK, tableList{Identifiers: []identifier{}}, err
	case n == 4 && p[2] == "views" && read:
		return "loadView", 0, nil, &fault{http.StatusNotFound, "NoSuchViewException", "View does not exist: " + p[1] + "." + p[3] + ". This catalog has no views."}
	}
	if read {
		return "unknown", 0, nil, noSuchPath(r.URL)
	}
	return "refused", 0, nil, &fault{http.StatusNotAcceptable, "UnsupportedOperationException",
		"This catalog only reads: events enter and leave event data stores through CloudTrail's API. There is no " + r.Method + " " + short(r.URL.Path) + "."}
}

// found is the status of a HEAD or GET that found its object.
func found(r *request) int {
	if r.Method == http.MethodHead {
		return http.StatusNoContent
	}
	return http.StatusOK
}
