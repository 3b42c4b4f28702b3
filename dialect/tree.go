package dialect

// Query is a parsed statement: a tree of what was written, nothing resolved.
type Query struct {
	text       string
	root       *queryNode
	parametric bool // it may hold parameters, whose values its text does not tell
}

// node is where a part of the tree stands in the statement.
type node struct {
	pos int // byte offset
	end int
}

func (n *node) at() int          { return n.pos }
func (n *node) span() (int, int) { return n.pos, n.end }
func (n *node) endAt(end int)    { n.end = end }

type name struct {
	node
	text   string
	quoted bool
}

// queryNode is WITH … body ORDER BY … OFFSET … LIMIT ….
type queryNode struct {
	node
	with      []*withNode
	recursive bool
	body      body
	order     []*sortItem
	offset    *rowCount
	limit     *rowCount
	ties      bool // FETCH FIRST … WITH TIES
}

type withNode struct {
	name    name
	columns []name
	query   *queryNode
}

type rowCount struct {
	node
	n   int64
	all bool // LIMIT ALL
}

type sortItem struct {
	node
	x          expr
	desc       bool
	nullsFirst bool
	nulls      bool // NULLS FIRST or LAST was written
}

// body is a select, a set operation, VALUES, TABLE or a query in parentheses.
type body interface {
	at() int
	isBody()
}

type setNode struct {
	node
	op          string // UNION, INTERSECT, EXCEPT
	all         bool
	named       bool // CORRESPONDING: the columns are those whose names both sides have
	left, right body
}

type valuesNode struct {
	node
	rows []expr
}

type tableNode struct {
	node
	name []name
}

type selectNode struct {
	node
	distinct bool
	items    []*selectItem
	from     []relation
	where    expr
	group    *groupNode
	having   expr
	windows  []*windowDef
}

// selectItem is an expression with an alias, or a star, qualified or not.
type selectItem struct {
	node
	x       expr // nil for a bare *
	alias   *name
	star    bool
	columns []name // of x.* AS (…)
}

type groupNode struct {
	node
	distinct bool
	auto     bool
	sets     []*groupingElement
}

// groupingElement is one element of GROUP BY: kind is "" for a plain set of expressions.
type groupingElement struct {
	node
	kind string // "", ROLLUP, CUBE, SETS
	sets [][]expr
}

type windowDef struct {
	name name
	spec *windowSpec
}

type windowSpec struct {
	node
	base      *name // an existing window's name
	partition []expr
	order     []*sortItem
	frame     *frameNode
}

type frameNode struct {
	node
	unit        string // ROWS, RANGE, GROUPS
	first, last bound
	pattern     *patternNode
}

type bound struct {
	kind string // UNBOUNDED PRECEDING, PRECEDING, CURRENT ROW, FOLLOWING, UNBOUNDED FOLLOWING
	x    expr
}

// relation is what may stand in FROM.
type relation interface {
	at() int
	isRelation()
}

type tableRef struct {
	node
	name   []name
	period expr // FOR VERSION|TIMESTAMP AS OF
}

type queryRef struct {
	node
	query   *queryNode
	lateral bool
}

type unnestRef struct {
	node
	args       []expr
	ordinality bool
}

// tableFunctionRef is TABLE(function(…)).
type tableFunctionRef struct {
	node
	name      []name
	args      []*tableFunctionArg
	partition bool // COPARTITION was written
}

// tableFunctionArg is an expression, a table or a descriptor; name is nil where it is passed by its place.
type tableFunctionArg struct {
	node
	name       *name
	x          expr
	table      relation
	properties string // the first word of what follows a table: PARTITION, PRUNE, KEEP, ORDER
	descriptor bool
	columns    []name // of a descriptor; nil for CAST(NULL AS DESCRIPTOR)
	types      bool   // some of them have types
}

type jsonTableRef struct {
	node
	path    *jsonPath
	columns []*jsonColumn
	onError string
}

type jsonColumn struct {
	node
	name       name
	ordinality bool
	typ        *typeNode
	path       string
	hasPath    bool
	format     string
	wrapper    string
	quotes     string
	onEmpty    *jsonBehavior
	onError    *jsonBehavior
	nested     []*jsonColumn
}

type aliasRef struct {
	node
	rel     relation
	alias   name
	columns []name
}

type joinRef struct {
	node
	kind        string // INNER, LEFT, RIGHT, FULL, CROSS
	natural     bool
	left, right relation
	on          expr
	using       []name
}

type sampleRef struct {
	node
	rel        relation
	method     string
	percentage expr
}

type matchRef struct {
	node
	rel       relation
	partition []expr
	order     []*sortItem
	rows      string
	pattern   *patternNode
}

// patternNode is the part that MATCH_RECOGNIZE and windows over patterns have in common.
type patternNode struct {
	node
	measures []measure
	after    string
	skipTo   *name
	seek     string
	pattern  rowPattern
	subsets  []subset
	define   []measure
}

type measure struct {
	name name
	x    expr
}

type subset struct {
	name  name
	union []name
}

// rowPattern is a pattern of MATCH_RECOGNIZE: kind is "variable", "sequence", "choice", "group", "empty", "permute", "exclude", "^" or "$".
type rowPattern struct {
	kind       string
	name       name
	parts      []rowPattern
	quantifier string
}

type typeNode struct {
	node
	base   string // lower case: "varchar", "row", "timestamp with time zone", …
	params []int
	args   []*typeNode
	fields []name // of a row, with args
}

func (*selectNode) isBody() {}
func (*setNode) isBody()    {}
func (*valuesNode) isBody() {}
func (*tableNode) isBody()  {}
func (*queryNode) isBody()  {}

func (*tableRef) isRelation()         {}
func (*queryRef) isRelation()         {}
func (*unnestRef) isRelation()        {}
func (*tableFunctionRef) isRelation() {}
func (*jsonTableRef) isRelation()     {}
func (*aliasRef) isRelation()         {}
func (*joinRef) isRelation()          {}
func (*sampleRef) isRelation()        {}
func (*matchRef) isRelation()         {}
