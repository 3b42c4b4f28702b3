package sqljson

import (
	"errors"
	"strings"
)

// Query is a JSON_VALUE, JSON_QUERY or JSON_EXISTS without its input: what the statement says of it.
type Query struct {
	Form      Form
	Text      string // the path
	Variables []Variable
	Wrapper   Wrapper
	Omit      bool // OMIT QUOTES
	path      *Path
}

// Form is which of the three it is.
type Form byte

// The three queries.
const (
	FormValue  Form = 'V'
	FormQuery  Form = 'Q'
	FormExists Form = 'E'
)

// Wrapper is when a JSON_QUERY puts its result into an array.
type Wrapper byte

// The wrappers: never, always, and where the result is not one array or object.
const (
	WithoutWrapper     Wrapper = '-'
	UnconditionalArray Wrapper = 'U'
	ConditionalArray   Wrapper = 'C'
)

// Variable is a value that is passed to a path.
type Variable struct {
	Name string
	Sort Sort
	Type string // of a Decimal "decimal(p,s)"; of a Moment what type() says of it
}

// Compile reads the path. An error is a *PathError.
func (q *Query) Compile() error {
	var names []string
	for _, v := range q.Variables {
		names = append(names, v.Name)
	}
	var err error
	q.path, err = ParsePath(q.Text, names)
	return err
}

// Encode is the query as one text, which DecodeQuery reads.
func (q *Query) Encode() string {
	omit := "K"
	if q.Omit {
		omit = "O"
	}
	list := []string{string(q.Form), q.Text, string(q.Wrapper), omit}
	for _, v := range q.Variables {
		list = append(list, v.Name, string(v.Sort), v.Type)
	}
	return string(Encode(list...))
}

// DecodeQuery reads and compiles a query.
func DecodeQuery(text string) (*Query, error) {
	list, err := Fields(text).Decode()
	if err != nil {
		return nil, err
	}
	if len(list) < 4 || len(list)%3 != 1 || len(list[0]) != 1 || len(list[2]) != 1 {
		return nil, errors.New("sqljson: a query that is none")
	}
	q := &Query{Form: Form(list[0][0]), Text: list[1], Wrapper: Wrapper(list[2][0]), Omit: list[3] == "O"}
	for rest := list[4:]; len(rest) > 0; rest = rest[3:] {
		if len(rest[1]) != 1 {
			return nil, errors.New("sqljson: a variable that is none")
		}
		q.Variables = append(q.Variables, Variable{rest[0], Sort(rest[1][0]), rest[2]})
	}
	return q, q.Compile()
}

// The first byte of a Run's result.
const (
	Failed = 'E' // what follows is why
	Empty  = '0' // the path found nothing
	Found  = 'J' // what follows is a JSON_QUERY's text
	True   = 'T' // of a JSON_EXISTS
	False  = 'F'
	// else it is a Sort, and what follows is the text of a JSON_VALUE
)

// Run evaluates the query over a text that is to be JSON. params are the variables' values, each with 'v' before it, or 'n' alone for NULL. The
// error is ErrNotYet, or says that params are no such list.
func (q *Query) Run(input, params string) (string, error) {
	it, err := parse(input, maxDepth)
	if errors.Is(err, errJSON) {
		return string(Failed) + errInput.Error(), nil
	}
	if err != nil {
		return "", err
	}
	values, err := q.params(params)
	if errors.Is(err, errInput) {
		return string(Failed) + err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	seq, err := q.path.run(it, values)
	if errors.Is(err, ErrNotYet) {
		return "", err
	}
	if err != nil {
		return string(Failed) + err.Error(), nil
	}
	switch q.Form {
	case FormExists:
		if len(seq) > 0 {
			return string(True), nil
		}
		return string(False), nil
	case FormValue:
		return valueOf(seq), nil
	}
	return q.jsonOf(seq), nil
}

func (q *Query) params(params string) (map[string]*item, error) {
	list, err := Fields(params).Decode()
	if err != nil {
		return nil, err
	}
	if len(list) != len(q.Variables) {
		return nil, errors.New("sqljson: another number of values than of variables")
	}
	out := map[string]*item{}
	for i, v := range q.Variables {
		sort, text := v.Sort, strings.TrimPrefix(list[i], "v")
		if text == list[i] {
			if sort == JSON {
				continue // no JSON at all
			}
			sort = Null
		}
		if out[v.Name], err = itemOf(sort, text, v.Type); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// valueOf is a JSON_VALUE's result.
func valueOf(seq []*item) string {
	const cannot = "cannot extract SQL scalar from JSON: "
	switch len(seq) {
	case 0:
		return string(Empty)
	case 1:
		sort, text, ok := seq[0].sqlText()
		if !ok {
			return string(Failed) + cannot + "JSON path found an item that cannot be converted to an SQL value"
		}
		return string(sort) + text
	}
	return string(Failed) + cannot + "JSON path found multiple items"
}

// jsonOf is a JSON_QUERY's result.
func (q *Query) jsonOf(seq []*item) string {
	const cannot = "conversion from JSON failed: "
	if len(seq) == 0 {
		return string(Empty)
	}
	for _, it := range seq {
		if it.kind == otherKind {
			return string(Failed) + cannot + "JSON path returned a scalar SQL value that cannot be represented as JSON"
		}
	}
	if q.Wrapper == UnconditionalArray || q.Wrapper == ConditionalArray && (len(seq) != 1 || seq[0].scalar()) {
		seq = []*item{{kind: arrayKind, elems: seq}}
	}
	if len(seq) > 1 {
		return string(Failed) + cannot + "JSON path found multiple items"
	}
	if q.Omit && seq[0].kind == textKind {
		return string(Found) + plain(seq[0].text)
	}
	return string(seq[0].append([]byte{Found}, style{}))
}
