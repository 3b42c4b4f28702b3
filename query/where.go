package query

import (
	"strconv"
	"strings"

	"github.com/lochlake/loch/dialect"
	"github.com/lochlake/loch/engine"
	"github.com/lochlake/loch/event"
)

// where writes the predicates as a condition in DuckDB's SQL over the stored columns, "" where there is none: what engine.Relation.Where wants.
func where(schema *event.TableSchema, preds []dialect.Predicate) string {
	var conds []string
	for _, p := range preds {
		n, ok := schema.Node(p.Path)
		if !ok || schema.Nodes[n].InList {
			continue
		}
		literal := literalOf(schema.Nodes[n].Column.Type)
		if literal == nil {
			continue
		}
		column := `"` + strings.ReplaceAll(schema.Nodes[n].Path, ".", `"."`) + `"`
		values := make([]string, len(p.Values))
		for i, v := range p.Values {
			values[i] = literal(v)
		}
		ops := map[dialect.Op]string{dialect.Less: " < ", dialect.LessEqual: " <= ", dialect.Greater: " > ", dialect.GreaterEqual: " >= "}
		switch {
		case p.Op == dialect.NotNull:
			conds = append(conds, column+" IS NOT NULL")
		case p.Op == dialect.Equal && len(values) > 0:
			conds = append(conds, column+" IN ("+strings.Join(values, ", ")+")")
		case p.Op == dialect.StartsWith && len(values) == 1 && schema.Nodes[n].Column.Type == event.String:
			conds = append(conds, "starts_with("+column+", "+values[0]+")")
		case ops[p.Op] != "" && len(values) == 1:
			conds = append(conds, column+ops[p.Op]+values[0])
		}
	}
	return strings.Join(conds, " AND ")
}

// equal gives those of the predicates that compare a column of texts with texts.
func equal(schema *event.TableSchema, preds []dialect.Predicate) (out []engine.Equality) {
	for _, p := range preds {
		n, ok := schema.Node(p.Path)
		if !ok || p.Op != dialect.Equal || len(p.Values) == 0 || schema.Nodes[n].InList || schema.Nodes[n].Column.Type != event.String {
			continue
		}
		e := engine.Equality{Path: p.Path}
		for _, v := range p.Values {
			e.Values = append(e.Values, v.Text)
		}
		out = append(out, e)
	}
	return out
}

// literalOf writes values of a type, nil for types that predicates do not have.
func literalOf(t event.Type) func(dialect.Value) string {
	switch t {
	case event.String:
		return func(v dialect.Value) string { return "'" + strings.ReplaceAll(v.Text, "'", "''") + "'" }
	case event.Boolean:
		return func(v dialect.Value) string { return strconv.FormatBool(v.Num != 0) }
	case event.Timestamp:
		return func(v dialect.Value) string { return "make_timestamp(" + strconv.FormatInt(v.Num, 10) + ")" }
	case event.Int, event.Long:
		return func(v dialect.Value) string { return strconv.FormatInt(v.Num, 10) }
	}
	return nil
}
