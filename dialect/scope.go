package dialect

import "strings"

// scope is what names may mean at a place of the statement: the columns of FROM, and around it those of the queries it lies in.
type scope struct {
	parent *scope
	fields []*field
	// group is set where expressions stand above GROUP BY: then only what is grouped by has a value.
	group *grouping
	// crossed is set where the scope is that around a subquery: it becomes true once a name of the subquery means something out here.
	crossed *bool
}

// field is one column that a name may mean.
type field struct {
	id      int
	rel     string // the relation's alias, lower case; "" where it has none
	relFull string // a table's whole name, lower case, where it has several parts
	name    string // lower case; "" where it has none
	label   string // the name as SELECT * shows it
	typ     Type
	sql     string
	hidden  bool
	// use and column are set for a table's own column, and for a column that hands one through unchanged.
	use     *tableUse
	column  string
	aliases *Table // the table whose Aliases this field leads to; such a field has no name
}

// tableUse is a Use while the statement is checked.
type tableUse struct {
	table      *Table
	relation   string
	columns    map[string]bool
	predicates []Predicate
	pos        int // where the statement names the table
}

// value is a checked expression: its text in DuckDB's SQL, which is always whole in itself, and its type in Trino.
type value struct {
	sql  string
	typ  Type
	lit  any  // string, bool, int64, float64 where it is a literal; micros for timestamps and dates
	easy bool // may be written twice without being costly
	// anyZone, of a timestamp with time zone whose sql fails where the zone is not the one that its type says, is the instant whatever the zone.
	anyZone string
	use     *tableUse
	path    string // with use: the member of the table that this is
}

func (v value) isNull() bool { return v.typ.Kind == Unknown }

// text is the literal string that v is.
func (v value) text() (string, bool) {
	s, ok := v.lit.(string)
	return s, ok && v.typ.Kind == Varchar
}

// reference is what a chain of names means: a field of a scope and the members that lead on from it.
type reference struct {
	scope *scope
	field *field
	label name   // the field as it was written
	steps []name // members, also those that an alias brought
}

// lookup finds what [relation.]column.members… means; ok is false where nothing has the name.
func (c *checker) lookup(s *scope, names []name) (r reference, ok bool) {
	first := strings.ToLower(names[0].text)
	var crossed []*bool
	defer func() {
		for _, flag := range crossed {
			*flag = *flag || ok
		}
	}()
	for ; s != nil; s = s.parent {
		if s.crossed != nil {
			crossed = append(crossed, s.crossed)
		}
		if len(names) > 1 {
			second := strings.ToLower(names[1].text)
			if f := c.find(s, names[0], func(f *field) bool { return f.rel == first && f.name == second }); f != nil {
				return reference{s, f, names[1], names[2:]}, true
			}
			if len(names) > 2 {
				full, third := first+"."+second, strings.ToLower(names[2].text)
				if f := c.find(s, names[0], func(f *field) bool { return f.relFull == full && f.name == third }); f != nil {
					return reference{s, f, names[2], names[3:]}, true
				}
			}
		}
		if f := c.find(s, names[0], func(f *field) bool { return f.name == first }); f != nil {
			return reference{s, f, names[0], names[1:]}, true
		}
		if r, ok := c.lookupAlias(s, names); ok {
			return r, true
		}
	}
	return r, false
}

// lookupAlias leads a name that is no column to the member that means the same, where a table of s knows one.
func (c *checker) lookupAlias(s *scope, names []name) (r reference, ok bool) {
	for _, table := range s.fields {
		if table.aliases == nil {
			continue
		}
		from := 0
		if len(names) > 1 && strings.EqualFold(names[0].text, table.rel) {
			from = 1
		}
		for n := min(len(names), from+3); n > from; n-- {
			key := strings.ToLower(names[from].text)
			for _, m := range names[from+1 : n] {
				key += "." + strings.ToLower(m.text)
			}
			path, known := table.aliases.Aliases[key]
			if !known {
				continue
			}
			if ok {
				c.fail(names[0].pos, "Column '%s' is ambiguous", names[from].text)
			}
			steps := strings.Split(path, ".")
			r = reference{scope: s, label: names[n-1]}
			for _, f := range s.fields {
				if f.use == table.use && f.use != nil && f.rel == table.rel && f.name == steps[0] {
					r.field = f
				}
			}
			if r.field == nil {
				continue
			}
			for _, step := range steps[1:] {
				r.steps = append(r.steps, name{node: node{names[n-1].pos, names[n-1].pos}, text: step})
			}
			r.steps, ok = append(r.steps, names[n:]...), true
			break
		}
	}
	return r, ok
}

