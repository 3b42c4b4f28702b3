package query

import (
	"context"
	"errors"
	"time"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/dialect"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/engine/trino"
	"github.com/lochlake/loch/meta"
)

// compiled is a checked statement, written for one of the engines.
type compiled struct {
	uses   []dialect.Use
	stores []string                // that it reads, once each
	duckdb *dialect.Statement      // nil where it runs on Trino
	trino  *dialect.TrinoStatement // nil where it runs on the embedded engine
}

// compile checks a query's statement for its caller. Its errors are the API's.
func (s *Service) compile(ctx context.Context, of meta.Query) (*compiled, error) {
	parse := func() (*dialect.Query, error) { return dialect.Parse(of.SQL) }
	if of.Alias != "" || len(of.Parameters) > 0 {
		parse = func() (*dialect.Query, error) { return dialect.ParseTemplate(of.SQL, of.Parameters) }
	}
	cat := &catalog{s: s, scope: of.Scope, stores: map[string]meta.EventDataStore{}}
	c, err := s.check(ctx, cat, parse, dialect.Session{Start: of.Created, User: of.Principal})
	if e, ok := errors.AsType[*awserr.Error](err); ok {
		return nil, e
	}
	if e, ok := errors.AsType[*dialect.Error](err); ok {
		return nil, awserr.New("InvalidQueryStatementException", "%s", e.Error())
	}
	if err != nil {
		return nil, err
	}
	for _, u := range c.uses {
		if _, ok := cat.stores[u.Table.ID]; ok {
			c.stores = append(c.stores, u.Table.ID)
			delete(cat.stores, u.Table.ID) // once each
		}
	}
	return c, nil
}

func (s *Service) check(ctx context.Context, cat dialect.Catalog, parse func() (*dialect.Query, error), session dialect.Session) (*compiled, error) {
	if s.cfg.Trino != nil {
		stmt, err := dialect.ForTrino(ctx, parse, cat, session)
		if err != nil {
			return nil, err
		}
		c := &compiled{uses: stmt.Uses, trino: stmt}
		if stmt.Refusal != nil { // only Trino knows its types
			err = s.validate(ctx, c)
		}
		return c, err
	}
	q, err := parse()
	if err != nil {
		return nil, err
	}
	stmt, err := dialect.Check(ctx, q, cat, session)
	if err != nil {
		return nil, err
	}
	return &compiled{uses: stmt.Uses, duckdb: stmt}, nil
}

// validateTime bounds how long Trino may take to check a statement's types.
const validateTime = 20 * time.Second

// validate asks Trino whether a statement is right that Loch cannot tell the types of, so that the caller learns at once, and not from a failed query.
func (s *Service) validate(ctx context.Context, c *compiled) error {
	ctx, cancel := context.WithTimeout(ctx, validateTime)
	defer cancel()
	text := s.written(c, map[string]int64{})
	err := s.cfg.Trino.Validate(ctx, engine.Job{SQL: text.SQL, Place: text.Place})
	if e, ok := errors.AsType[*engine.Error](err); ok && e.Kind == engine.Statement {
		return awserr.New("InvalidQueryStatementException", "%s", e.Message)
	}
	if err != nil {
		s.cfg.Log.Error("a statement could not be checked by Trino", "error", err, "cause", errors.Unwrap(err))
		return &awserr.Error{Code: "ServiceUnavailable", Status: 503, Message: "Trino, which runs the queries, could not be asked whether the statement is right. Try again later."}
	}
	return nil
}

// written is a statement in Trino's SQL; oldest tells, by relation, the eventtime before which nothing is answered.
func (s *Service) written(c *compiled, oldest map[string]int64) *dialect.TrinoText {
	return c.trino.Write(func(u dialect.Use) dialect.TrinoTable {
		return dialect.TrinoTable{Catalog: s.cfg.Trino.Catalog(), Schema: trino.Schema, Name: u.Table.ID, NotBefore: oldest[u.Relation]}
	})
}

// job is what the statement's engine is to do over those relations.
func (s *Service) job(c *compiled, relations []engine.Relation) (engine.Engine, engine.Job) {
	work := engine.Job{Relations: relations, Limits: s.cfg.Limits}
	if c.trino != nil {
		oldest := map[string]int64{}
		for i := range relations {
			oldest[relations[i].Name] = relations[i].NotBefore
		}
		text := s.written(c, oldest)
		work.SQL, work.Place = text.SQL, text.Place
		return s.cfg.Trino, work
	}
	work.SQL = c.duckdb.DuckDB()
	for _, col := range c.duckdb.Columns {
		work.Columns = append(work.Columns, engine.Column{Name: col.Name, Type: col.Type.String(), Zone: zoneOf(col.Type)})
	}
	return s.cfg.Engine, work
}

// zoneOf is where the timestamps with time zone of a column lie, also inside others; the checker has seen to it that it is one zone.
func zoneOf(t dialect.Type) string {
	if t.Zone != "" {
		return t.Zone
	}
	inner := []*dialect.Type{t.Key, t.Elem}
	for i := range t.Fields {
		inner = append(inner, &t.Fields[i].Type)
	}
	for _, e := range inner {
		if e != nil {
			if z := zoneOf(*e); z != "" {
				return z
			}
		}
	}
	return ""
}
