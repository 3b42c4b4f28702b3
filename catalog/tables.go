package catalog

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/lochlake/loch/meta"
)

// defaultPage and mostPage are the rows of a page where the client names no number, and at most.
const (
	defaultPage = 100
	mostPage    = 1000
)

type configuration struct {
	Defaults  map[string]string `json:"defaults"`
	Overrides map[string]string `json:"overrides"`
	Endpoints []string          `json:"endpoints"`
}

// config answers what a client asks first. The warehouse may have any name, since some clients cannot do without one; but one that names an account
// must name that of the token, lest somebody read one account's tables for another's.
func (c *Catalog) config(r *request) (*configuration, error) {
	if w := r.query.Get("warehouse"); account.MatchString(w) && w != r.account {
		return nil, &fault{http.StatusNotFound, "NoSuchWarehouseException", "The bearer token does not open the account " + w + "."}
	}
	defaults := c.cfg.FileIO
	if defaults == nil {
		defaults = map[string]string{}
	}
	return &configuration{defaults, map[string]string{}, endpoints}, nil
}

var account = regexp.MustCompile(`^\d{12}$`)

type namespaceList struct {
	Namespaces [][]string `json:"namespaces"`
	Next       string     `json:"next-page-token,omitempty"`
}

type namespace struct {
	Namespace  []string          `json:"namespace"`
	Properties map[string]string `json:"properties"`
}

type identifier struct {
	Namespace []string `json:"namespace"`
	Name      string   `json:"name"`
}

type tableList struct {
	Identifiers []identifier `json:"identifiers"`
	Next        string       `json:"next-page-token,omitempty"`
}

type loadResult struct {
	Location string            `json:"metadata-location"`
	Metadata json.RawMessage   `json:"metadata"`
	Config   map[string]string `json:"config"`
}

// EngineNamespace is the one namespace that the engine which runs Loch's own queries sees: all stores, whose IDs are each other's in no account and region.
const EngineNamespace = "stores"

// visible gives the stores that a request may see.
func (c *Catalog) visible(r *request) []meta.EventDataStore {
	if r.engine {
		return c.cfg.Stores.Readable()
	}
	return c.cfg.Stores.Federated(r.account)
}

// namespaceOf is where a request sees a store.
func (r *request) namespaceOf(s *meta.EventDataStore) string {
	if r.engine {
		return EngineNamespace
	}
	return s.Region
}

// listNamespaces lists the regions in which the account has federated stores. Regions have nothing below them but tables.
func (c *Catalog) listNamespaces(r *request) (*namespaceList, error) {
	out := &namespaceList{Namespaces: [][]string{}}
	var regions []string
	for _, s := range c.visible(r) {
		regions = append(regions, r.namespaceOf(&s))
	}
	slices.Sort(regions)
	regions = slices.Compact(regions)
	if parent := r.query.Get("parent"); parent != "" {
		if !slices.Contains(regions, parent) {
			return nil, noSuchNamespace(parent)
		}
		return out, nil
	}
	names, next, err := page(r, regions)
	for _, n := range names {
		out.Namespaces = append(out.Namespaces, []string{n})
	}
	out.Next = next
	return out, err
}

// stores gives the federated stores of the namespace that the path names. One without any does not exist.
func (c *Catalog) stores(r *request) ([]meta.EventDataStore, error) {
	in := slices.DeleteFunc(slices.Clone(c.visible(r)), func(s meta.EventDataStore) bool { return r.namespaceOf(&s) != r.path[1] })
	if len(in) == 0 {
		return nil, noSuchNamespace(r.path[1])
	}
	return in, nil
}

func noSuchNamespace(name string) *fault {
	// Levels of a namespace come separated by the unit separator.
	return &fault{http.StatusNotFound, "NoSuchNamespaceException", "Namespace does not exist: " + short(strings.ReplaceAll(name, "\x1f", ".")) + ". Namespaces are the regions that have federated event data stores."}
}

func (c *Catalog) namespace(r *request) (any, error) {
	if _, err := c.stores(r); err != nil {
		return nil, err
	}
	if r.Method == http.MethodHead {
		return nil, nil
	}
	return &namespace{[]string{r.path[1]}, map[string]string{}}, nil
}

// listTables shows every federated store of a region once, under its ID.
func (c *Catalog) listTables(r *request) (*tableList, error) {
	in, err := c.stores(r)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(in))
	for i := range in {
		ids[i] = in[i].ID
	}
	slices.Sort(ids)
	ids, next, err := page(r, ids)
	out := &tableList{Identifiers: make([]identifier, len(ids)), Next: next}
	for i, id := range ids {
		out.Identifiers[i] = identifier{[]string{r.path[1]}, id}
	}
	return out, err
}

