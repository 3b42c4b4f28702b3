package event

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
	JSON   string // the member's name in the event's text; matched exactly
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
}

// TableSchema is the schema of one kind of event data store: the event's own columns, then the hidden ones.
type TableSchema struct {
	Kind    Kind
	Columns []Column   // top level, in order
	Nodes   []NodeInfo // pre-order walk of Columns
}
