package engine

import (
	"context"
	"errors"
	"fmt"
	"github.com/lochlake/loch/engine/worker"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// fetches is how many files are fetched side by side for one statement.
const fetches = 16

// staging brings remote files to where a child can read them. What fits into the fetcher's budget is fetched before the child is told its job;
// of a relation that does not fit, groups of files are fetched one after another while the child loads their needed columns and rows
// into a table of its own, so that a relation many times the budget is still answered.
type staging struct {
	fetcher Fetcher
	dir     string // the child's input: fetched files are linked there, since all its paths are fixed before any group is fetched
	left    int64  // of the budget
	groups  []group
	current []func() // releases of the group that is loaded now
	held    []func() // releases of what is held to the end
	bytes   int64    // fetched in groups or sifted, which the profile of the statement does not count
	tables  int
	defined []string // the relations, each as it stands in a WITH clause
}

// group is a run of files that fit into the budget together.
type group struct {
	files   []File
	links   []string
	columns []string
	bytes   int64
}

func newStaging(f Fetcher, dir string) *staging {
	s := &staging{fetcher: f, dir: dir}
	if f != nil {
		s.left = f.Budget()
	}
	return s
}

// statement is the job's SQL over the relations. They are defined in the statement itself, not as views, since DuckDB opens files when it binds a view
// and again when it binds a statement over it.
func (s *staging) statement(sql string) string {
	if len(s.defined) == 0 {
		return sql
	}
	for _, with := range []string{"WITH RECURSIVE ", "WITH "} { // DuckDB takes no WITH before one in parentheses
		if rest, ok := strings.CutPrefix(sql, with); ok {
			return with + strings.Join(s.defined, ", ") + ", " + rest
		}
	}
	return "WITH " + strings.Join(s.defined, ", ") + " (" + sql + ")"
}

// close releases everything.
func (s *staging) close() {
	s.releaseGroup()
	for _, release := range s.held {
		release()
	}
	s.held = nil
}

func (s *staging) releaseGroup() {
	for _, release := range s.current {
		release()
	}
	s.current = nil
}

// add enters one relation into the job: local files as they are, remote ones fetched now or in groups.
func (s *staging) add(ctx context.Context, j *worker.Job, src *source, index int) error {
	var local, remote []File
	for _, f := range src.rel.Files {
		if f.Local != "" {
			local = append(local, f)
		} else {
			remote = append(remote, f)
		}
	}
	paths := make([]string, len(local))
	for i, f := range local {
		abs, err := filepath.Abs(f.Local)
		if err != nil {
			return err
		}
		paths[i] = abs
	}
	if len(remote) == 0 {
		j.Paths = append(j.Paths, paths...)
		s.defined = append(s.defined, src.definition(src.scan(local, paths)))
		return nil
	}
	if s.fetcher == nil {
		return fmt.Errorf("%s is not on this machine", remote[0].Key)
	}
	if ok, err := s.sift(ctx, j, src, local, paths, remote, index); ok || err != nil {
		return err
	}
	need := make([]int64, len(remote))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i, f := range remote {
		g.Go(func() error {
			n, err := s.fetcher.Need(gctx, f, src.stored)
			need[i] = n
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var total int64
	for _, n := range need {
		total += n
	}
	links := make([]string, len(remote))
	for i := range remote {
		links[i] = filepath.Join(s.dir, "r"+strconv.Itoa(index)+"-"+strconv.Itoa(i)+".parquet")
	}
	j.Paths = append(append(j.Paths, paths...), links...)
	j.Input = s.dir
	if total <= s.left {
		s.left -= total
		releases, err := s.fetch(ctx, group{files: remote, links: links, columns: src.stored})
		s.held = append(s.held, releases...)
		if err != nil {
			return err
		}
		s.defined = append(s.defined, src.definition(src.scan(append(local, remote...), append(paths, links...))))
		return nil
	}
	s.inGroups(j, src, local, paths, remote, links, need)
	return nil
}

// sift enters a relation of whose remote files only few rows are needed, which are brought near by themselves; ok is false where they are not known to be few.
func (s *staging) sift(ctx context.Context, j *worker.Job, src *source, local []File, paths []string, remote []File, index int) (ok bool, err error) {
	var equal []Equality
	for _, e := range src.rel.Equal {
		top, _, _ := strings.Cut(e.Path, ".")
		if c, ok := src.rel.Schema.Column(top); ok && !src.rel.derives(c) { // of some rows the files do not tell what others hold
			equal = append(equal, e)
		}
	}
	if len(equal) == 0 {
		return false, nil
	}
	path := filepath.Join(s.dir, "s"+strconv.Itoa(index)+".parquet")
	read, ok, err := s.fetcher.Sift(ctx, src.rel.Schema, remote, src.stored, equal, path)
	if !ok || err != nil {
		return false, err
	}
	s.bytes += read
	j.Paths = append(append(j.Paths, paths...), path)
	j.Input = s.dir
	s.defined = append(s.defined, src.definition(src.scan(append(local, File{}), append(paths, path))))
	return true, nil
}

// inGroups enters a relation that is loaded into a table of the child, group by group.
func (s *staging) inGroups(j *worker.Job, src *source, local []File, paths []string, remote []File, links []string, need []int64) {
	if s.tables == 0 {
		j.Setup = append(j.Setup, "ATTACH "+worker.Quote(filepath.Join(j.Temp, "staged.duckdb"))+" AS staged")
	}
	table := "staged.t" + strconv.Itoa(s.tables)
	s.tables++
	j.Setup = append(j.Setup, "CREATE TABLE "+table+" AS SELECT "+src.nothing()+" LIMIT 0")
	where := src.condition()
	if src.rel.Where != "" && !src.derives() {
		if where == "" {
			where = " WHERE (" + src.rel.Where + ")"
		} else {
			where += " AND (" + src.rel.Where + ")"
		}
	}
	step := func(g group, from string) {
		j.Steps = append(j.Steps, worker.Step{Group: len(s.groups), Insert: "INSERT INTO " + table + " SELECT * FROM " + from + where})
		s.groups = append(s.groups, g)
	}
	if len(local) > 0 {
		step(group{}, src.scan(local, paths))
	}
	var bytes int64
	begin := 0
	flush := func(end int) {
		if begin < end {
			step(group{files: remote[begin:end], links: links[begin:end], columns: src.stored, bytes: bytes}, src.scan(remote[begin:end], links[begin:end]))
		}
		begin, bytes = end, 0
	}
	limit := max(s.fetcher.Budget()/4, 1) // several statements share the cache
	for i, n := range need {
		if bytes+n > limit {
			flush(i)
		}
		bytes += n
	}
	flush(len(remote))
	s.defined = append(s.defined, src.definition(table))
}

// load makes a group readable, after it let go of the one before.
func (s *staging) load(ctx context.Context, i int) error {
	s.releaseGroup()
	if i < 0 || i >= len(s.groups) {
		return fmt.Errorf("there is no group %d", i)
	}
	if i > 0 {
		for _, l := range s.groups[i-1].links {
			if err := os.Remove(l); err != nil {
				return err
			}
		}
	}
	s.bytes += s.groups[i].bytes
	var err error
	s.current, err = s.fetch(ctx, s.groups[i])
	return err
}

// fetch fetches a group's files and links them into the child's input. The releases hold what was fetched, also where it fails.
func (s *staging) fetch(ctx context.Context, g group) ([]func(), error) {
	releases := make([]func(), len(g.files))
	eg, ectx := errgroup.WithContext(ctx)
	eg.SetLimit(fetches)
	for i, f := range g.files {
		eg.Go(func() error {
			path, release, err := s.fetcher.Fetch(ectx, f, g.columns)
			releases[i] = release
			if err != nil {
				return err
			}
			return os.Link(path, g.links[i])
		})
	}
	err := eg.Wait()
	held := releases[:0]
	for _, r := range releases {
		if r != nil {
			held = append(held, r)
		}
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = fmt.Errorf("the cache and the directory for temporary files must lie on one file system with hard links: %w", err)
	}
	return held, err
}
