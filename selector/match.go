package selector

import "github.com/lochlake/loch/event"

// Set is a store's compiled selectors. It does not change and may be used from many goroutines.
type Set struct {
	kind      event.Kind
	selectors []compiled

	// The fields that conditions look at are brought to slots in one walk over an event's fields.
	slots []uint8           // by node: the slot's number plus 1, 0 where no condition looks at the node
	keys  [maxSlots]string  // by slot: the map's key, "" where the node is no map's value
	nodes [maxSlots]slotKey // by slot, while compiling
	used  int
}

// maxSlots bounds the scalar fields that the rules know for one kind.
const maxSlots = 8

type slotKey struct {
	node event.Node
	key  string
}

// compiled is one selector: all of it must be true of an event.
type compiled struct {
	category   string
	conditions []condition
	resource   *resource // nil: no condition on resources
}

// condition is what one field selector asks of a scalar field.
type condition struct {
	slotKey
	slot int
	test
}

// resource is what the field selectors on resources ask.
type resource struct {
	typ string
	arn *test // nil: any
}

// test is the operators of one field selector, by AWS's rule ("How CloudTrail evaluates multiple conditions for a field"
// in the user guide): Equals, StartsWith and EndsWith select and are alternatives; NotEquals, NotStartsWith and
// NotEndsWith deselect, each by itself; both groups must agree.
type test struct {
	selects   terms
	excludes  terms
	selective bool // there is something in selects
}

// terms are values to compare with, by operator.
type terms struct {
	exact    map[string]struct{}
	one      string // the only exact value, instead of a map
	prefixes []string
	suffixes []string
}

// Kind is the kind of store that the selectors make.
func (s *Set) Kind() event.Kind { return s.kind }

// Categories are the event categories that the selectors name, each once.
func (s *Set) Categories() []string {
	var out []string
	for _, name := range categories {
		for i := range s.selectors {
			if s.selectors[i].category == name {
				out = append(out, name)
				break
			}
		}
	}
	return out
}

// add makes a condition of a field selector that keeps the rules.
func (c *compiled) add(f *field, r rule) {
	switch f.Field {
	case fieldCategory:
		return // it is the selector's category
	case fieldResourceType:
		c.resources().typ = f.Equals[0]
	case fieldResourceARN:
		t := newTest(f)
		c.resources().arn = &t
	default:
		c.conditions = append(c.conditions, condition{slotKey: slotKey{r.node, r.key}, test: newTest(f)})
	}
}

func (c *compiled) resources() *resource {
	if c.resource == nil {
		c.resource = &resource{}
	}
	return c.resource
}

func newTest(f *field) test {
	return test{
		selects:   newTerms(f.Equals, f.StartsWith, f.EndsWith),
		excludes:  newTerms(f.NotEquals, f.NotStartsWith, f.NotEndsWith),
		selective: len(f.Equals)+len(f.StartsWith)+len(f.EndsWith) > 0,
	}
}

func newTerms(exact, prefixes, suffixes []string) terms {
	t := terms{prefixes: prefixes, suffixes: suffixes}
	if len(exact) == 1 {
		t.one = exact[0] // values are never empty
	} else if len(exact) > 1 {
		t.exact = make(map[string]struct{}, len(exact))
		for _, v := range exact {
			t.exact[v] = struct{}{}
		}
	}
	return t
}

// prepare gives every condition its slot.
func (s *Set) prepare() {
	for i := range s.selectors {
		for j := range s.selectors[i].conditions {
			c := &s.selectors[i].conditions[j]
			c.slot = s.slot(c.slotKey)
		}
	}
}

func (s *Set) slot(k slotKey) int {
	for i := range s.used {
		if s.nodes[i] == k {
			return i
		}
	}
	if s.slots == nil {
		s.slots = make([]uint8, len(event.Schema(s.kind).Nodes))
	}
	n := s.used
	s.used++
	s.nodes[n], s.keys[n] = k, k.key
	s.slots[k.node] = uint8(n + 1)
	return n
}

