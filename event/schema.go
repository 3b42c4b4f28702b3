package event

import "strings"

// DecoderVersion is the version of the columns that this decoder fills. It is written into every row (_decoder) and
// rises when a column is added or filled otherwise; a column knows the version that it came with (Column.Since).
const DecoderVersion = 1

// Type is the type of a column or a part of one.
type Type uint8

// The types that columns have.
const (
	String    Type = iota + 1
	Boolean        // Num 0 or 1
	Timestamp      // microseconds, without zone; always UTC
	Long           // 64-bit integer
	Int            // 32-bit integer
	Double
	Struct // Fields: its members
	List   // Fields: one, the element
	Map    // Fields: two, the key and the value, both String
)

// Column is one column of a table, or a part of one. Names are lower case.
type Column struct {
	ID     int    // Iceberg field id, unique in the schema; never reused or changed
	Name   string // lower case; for lists "element", for maps "key" and "value"
	JSON   string // the member's name in the event's text, matched exactly; "" where no member of the text fills it
	Type   Type
	Fields []Column
	Since  int  // the decoder version that first filled it; older rows are answered from the text
	Hidden bool // outside SELECT *: what Loch itself records of a row
	// Computed columns are not stored: eventjsonchecksum is derived from eventjson when read. They have no ID and no node.
	Computed bool
}

// NodeInfo describes one node of a schema.
type NodeInfo struct {
	Column  *Column
	Parent  Node   // itself for top-level columns
	Path    string // dotted lower-case path, for example "useridentity.sessioncontext.attributes.mfaauthenticated"
	FirstID Node   // first child, 0 where it has none
	End     Node   // one past the last node below this one
	Top     Node   // the top-level column that this node lies in
	InList  bool   // the node lies below a list, so that its fields carry Elem
}

// TableSchema is the schema of one kind of event data store: the event's own columns, then the hidden ones.
type TableSchema struct {
	Kind    Kind
	Columns []Column   // top level, in order
	Nodes   []NodeInfo // pre-order walk of Columns, without computed ones
	Text    Node       // the column that holds Record.Text: eventjson or _received. No Field carries it.

	paths map[string]Node
}

// Schema gives the schema of a kind, the same pointer each time, and nil for a kind that there is not. It must not be changed.
func Schema(k Kind) *TableSchema {
	if k < CloudTrail || k > Evidence {
		return nil
	}
	return schemas[k]
}

// Kinds lists every kind that has a schema.
func Kinds() []Kind { return []Kind{CloudTrail, Activity, Insight, ConfigurationItem, Evidence} }

// Node finds a node by its dotted path without regard to case: "userIdentity.arn", "resources.element.type",
// "requestparameters.value". Computed columns have none.
func (s *TableSchema) Node(path string) (Node, bool) {
	if n, ok := s.paths[path]; ok {
		return n, true
	}
	n, ok := s.paths[strings.ToLower(path)]
	return n, ok
}

// Must is Node for paths that the code itself names; it panics where there is none.
func (s *TableSchema) Must(path string) Node {
	n, ok := s.Node(path)
	if !ok {
		panic("event: schema " + s.Kind.String() + " has no column " + path)
	}
	return n
}

// Column finds a top-level column, computed ones too, without regard to case.
func (s *TableSchema) Column(name string) (*Column, bool) {
	for i := range s.Columns {
		if strings.EqualFold(s.Columns[i].Name, name) {
			return &s.Columns[i], true
		}
	}
	return nil, false
}

// String names a kind the way errors and logs do.
func (k Kind) String() string {
	switch k {
	case CloudTrail:
		return "CloudTrail"
	case Activity:
		return "ActivityAuditLog"
	case Insight:
		return "Insight"
	case ConfigurationItem:
		return "ConfigurationItem"
	case Evidence:
		return "Evidence"
	}
	return "unknown"
}

var schemas = [...]*TableSchema{
	CloudTrail:        newSchema(CloudTrail, cloudTrailColumns),
	Activity:          newSchema(Activity, activityColumns),
	Insight:           newSchema(Insight, insightColumns),
	ConfigurationItem: newSchema(ConfigurationItem, configurationItemColumns),
	Evidence:          newSchema(Evidence, evidenceColumns),
}

func newSchema(k Kind, columns []Column) *TableSchema {
	s := &TableSchema{Kind: k, Columns: append(columns[:len(columns):len(columns)], hiddenColumns(k)...), paths: map[string]Node{}}
	for i := range s.Columns {
		if c := &s.Columns[i]; !c.Computed {
			s.walk(c, "", 0, true, false)
		}
	}
	text := "_received"
	if k == CloudTrail {
		text = "eventjson"
	}
	s.Text = s.Must(text)
	return s
}

func (s *TableSchema) walk(c *Column, prefix string, parent Node, top, inList bool) {
	n := Node(len(s.Nodes))
	info := NodeInfo{Column: c, Parent: parent, Path: prefix + c.Name, InList: inList}
	if top {
		info.Parent, info.Top = n, n
	} else {
		info.Top = s.Nodes[parent].Top
	}
	if len(c.Fields) > 0 {
		info.FirstID = n + 1
	}
	s.Nodes = append(s.Nodes, info)
	s.paths[info.Path] = n
	for i := range c.Fields {
		s.walk(&c.Fields[i], info.Path+".", n, false, inList || c.Type == List)
	}
	s.Nodes[n].End = Node(len(s.Nodes))
}