// plain are the names of stores by which their tables can be loaded: with quotes at most, and never taken for an ID or a part of a path.
var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// find gives the federated store that the path names: by its ID, or by its name where that is plain and no other's in the region. Letters' case does
// not count, because engines fold it; names that differ only in it are therefore no one's.
func (c *Catalog) find(r *request) (*meta.EventDataStore, error) {
	name := r.path[3]
	missing := &fault{http.StatusNotFound, "NoSuchTableException", "Table does not exist: " + short(r.path[1]+"."+name) + ". Tables are the federated event data stores of a region, by ID or name."}
	in, err := c.stores(r)
	if err != nil { // no such namespace
		return nil, missing
	}
	if id, err := uuid.Parse(name); err == nil {
		for i := range in {
			if in[i].ID == id.String() && len(name) == len(in[i].ID) {
				return &in[i], nil
			}
		}
		return nil, missing
	}
	var named []*meta.EventDataStore
	for i := range in {
		if !r.engine && plain.MatchString(in[i].Name) && strings.EqualFold(in[i].Name, name) {
			named = append(named, &in[i])
		}
	}
	if len(named) > 1 {
		missing.message = fmt.Sprintf("Table is ambiguous: %s.%s is the name of %d event data stores, in other letters' case. Use the ID.", short(r.path[1]), short(name), len(named))
	}
	if len(named) != 1 {
		return nil, missing
	}
	return named[0], nil
}

func (c *Catalog) loadTable(r *request) (*loadResult, error) {
	s, err := c.find(r)
	if err != nil {
		return nil, err
	}
	mode := r.query.Get("snapshots")
	if mode != "" && mode != "all" && mode != "refs" {
		return nil, badRequest("snapshots must be all or refs, not %q.", short(mode))
	}
	location, text, err := c.cfg.Tables.Metadata(r.Context(), s.ID)
	if errors.Is(err, meta.ErrNotFound) { // removed meanwhile
		return nil, &fault{http.StatusNotFound, "NoSuchTableException", "Table does not exist: " + s.Region + "." + s.ID}
	}
	if err == nil && mode == "refs" {
		text, err = onlyRefs(text)
	}
	return &loadResult{location, text, map[string]string{}}, err
}

// onlyRefs leaves of the snapshots in a table's metadata those that a branch or tag names.
func onlyRefs(text []byte) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	type snapshot struct {
		ID int64 `json:"snapshot-id"`
	}
	var head struct {
		Current   *int64              `json:"current-snapshot-id"`
		Refs      map[string]snapshot `json:"refs"`
		Snapshots []json.RawMessage   `json:"snapshots"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	named := map[int64]bool{}
	if head.Current != nil {
		named[*head.Current] = true
	}
	for _, ref := range head.Refs {
		named[ref.ID] = true
	}
	kept := []json.RawMessage{}
	for _, raw := range head.Snapshots {
		var s snapshot
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		if named[s.ID] {
			kept = append(kept, raw)
		}
	}
	snapshots, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	all["snapshots"] = snapshots
	return json.Marshal(all)
}

// report takes an engine's report of a scan, which it sends whether it is wanted or not, and forgets it.
func (c *Catalog) report(r *request) error {
	if _, err := c.find(r); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, r.Body)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &fault{http.StatusRequestEntityTooLarge, "BadRequestException", fmt.Sprintf("A report may have %d bytes.", maxBody)}
	}
	return err
}

// page gives the names of one page, of sorted ones, and the token of the next, "" where there is none. A client that names no token gets everything
// (the specification's rule for those that cannot page).
func page(r *request, names []string) ([]string, string, error) {
	if !r.query.Has("pageToken") {
		return names, "", nil
	}
	size := defaultPage
	if text := r.query.Get("pageSize"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, "", badRequest("pageSize must be a number from 1, not %q.", short(text))
		}
		size = min(n, mostPage)
	}
	last, err := base64.RawURLEncoding.Strict().DecodeString(r.query.Get("pageToken"))
	if err != nil {
		return nil, "", badRequest("pageToken is not one of this server's.")
	}
	at, had := slices.BinarySearch(names, string(last))
	if had {
		at++
	}
	names = names[at:]
	if len(names) <= size {
		return names, "", nil
	}
	return names[:size], base64.RawURLEncoding.EncodeToString([]byte(names[size-1])), nil
}
