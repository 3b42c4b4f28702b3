package dialect

import "strings"

// tableFunction checks TABLE(function(…)): Trino's own are sequence and exclude_columns.
func (c *checker) tableFunction(r *tableFunctionRef) source {
	name := strings.ToLower(r.name[len(r.name)-1].text)
	if len(r.name) > 1 && !builtin(r.name) {
		name = ""
	}
	switch name {
	case "sequence":
		return c.sequence(r)
	case "exclude_columns":
		return c.excludeColumns(r)
	}
	first, last := r.name[0], r.name[len(r.name)-1]
	c.fail(first.pos, "Table function '%s' not registered", c.text[first.pos:last.end])
	return source{}
}

// builtin tells whether a function's name of several parts is one of Trino's own.
func builtin(n []name) bool {
	return len(n) == 3 && strings.EqualFold(n[0].text, "system") && strings.EqualFold(n[1].text, "builtin")
}

// tableArguments brings a table function's arguments into the order of its parameters; those that are missing are nil.
func (c *checker) tableArguments(r *tableFunctionRef, parameters ...string) []*tableFunctionArg {
	if r.partition {
		c.fail(r.pos, "No table arguments to co-partition")
	}
	if len(r.args) > len(parameters) {
		c.fail(r.args[0].pos, "Too many arguments. Expected at most %d arguments, got %d arguments", len(parameters), len(r.args))
	}
	list := make([]*tableFunctionArg, len(parameters))
	for i, a := range r.args {
		if (a.name == nil) != (r.args[0].name == nil) {
			c.fail(r.args[0].pos, "All arguments must be passed by name or all must be passed positionally")
		}
		at := i
		if a.name != nil {
			at = -1
			for j, p := range parameters {
				if strings.EqualFold(p, a.name.text) {
					at = j
				}
			}
			if at < 0 {
				c.fail(a.pos, "Unexpected argument name: %s", strings.ToUpper(a.name.text))
			}
			if list[at] != nil {
				c.fail(a.pos, "Duplicate argument name: %s", strings.ToUpper(a.name.text))
			}
		}
		list[at] = a
	}
	return list
}

// sequence is TABLE(sequence(start, stop, step)), whose arguments are constants.
func (c *checker) sequence(r *tableFunctionRef) source {
	parameters := []string{"start", "stop", "step"}
	args := c.tableArguments(r, parameters...)
	if args[1] == nil {
		c.fail(r.name[0].pos, "Missing argument: STOP")
	}
	values := []value{integerValue(0, TypeBigint), {}, integerValue(1, TypeBigint)}
	e := &env{checker: c, scope: &scope{}, clause: "table function"}
	for i, a := range args {
		if a == nil {
			continue
		}
		if a.x == nil {
			c.fail(a.pos, "Invalid argument %s. Expected expression", strings.ToUpper(parameters[i]))
		}
		if hasQuery(a.x) {
			c.fail(a.x.at(), "Constant expression cannot contain a subquery")
		}
		v := e.expr(a.x)
		if _, ok := coercible(v.typ, TypeBigint); !ok {
			c.fail(a.x.at(), "Cannot cast type %s to bigint", v.typ)
		}
		if v.isNull() {
			c.fail(a.x.at(), "%s is null", strings.ToUpper(parameters[i][:1])+parameters[i][1:])
		}
		values[i] = c.coerce(v, TypeBigint)
		values[i].easy = len(values[i].sql) < maxRepeated
	}
	rel := c.relationName()
	// What is wrong with the arguments fails the statement, also where nothing reads the rows.
	start := c.template("CASE WHEN $1 IS NULL OR $2 IS NULL OR $3 IS NULL THEN "+raise("an argument of sequence is null", TypeBigint)+
		" WHEN $1 < $2 AND $3 <= 0 THEN "+raise("Step must be positive for the sequence", TypeBigint)+
		" WHEN $1 > $2 AND $3 >= 0 THEN "+raise("Step must be negative for the sequence", TypeBigint)+" ELSE $1 END", values...)
	step := c.template("CASE WHEN $1 = $2 THEN 1 ELSE $3 END", values...)
	sql := "(SELECT n AS c0 FROM generate_series(" + start + ", " + values[1].sql + ", " + step + ") AS " + rel + "s(n)) AS " + rel
	return source{sql, []*field{c.newField(field{name: "sequential_number", label: "sequential_number", typ: TypeBigint, sql: rel + ".c0"})}}
}

// hasQuery tells whether a subquery stands in x.
func hasQuery(x expr) bool {
	switch x.(type) {
	case *subqueryExpr, *existsExpr, *inQueryExpr, *quantifiedExpr:
		return true
	}
	for _, child := range children(x) {
		if hasQuery(child) {
			return true
		}
	}
	return false
}

// excludeColumns is TABLE(exclude_columns(input, columns)): the table without the columns of the descriptor.
func (c *checker) excludeColumns(r *tableFunctionRef) source {
	args := c.tableArguments(r, "input", "columns")
	input, columns := args[0], args[1]
	switch {
	case input == nil:
		c.fail(r.name[0].pos, "Missing argument: INPUT")
	case columns == nil:
		c.fail(r.name[0].pos, "Missing argument: COLUMNS")
	case input.table == nil:
		c.fail(input.pos, "Invalid argument INPUT. Expected table")
	case !columns.descriptor:
		c.fail(columns.pos, "Invalid argument COLUMNS. Expected descriptor")
	case columns.columns == nil:
		c.fail(columns.pos, "COLUMNS descriptor is null")
	case columns.types:
		c.fail(columns.pos, "COLUMNS descriptor contains types")
	case input.properties == "PARTITION" || input.properties == "ORDER":
		c.fail(input.pos, "Invalid argument INPUT. %s specified for table argument with row semantics", map[string]string{"PARTITION": "Partitioning", "ORDER": "Ordering"}[input.properties])
	case input.properties != "":
		c.fail(input.pos, "Invalid argument INPUT. The empty behavior property is not allowed for table argument with row semantics")
	}
	s := c.relation(input.table, nil, nil)
	excluded := map[string]name{}
	for _, n := range columns.columns {
		excluded[strings.ToLower(n.text)] = n
	}
	missing := map[string]name{}
	for k, n := range excluded {
		missing[k] = n
	}
	var kept []*field
	for _, f := range s.fields {
		if f.hidden {
			continue
		}
		if _, ok := excluded[f.name]; ok && f.name != "" {
			delete(missing, f.name)
			continue
		}
		f.rel, f.relFull = "", ""
		kept = append(kept, f)
	}
	for _, n := range columns.columns {
		if _, ok := missing[strings.ToLower(n.text)]; ok {
			c.fail(n.pos, "Excluded columns: [%s] not present in the table", strings.ToLower(n.text))
		}
	}
	if len(kept) == 0 {
		c.fail(columns.pos, "All columns are excluded")
	}
	s.fields = kept
	return s
}