// key names what a reference means, however it was written.
func (r *reference) key() string {
	k := "#" + itoa(r.field.id)
	for _, s := range r.steps {
		k += "." + strings.ToLower(s.text)
	}
	return k
}

// value is the value of a reference; in a grouped scope only what is grouped by has one.
func (c *checker) referenceValue(r reference) value {
	steps := r.steps
	var v value
	if g := r.scope.group; g != nil {
		k := "#" + itoa(r.field.id)
		for i := 0; ; i++ {
			known, ok := g.byKey[k]
			if ok {
				v, steps = known, steps[i:]
				break
			}
			if i == len(steps) {
				label := r.label.text
				for _, s := range r.steps {
					if s.pos > r.label.pos {
						label += "." + s.text
					}
				}
				c.fail(r.label.pos, "'%s' must be an aggregate expression or appear in GROUP BY clause", label)
			}
			k += "." + strings.ToLower(steps[i].text)
		}
	} else {
		f := r.field
		v = value{sql: f.sql, typ: f.typ, easy: true}
		if f.use != nil {
			f.use.columns[top(f.column)] = true
			v.use, v.path = f.use, f.column
		}
	}
	for _, step := range steps {
		v = c.member(v, step)
	}
	return v
}

// find is the one field that fits; two are an error at n.
func (c *checker) find(s *scope, n name, fits func(*field) bool) *field {
	var found *field
	for _, f := range s.fields {
		if f.name != "" && fits(f) {
			if found != nil {
				c.fail(n.pos, "Column '%s' is ambiguous", n.text)
			}
			found = f
		}
	}
	return found
}

func top(path string) string {
	if i := strings.IndexByte(path, '.'); i >= 0 {
		return path[:i]
	}
	return path
}

// member is a row's member by its name. An alias may lead through a map: then it is a key's value.
func (c *checker) member(v value, n name) value {
	if v.typ.Kind == Row {
		for i, f := range v.typ.Fields {
			if f.Name != "" && strings.EqualFold(f.Name, n.text) {
				m := value{sql: "struct_extract(" + v.sql + ", " + quote(memberName(v.typ, i)) + ")", typ: f.Type, easy: v.easy}
				if v.use != nil {
					m.use, m.path = v.use, v.path+"."+strings.ToLower(f.Name)
				}
				return m
			}
		}
	}
	if v.typ.Kind == Map && n.end == n.pos {
		return value{sql: v.sql + "[" + quote(n.text) + "]", typ: *v.typ.Elem, easy: true}
	}
	if v.typ.Kind != Row {
		c.fail(n.pos, "Expression of type %s is not a row and has no member '%s'", v.typ, n.text)
	}
	names := make([]string, len(v.typ.Fields))
	for i, f := range v.typ.Fields {
		names[i] = f.Name
	}
	c.fail(n.pos, "Column '%s' cannot be resolved%s", n.text, suggest(n.text, names))
	return v
}

// suggest is "; did you mean 'x'?" where one of the names is near to n.
func suggest(n string, names []string) string {
	n = strings.ToLower(n)
	best, distance := "", max(1, len(n)/4)+1
	for _, s := range names {
		if d := editDistance(n, strings.ToLower(s), distance); d < distance {
			best, distance = s, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean '" + best + "'?"
}

// editDistance counts insertions, deletions and replacements, and swaps of neighbours as one; at least limit where there are that many.
func editDistance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var rows [3][65]int
	for j := 0; j <= len(b); j++ {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur, prev, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