var (
	yes          = []byte("true")
	no           = []byte("false")
	readOnly     = event.Schema(event.CloudTrail).Must("readonly")
	resources    = event.Schema(event.CloudTrail).Must("resources")
	resourceEnd  = event.Schema(event.CloudTrail).Nodes[resources].End
	resourceARN  = event.Schema(event.CloudTrail).Must("resources.element.arn")
	resourceKind = event.Schema(event.CloudTrail).Must("resources.element.type")
)

// Match tells whether a selector lets the event through: its category is the selector's and every field selector agrees.
//
// A field that the event does not have passes the excluding operators and fails the others. Of the resources, those of the selector's
// resources.type count: one must be selected by resources.ARN, and none excluded ("if any of the DESELECT operator conditions are met, the event
// is not delivered").
func (s *Set) Match(r *event.Record) bool {
	if r.Kind != s.kind {
		return false
	}
	var found [maxSlots][]byte
	gathered := false
	for i := range s.selectors {
		c := &s.selectors[i]
		if c.category != r.Category {
			continue
		}
		if len(c.conditions) > 0 && !gathered {
			s.gather(r, &found)
			gathered = true
		}
		if c.match(r, &found) {
			return true
		}
	}
	return false
}

// gather finds the values of the slots, nil where the event has none.
func (s *Set) gather(r *event.Record, found *[maxSlots][]byte) {
	left := s.used
	for i := range r.Fields {
		f := &r.Fields[i]
		n := s.slots[f.Node]
		if n == 0 || s.keys[n-1] != "" && s.keys[n-1] != string(r.Key(f)) {
			continue
		}
		v := r.Val(f)
		if f.Node == readOnly && s.kind == event.CloudTrail {
			if v = no; f.Num != 0 {
				v = yes
			}
		} else if v == nil && s.keys[n-1] == "" {
			v = empty // present: a scalar that is absent has no Field
		}
		found[n-1] = v
		if left--; left == 0 {
			return
		}
	}
}

var empty = []byte{}

func (c *compiled) match(r *event.Record, found *[maxSlots][]byte) bool {
	for i := range c.conditions {
		if d := &c.conditions[i]; !d.pass(found[d.slot]) {
			return false
		}
	}
	return c.resource == nil || c.resource.match(r)
}

// pass tells whether a value, nil where the event has none, passes both groups of operators.
func (t *test) pass(v []byte) bool {
	if v == nil {
		return !t.selective
	}
	return !t.excludes.hold(v) && (!t.selective || t.selects.hold(v))
}

func (t *terms) hold(v []byte) bool {
	if t.one != "" && t.one == string(v) {
		return true
	}
	if t.exact != nil {
		if _, ok := t.exact[string(v)]; ok {
			return true
		}
	}
	for _, p := range t.prefixes {
		if len(v) >= len(p) && string(v[:len(p)]) == p {
			return true
		}
	}
	for _, p := range t.suffixes {
		if len(v) >= len(p) && string(v[len(v)-len(p):]) == p {
			return true
		}
	}
	return false
}

// match looks at the resources of the type, whose fields lie together, element by element.
func (q *resource) match(r *event.Record) bool {
	var kind, arn []byte
	selected, elem := false, -1
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.Node <= resources || f.Node >= resourceEnd {
			if elem >= 0 && f.Node != resources {
				break // behind the list
			}
			continue
		}
		if int(f.Elem) != elem {
			if elem >= 0 && q.excluded(kind, arn, &selected) {
				return false
			}
			elem, kind, arn = int(f.Elem), nil, nil
		}
		switch f.Node {
		case resourceKind:
			kind = r.Val(f)
		case resourceARN:
			arn = r.Val(f)
		}
	}
	return !q.excluded(kind, arn, &selected) && selected
}

// excluded tells whether a resource of the type is excluded by its ARN, and notes whether it is selected.
func (q *resource) excluded(kind, arn []byte, selected *bool) bool {
	if string(kind) != q.typ {
		return false
	}
	if q.arn == nil {
		*selected = true
		return false
	}
	if arn != nil && q.arn.excludes.hold(arn) {
		return true
	}
	*selected = *selected || q.arn.pass(arn)
	return false
}
