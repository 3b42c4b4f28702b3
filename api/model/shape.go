package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// shape is one type of the service model with its limits.
type shape struct {
	name     string
	kind     string // structure, list, map, string, integer, long, double, float, boolean, timestamp, blob
	required []string
	members  map[string]*member
	elem     *shape // of a list
	key      *shape // of a map
	value    *shape // of a map
	min, max *float64
	pattern  *regexp.Regexp
	written  string // the pattern as the model has it
	enum     map[string]bool
	listed   string // the enum's values as errors tell them
}

type member struct {
	*shape
	query string // the parameter's name where REST-JSON puts the member in the query
}

type service struct {
	operations map[string]*Operation
	shapes     map[string]*shape
}

// foreignPatterns are the model's patterns that RE2 can't read, in its own writing: these name surrogate pairs.
var foreignPatterns = map[string]string{
	`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*`: `[\x{20}-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}\t]*`,
}

// compile reads the model that gen.py derived. Limits of numbers are values, of strings characters, of lists and maps entries. A pattern must match
// the whole value, as Java's Matcher.matches has it.
func compile(source []byte) (*service, error) {
	type ref struct{ Shape, Location, LocationName string }
	var doc struct {
		Operations map[string]struct {
			Service, Input string
			Errors         []string
		}
		Shapes map[string]struct {
			Type               string
			Required, Enum     []string
			Members            map[string]ref
			Member, Key, Value ref
			Min, Max           *float64
			Pattern            string
		}
	}
	if err := json.Unmarshal(source, &doc); err != nil {
		return nil, err
	}
	s := &service{map[string]*Operation{}, map[string]*shape{}}
	for name, in := range doc.Shapes {
		sh := &shape{name: name, kind: in.Type, required: in.Required, min: in.Min, max: in.Max, written: in.Pattern, listed: strings.Join(in.Enum, ", ")}
		slices.Sort(sh.required)
		if in.Pattern != "" {
			p := in.Pattern
			if own, ok := foreignPatterns[p]; ok {
				p = own
			}
			var err error
			if sh.pattern, err = regexp.Compile(`\A(?:` + p + `)\z`); err != nil {
				return nil, fmt.Errorf("shape %s: %w", name, err)
			}
		}
		if len(in.Enum) > 0 {
			sh.enum = map[string]bool{}
			for _, v := range in.Enum {
				sh.enum[v] = true
			}
		}
		s.shapes[name] = sh
	}
	find := func(r ref) (*shape, error) {
		if sh := s.shapes[r.Shape]; sh != nil {
			return sh, nil
		}
		return nil, fmt.Errorf("there is no shape %q", r.Shape)
	}
	for _, name := range slices.Sorted(maps.Keys(doc.Shapes)) {
		in, sh := doc.Shapes[name], s.shapes[name]
		var err error
		switch in.Type {
		case "structure":
			sh.members = map[string]*member{}
			for n, r := range in.Members {
				m := &member{}
				if m.shape, err = find(r); err != nil {
					return nil, err
				}
				if r.Location == "querystring" {
					m.query = r.LocationName
				}
				sh.members[n] = m
			}
		case "list":
			sh.elem, err = find(in.Member)
		case "map":
			if sh.key, err = find(in.Key); err == nil {
				sh.value, err = find(in.Value)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	for name, in := range doc.Operations {
		op := &Operation{Name: name, Service: in.Service, Errors: map[string]bool{}}
		for _, e := range in.Errors {
			op.Errors[e] = true
		}
		var err error
		if op.input, err = find(ref{Shape: in.Input}); err != nil {
			return nil, fmt.Errorf("operation %s: %w", name, err)
		}
		s.operations[name] = op
	}
	return s, nil
}
