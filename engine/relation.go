package engine

import (
	"fmt"
	"github.com/lochlake/loch/engine/worker"
	"slices"
	"strconv"
	"strings"

	"github.com/lochlake/loch/event"
)

// duckType is a column's type in DuckDB's SQL.
func duckType(c *event.Column) string {
	switch c.Type {
	case event.Boolean:
		return "BOOLEAN"
	case event.Timestamp:
		return "TIMESTAMP"
	case event.Long:
		return "BIGINT"
	case event.Int:
		return "INTEGER"
	case event.Double:
		return "DOUBLE"
	case event.Struct:
		var parts []string
		for i := range c.Fields {
			parts = append(parts, worker.Ident(c.Fields[i].Name)+" "+duckType(&c.Fields[i]))
		}
		return "STRUCT(" + strings.Join(parts, ", ") + ")"
	case event.List:
		return duckType(&c.Fields[0]) + "[]"
	case event.Map:
		return "MAP(" + duckType(&c.Fields[0]) + ", " + duckType(&c.Fields[1]) + ")"
	}
	return "VARCHAR"
}

// since is the decoder version that filled the newest part of a column.
func since(c *event.Column) int {
	n := c.Since
	for i := range c.Fields {
		n = max(n, since(&c.Fields[i]))
	}
	return n
}

// source is a relation whose columns are resolved: how its rows are read from files.
type source struct {
	rel     *Relation
	columns []*event.Column // those that the statement names, computed ones too
	stored  []string        // top-level columns that must be read from the files, in the schema's order
	text    string          // the column with the event's text
}

// newSource resolves a relation's columns.
func newSource(r *Relation) (*source, error) {
	if r.Schema == nil {
		return nil, fmt.Errorf("relation %s has no schema", r.Name)
	}
	s := &source{rel: r, text: r.Schema.Nodes[r.Schema.Text].Column.Name}
	need := map[string]bool{}
	for _, name := range r.Columns {
		c, ok := r.Schema.Column(name)
		if !ok {
			return nil, fmt.Errorf("relation %s has no column %s", r.Name, name)
		}
		if slices.Contains(s.columns, c) {
			continue
		}
		s.columns = append(s.columns, c)
		switch {
		case c.Computed:
			if c.Name != "eventjsonchecksum" {
				return nil, fmt.Errorf("relation %s: column %s cannot be computed", r.Name, c.Name)
			}
			need["eventjson"] = true
		case r.derives(c):
			need[c.Name], need["_decoder"], need[s.text] = true, true, true
		default:
			need[c.Name] = true
		}
	}
	if r.NotBefore != 0 {
		need["eventtime"] = true
	}
	for i := range r.Schema.Columns {
		if c := &r.Schema.Columns[i]; need[c.Name] && !c.Computed {
			s.stored = append(s.stored, c.Name)
		}
	}
	return s, nil
}

// derives tells whether a column must be answered from the events' text for some rows: a part of it is newer than a file's decoder, and the text has it. The
// text of an event from outside AWS is what its sender supplied, which is eventdata.
func (r *Relation) derives(c *event.Column) bool {
	version := since(c)
	if c.Computed || version <= 1 || c.JSON == "" || r.Schema.Kind == event.Activity && c.Name != "eventdata" {
		return false
	}
	return slices.ContainsFunc(r.Files, func(f File) bool { return f.Decoder < version })
}

// Derived is a column of the relation that must be answered from the events' text for some rows; ok is false where there is none.
func (r *Relation) Derived() (column string, ok bool) {
	for _, name := range r.Columns {
		if c, known := r.Schema.Column(name); known && r.derives(c) {
			return name, true
		}
	}
	return "", false
}

// derives tells whether some column is answered from the events' text.
func (s *source) derives() bool {
	return slices.ContainsFunc(s.columns, s.rel.derives)
}

// list is the relation's columns as a SELECT's list over a scan of the stored ones.
func (s *source) list() string {
	var out []string
	for _, c := range s.columns {
		name := worker.Ident(c.Name)
		switch {
		case c.Computed:
			out = append(out, "to_base64(unhex(sha256(eventjson))) AS "+name)
		case s.rel.derives(c):
			out = append(out, fmt.Sprintf("CASE WHEN _decoder < %d THEN %s ELSE %s END AS %s", since(c), s.derived(c), name, name))
		default:
			out = append(out, name)
		}
	}
	if out == nil {
		return "1 AS " + worker.Ident("_row") // a relation must have a column, though only its rows count
	}
	return strings.Join(out, ", ")
}

// condition is what hides rows from the relation, "" where all show.
func (s *source) condition() string {
	if s.rel.NotBefore == 0 {
		return ""
	}
	return " WHERE eventtime >= make_timestamp(" + strconv.FormatInt(s.rel.NotBefore, 10) + ")"
}

