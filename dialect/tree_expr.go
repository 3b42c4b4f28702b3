package dialect

// expr is an expression as it was written.
type expr interface {
	at() int
	span() (int, int)
	endAt(int)
}

type nullLit struct{ node }

type boolLit struct {
	node
	value bool
}

// numberLit is a number without its sign's blank: "-12", "1.50", "1e3".
type numberLit struct {
	node
	kind tokenKind
	text string
}

type stringLit struct {
	node
	value string
}

type binaryLit struct {
	node
	value []byte
}

// typedLit is a type's name before a string: DATE '2026-01-01'.
type typedLit struct {
	node
	typ   *typeNode
	value string
}

type intervalLit struct {
	node
	negative bool
	value    string
	from, to string // YEAR … SECOND; to is "" where there is none
}

type columnRef struct {
	node
	name name
}

type derefExpr struct {
	node
	base expr
	name name
}

type subscriptExpr struct {
	node
	base, index expr
}

type unaryExpr struct {
	node
	minus bool
	x     expr
}

type arithmeticExpr struct {
	node
	op          string // + - * / % ||
	opPos       int
	left, right expr
}

type comparisonExpr struct {
	node
	op          string // = <> < <= > >=
	left, right expr
}

// logicalExpr is a chain of ANDs or of ORs.
type logicalExpr struct {
	node
	or    bool
	terms []expr
}

type notExpr struct {
	node
	x expr
}

type betweenExpr struct {
	node
	not          bool
	x, low, high expr
}

type inListExpr struct {
	node
	not  bool
	x    expr
	list []expr
}

type inQueryExpr struct {
	node
	not   bool
	x     expr
	query *queryNode
}

type likeExpr struct {
	node
	not                bool
	x, pattern, escape expr
}

type isNullExpr struct {
	node
	not bool
	x   expr
}

type distinctExpr struct {
	node
	not         bool
	left, right expr
}

type quantifiedExpr struct {
	node
	op    string
	all   bool
	x     expr
	query *queryNode
}

type existsExpr struct {
	node
	query *queryNode
}

type subqueryExpr struct {
	node
	query *queryNode
}

type caseExpr struct {
	node
	operand  expr
	whens    []whenClause
	fallback expr
}

type whenClause struct {
	condition, result expr
}

type castExpr struct {
	node
	try bool
	x   expr
	typ *typeNode
}

type arrayExpr struct {
	node
	elems []expr
}

type rowExpr struct {
	node
	fields []expr
}

type lambdaExpr struct {
	node
	params []name
	body   expr
}

type atZoneExpr struct {
	node
	x        expr
	zone     string
	interval *intervalLit
}

type extractExpr struct {
	node
	field name
	x     expr
}

type trimExpr struct {
	node
	side string // BOTH, LEADING, TRAILING
	x    expr
	char expr
}

// specialExpr is a value that is asked for by a word alone: CURRENT_DATE, CURRENT_TIMESTAMP(3), …
type specialExpr struct {
	node
	word      string
	precision int // -1 where none was written
}

type parameterExpr struct{ node }

// callExpr is a function's call.
type callExpr struct {
	node
	name     []name
	distinct bool
	star     bool
	label    *name // of label.* in patterns
	args     []expr
	order    []*sortItem
	filter   expr
	over     *overClause
	nulls    string // IGNORE, RESPECT
	mode     string // RUNNING, FINAL: in patterns
	overflow string // of LISTAGG: ERROR, TRUNCATE
	filler   *stringLit
	count    bool // WITH COUNT
	within   bool // the order came with WITHIN GROUP
	measure  bool // no call, but the name of a measure before OVER
}

type overClause struct {
	node
	name *name
	spec *windowSpec
}

type groupingExpr struct {
	node
	args []expr
}

type jsonPath struct {
	node
	input     expr
	format    string
	path      string
	pathPos   int
	pathName  *name
	arguments []jsonArgument
}

type jsonArgument struct {
	x      expr
	format string
	name   name
}

type jsonBehavior struct {
	node
	kind  string // ERROR, NULL, DEFAULT, TRUE, FALSE, UNKNOWN, EMPTY ARRAY, EMPTY OBJECT
	value expr
}

// jsonExpr is JSON_EXISTS, JSON_VALUE or JSON_QUERY.
type jsonExpr struct {
	node
	word      string
	path      *jsonPath
	returning *typeNode
	format    string
	wrapper   string // "", WITHOUT, CONDITIONAL, UNCONDITIONAL
	quotes    string // "", KEEP, OMIT
	onEmpty   *jsonBehavior
	onError   *jsonBehavior
}

// jsonMakeExpr is JSON_OBJECT or JSON_ARRAY.
type jsonMakeExpr struct {
	node
	word      string
	keys      []expr // of an object
	values    []jsonArgument
	absent    bool
	nullOn    bool
	unique    bool
	returning *typeNode
	format    string
}
