// Package samples is a library of queries to start from, by purpose. Each is a template: its name is the alias by which StartQuery runs it, its parameters are the
// store, the span of time and what else it asks for. It knows no server.
package samples

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// Query is one query of the library.
type Query struct {
	Name        string   // group.what-it-shows: an alias of StartQuery
	Group       string   // the purpose: identity, network, data, configuration, cost, outside, forensics
	Description string   // in a sentence or two
	Parameters  []string // what the values for its ? and '?' mean, in order. store is one of CloudTrail events, outside of events from outside AWS, configuration and insights of those
	SQL         string

	keywords string
}

//go:embed library/*.sql
var library embed.FS

// All gives the library's queries, by group and in the order of its file. (They are read when they are first wanted: every query's process begins with what packages do when they begin.)
var All = sync.OnceValue(load)

// byName finds them.
var byName = sync.OnceValue(func() map[string]*Query {
	m := map[string]*Query{}
	for i, all := 0, All(); i < len(all); i++ {
		m[all[i].Name] = &all[i]
	}
	return m
})

// Template gives the statement that an alias stands for.
func Template(alias string) (sql string, ok bool) {
	q, ok := byName()[alias]
	if !ok {
		return "", false
	}
	return q.SQL, true
}

// load reads the library. It panics where a file is malformed, which a test would see first.
func load() []Query {
	var all []Query
	files, err := fs.Glob(library, "library/*.sql")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		text, err := library.ReadFile(file)
		if err != nil {
			panic(err)
		}
		group := strings.TrimSuffix(path.Base(file), ".sql")
		for _, part := range strings.Split(string(text), "-- name: ")[1:] {
			q, err := parse(group, part)
			if err != nil {
				panic(fmt.Sprintf("samples: %s: %v", file, err))
			}
			all = append(all, q)
		}
	}
	return all
}

// parse reads one query: its name, lines of comment with the description, parameters and keywords, and the statement up to a semicolon.
func parse(group, text string) (Query, error) {
	name, rest, _ := strings.Cut(text, "\n")
	q := Query{Name: name, Group: group}
	for {
		line, after, ok := strings.Cut(rest, "\n")
		comment, isComment := strings.CutPrefix(line, "-- ")
		if !ok || !isComment {
			break
		}
		rest = after
		if list, ok := strings.CutPrefix(comment, "parameters: "); ok {
			q.Parameters = strings.Split(list, ", ")
		} else if words, ok := strings.CutPrefix(comment, "keywords: "); ok {
			q.keywords = words
		} else {
			q.Description = strings.TrimSpace(q.Description + " " + comment)
		}
	}
	sql, ok := strings.CutSuffix(strings.TrimSpace(rest), ";")
	if q.SQL = sql; !ok || !strings.HasPrefix(name, group+".") || q.Description == "" || q.Parameters == nil || q.keywords == "" {
		return q, fmt.Errorf("%s lacks its group, description, parameters, keywords or semicolon", name)
	}
	return q, nil
}

// Text is the description with the parameters, for who sees no list of them.
func (q *Query) Text() string {
	return q.Description + " Parameters: " + strings.Join(q.Parameters, ", ") + "."
}