// definition gives the relation its name in a WITH clause, over from.
func (s *source) definition(from string) string {
	return worker.Ident(s.rel.Name) + " AS NOT MATERIALIZED (SELECT " + s.list() + " FROM " + from + s.condition() + ")"
}

// scan reads the files at those paths, or is an empty relation where there are none. A file written before the schema's newest column is read
// by field ids, which answers NULL for what it lacks; DuckDB prunes such files less well, so the others are read as they are.
func (s *source) scan(files []File, paths []string) string {
	newest := 0
	for _, name := range s.stored {
		c, _ := s.rel.Schema.Column(name)
		newest = max(newest, since(c))
	}
	var current, old []string
	for i, f := range files {
		if newest > 1 && f.Decoder < newest {
			old = append(old, paths[i])
		} else {
			current = append(current, paths[i])
		}
	}
	names := "1 AS one"
	if len(s.stored) > 0 {
		quoted := make([]string, len(s.stored))
		for i, n := range s.stored {
			quoted[i] = worker.Ident(n)
		}
		names = strings.Join(quoted, ", ")
	}
	var parts []string
	if len(current) > 0 {
		parts = append(parts, "SELECT "+names+" FROM read_parquet("+worker.QuoteList(current)+")")
	}
	if len(old) > 0 {
		parts = append(parts, "SELECT "+names+" FROM read_parquet("+worker.QuoteList(old)+", schema = "+s.fields()+")")
	}
	if parts == nil {
		return "(SELECT " + s.nothing() + " LIMIT 0)"
	}
	return "(" + strings.Join(parts, " UNION ALL ") + ")"
}

// fields is read_parquet's schema argument for the stored columns.
func (s *source) fields() string {
	var out []string
	for _, name := range s.stored {
		c, _ := s.rel.Schema.Column(name)
		out = append(out, fmt.Sprintf("%d: {name: %s, type: %s, default_value: NULL}", c.ID, worker.Quote(c.Name), worker.Quote(duckType(c))))
	}
	return "MAP {" + strings.Join(out, ", ") + "}"
}

// nothing is the stored columns as typed NULLs.
func (s *source) nothing() string {
	out := []string{}
	for _, name := range s.stored {
		c, _ := s.rel.Schema.Column(name)
		out = append(out, "NULL::"+duckType(c)+" AS "+worker.Ident(name))
	}
	if len(out) == 0 {
		return "1 AS one"
	}
	return strings.Join(out, ", ")
}

// derived answers a column from the event's text, for rows whose decoder did not know the column: what the decoder of today would have put there.
func (s *source) derived(c *event.Column) string {
	if s.rel.Schema.Kind == event.Activity {
		return fromJSON(c, worker.Ident(s.text)+"::JSON", 0)
	}
	return fromJSON(c, "json_extract("+worker.Ident(s.text)+", "+member(c)+")", 0)
}

// member is the path of a member, as a literal.
func member(c *event.Column) string {
	return worker.Quote(`$."` + strings.ReplaceAll(c.JSON, `"`, `\"`) + `"`)
}

// fromJSON makes a value of the column's type of the JSON value j. depth tells nested lambdas' names apart.
func fromJSON(c *event.Column, j string, depth int) string {
	word := "((" + j + ") ->> '$')"
	switch c.Type {
	case event.Boolean:
		return "CASE " + word + " WHEN 'true' THEN true WHEN 'false' THEN false END"
	case event.Timestamp:
		return "TRY_CAST(" + word + " AS TIMESTAMP)"
	case event.Long, event.Int, event.Double:
		return "TRY_CAST(" + word + " AS " + duckType(c) + ")"
	case event.Struct:
		var parts []string
		for i := range c.Fields {
			f := &c.Fields[i]
			parts = append(parts, worker.Ident(f.Name)+" := "+fromJSON(f, "json_extract("+j+", "+member(f)+")", depth))
		}
		return "CASE WHEN json_type(" + j + ") = 'OBJECT' THEN struct_pack(" + strings.Join(parts, ", ") + ") END"
	case event.List:
		e := "e" + strconv.Itoa(depth)
		return "CASE WHEN json_type(" + j + ") = 'ARRAY' THEN list_transform(" + j + "::JSON[], lambda " + e + ": " +
			fromJSON(&c.Fields[0], e, depth+1) + ") END"
	case event.Map:
		return "CASE WHEN json_type(" + j + ") = 'OBJECT' THEN map_from_entries(list_transform(list_zip(json_keys(" + j +
			"), json_extract(" + j + ", '$.*')), lambda e" + strconv.Itoa(depth) + ": struct_pack(k := e" + strconv.Itoa(depth) + "[1], v := e" +
			strconv.Itoa(depth) + "[2] ->> '$'))) END"
	}
	return word
}
