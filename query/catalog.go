package query

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/dialect"
	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/meta"
)

var (
	storeARN = regexp.MustCompile(`\Aarn:aws[a-z-]*:cloudtrail:([a-z0-9-]+):([0-9]{12}):eventdatastore/([0-9a-fA-F-]{36})\z`)
	storeID  = regexp.MustCompile(`\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\z`)
)

// Store finds an event data store of the scope by its ARN or by its ID, as requests name it. It is EventDataStoreARNInvalidException where ref is
// neither, EventDataStoreNotFoundException where there is none that the caller may know of, and InactiveEventDataStoreException where it
// waits for its deletion.
func (s *Service) Store(ctx context.Context, sc meta.Scope, ref string) (meta.EventDataStore, error) {
	id := ref
	if parts := storeARN.FindStringSubmatch(ref); parts != nil {
		if parts[1] != sc.Region || parts[2] != sc.Account {
			return meta.EventDataStore{}, errNoStore(ref)
		}
		id = parts[3]
	} else if strings.HasPrefix(ref, "arn:") {
		return meta.EventDataStore{}, awserr.New("EventDataStoreARNInvalidException", "The specified event data store ARN is not valid: %s", ref)
	}
	store, err := s.cfg.DB.Store(ctx, strings.ToLower(id))
	if errors.Is(err, meta.ErrNotFound) || err == nil && (store.Scope != sc || store.Internal) {
		return meta.EventDataStore{}, errNoStore(ref)
	}
	if err != nil {
		return meta.EventDataStore{}, fmt.Errorf("event data store %s: %w", id, err)
	}
	return store, active(store)
}

func errNoStore(ref string) *awserr.Error {
	return awserr.New("EventDataStoreNotFoundException", "The specified event data store was not found: %s", ref)
}

// active tells whether a store can be queried.
func active(store meta.EventDataStore) error {
	if store.Status == "PENDING_DELETION" {
		return awserr.New("InactiveEventDataStoreException", "The event data store %s is pending deletion and cannot be queried.", store.ID)
	}
	return nil
}

// catalog shows the dialect the stores of one caller.
type catalog struct {
	s      *Service
	scope  meta.Scope
	stores map[string]meta.EventDataStore // found so far, by ID
}

// Resolve finds a store by its ID, its ARN or, Loch's own kindness, its name.
func (c *catalog) Resolve(ctx context.Context, name dialect.TableName) (*dialect.Table, error) {
	if len(name.Parts) != 1 {
		return nil, dialect.ErrNoTable
	}
	ref := name.Parts[0].Name
	var store meta.EventDataStore
	var err error
	if storeID.MatchString(ref) || strings.HasPrefix(ref, "arn:") {
		store, err = c.s.Store(ctx, c.scope, ref)
	} else {
		store, err = c.byName(ctx, ref)
	}
	if e, ok := errors.AsType[*awserr.Error](err); ok {
		return nil, &awserr.Error{Code: e.Code, Status: e.Status, Message: fmt.Sprintf("line %d:%d: %s", name.Line, name.Column, e.Message)}
	}
	if err != nil {
		return nil, err
	}
	c.stores[store.ID] = store
	return tables[event.Kind(store.Kind)](store.ID), nil
}

// byName finds a store by its name: as written, or else without regard to case where only one fits, since SQL's names have none.
func (c *catalog) byName(ctx context.Context, name string) (meta.EventDataStore, error) {
	all, err := c.s.cfg.DB.Stores(ctx, c.scope, "", 0)
	if err != nil {
		return meta.EventDataStore{}, fmt.Errorf("event data stores: %w", err)
	}
	var like []meta.EventDataStore
	for _, store := range all {
		switch {
		case store.Internal:
		case store.Name == name:
			return store, active(store)
		case strings.EqualFold(store.Name, name):
			like = append(like, store)
		}
	}
	switch len(like) {
	case 0:
		return meta.EventDataStore{}, errNoStore(name)
	case 1:
		return like[0], active(like[0])
	}
	return meta.EventDataStore{}, awserr.New("InvalidQueryStatementException", "The name %s fits %d event data stores; write it with their case, in quotes, or the ID", name, len(like))
}

// tables makes each kind's table for a store's ID.
var tables = func() map[event.Kind]func(id string) *dialect.Table {
	out := map[event.Kind]func(string) *dialect.Table{}
	for _, k := range event.Kinds() {
		t := tableOf(event.Schema(k))
		out[k] = func(id string) *dialect.Table {
			named := *t
			named.ID = id
			return &named
		}
	}
	return out
}()

func tableOf(schema *event.TableSchema) *dialect.Table {
	t := &dialect.Table{Aliases: aliases(schema)}
	for i := range schema.Columns {
		c := &schema.Columns[i]
		t.Columns = append(t.Columns, dialect.TableColumn{Name: c.Name, Type: typeOf(c), Hidden: c.Hidden, Computed: c.Computed})
	}
	return t
}

// typeOf is a column's type in Trino.
func typeOf(c *event.Column) dialect.Type {
	switch c.Type {
	case event.Boolean:
		return dialect.TypeBoolean
	case event.Timestamp:
		return dialect.TypeTimestamp
	case event.Long:
		return dialect.TypeBigint
	case event.Int:
		return dialect.TypeInteger
	case event.Double:
		return dialect.TypeDouble
	case event.Struct:
		fields := make([]dialect.Field, len(c.Fields))
		for i := range c.Fields {
			fields[i] = dialect.Field{Name: c.Fields[i].Name, Type: typeOf(&c.Fields[i])}
		}
		return dialect.RowOf(fields...)
	case event.List:
		return dialect.ArrayOf(typeOf(&c.Fields[0]))
	case event.Map:
		return dialect.MapOf(typeOf(&c.Fields[0]), typeOf(&c.Fields[1]))
	}
	return dialect.TypeVarchar
}

// common are the names that CloudTrail's own events have at the top level. Where another kind has them inside eventdata, queries may write them the
// CloudTrail way.
var common = []string{"eventname", "eventsource", "useragent", "sourceipaddress", "errorcode", "errormessage", "useridentity",
	"requestparameters", "responseelements", "additionaleventdata"}

func aliases(schema *event.TableSchema) map[string]string {
	out := map[string]string{}
	for _, name := range common {
		if _, top := schema.Column(name); top {
			continue
		}
		if _, ok := schema.Node("eventdata." + name); ok {
			out[name] = "eventdata." + name
		}
	}
	// Events from outside AWS have no member for an ARN; senders put it among the details.
	if _, ok := schema.Node("eventdata.useridentity.details"); ok {
		out["useridentity.arn"] = "eventdata.useridentity.details.arn"
	}
	return out
}
