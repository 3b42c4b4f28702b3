package lake

import (
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/lochlake/loch/event"
)

// leaf is one Parquet column: a scalar, or a map's keys or values.
type leaf struct {
	node     event.Node
	col      *event.Column
	path     string // of the node: dotted, lower case
	since    int    // the decoder version that first filled it, or what it lies in
	maxDef   uint8
	maxRep   uint8
	repeated bool             // below a list or map
	dict     bool             // a dictionary is tried
	bloom    bool             // a bloom filter is written
	bounds   bool             // lower and upper bounds go to the table's metadata
	page     int              // bytes of texts in a page
	encoding parquet.Encoding // of values that no dictionary has
}

func (l *leaf) text() bool { return l.col.Type == event.String }

// role is what a node does when a Field names it.
type role uint8

const (
	roleScalar role = iota
	roleStruct
	roleList
	roleElement
	roleMap
	roleValue
)

// place is one node's part in shredding.
type place struct {
	role   role
	level  uint8 // definition level when the node is there (for lists and maps: there and empty)
	lo, hi int   // leaves below it
	list   int   // of a list or an element: index among the lists
}

// layout says how records of one kind become Parquet columns.
type layout struct {
	schema *event.TableSchema
	leaves []leaf
	places []place // by event.Node
	lists  int
	parq   *schema.Schema
	props  *parquet.WriterProperties
	byPath map[string]int // leaf by dotted path; only those that planning may compare: not repeated
	byID   map[int32]int  // leaf by field id
	hidden hiddenLeaves
	pool   sync.Pool // *encoder
}

// hiddenLeaves are the columns that no Field carries.
type hiddenLeaves struct {
	text, time                                                                 int
	writer, epoch, sequence, position, accepted, provenance, decoder, conflict int
}

// kept tells whether a row keeps what the leaf holds when its event is erased: the envelope, the identity and the time. Its text becomes a tombstone.
func (l *layout) kept(leaf int) bool {
	h := &l.hidden
	switch leaf {
	case h.text, h.time, h.writer, h.epoch, h.sequence, h.position, h.accepted, h.provenance, h.decoder, h.conflict:
		return true
	}
	return l.leaves[leaf].path == "eventid"
}

var layouts sync.Map // event.Kind → *layout

func layoutOf(ts *event.TableSchema) (*layout, error) {
	if l, ok := layouts.Load(ts.Kind); ok {
		return l.(*layout), nil
	}
	l, err := newLayout(ts)
	if err != nil {
		return nil, fmt.Errorf("schema of kind %s: %w", ts.Kind, err)
	}
	got, _ := layouts.LoadOrStore(ts.Kind, l)
	return got.(*layout), nil
}

// Columns whose values hardly ever repeat: a dictionary would be built in vain.
var distinctive = map[string]bool{
	"eventjson": true, "_received": true, "eventid": true, "requestid": true, "sharedeventid": true, "eventdata.uid": true,
}

// Columns that have a bloom filter: what an investigation looks for by exact value.
var bloomed = map[string]bool{
	"eventid": true, "sourceipaddress": true, "useridentity.accesskeyid": true, "useridentity.arn": true, "useridentity.principalid": true,
	"eventdata.uid": true, "eventdata.sourceipaddress": true, "eventdata.useridentity.principalid": true,
}

// Columns that are never compared with a literal as a whole.
var boundless = map[string]bool{"eventjson": true, "_received": true}

const (
	pageBytes     = 256 << 10
	textPageBytes = 2 << 20 // exact texts: a large page compresses better, but is unpacked for a single row, too; with 4 MiB files are 0.5 % smaller
	textWindow    = 2 << 20 // of the compressor: a power of two
)

func newLayout(ts *event.TableSchema) (*layout, error) {
	l := &layout{schema: ts, places: make([]place, len(ts.Nodes)), byPath: make(map[string]int), byID: make(map[int32]int)}
	var top schema.FieldList
	for n := 0; n < len(ts.Nodes); n = int(ts.Nodes[n].End) {
		node, err := l.add(event.Node(n), 0, 0)
		if err != nil {
			return nil, err
		}
		top = append(top, node)
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, top, -1)
	if err != nil {
		return nil, err
	}
	l.parq = schema.NewSchema(root)
	props := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCreatedBy("loch"),
	}
	for i := range l.leaves {
		props = append(props, parquet.WithEncodingFor(l.parq.Column(i).Path(), l.leaves[i].encoding))
	}
	l.props = parquet.NewWriterProperties(props...)
	l.hidden = hiddenLeaves{text: l.places[ts.Text].lo}
	for name, at := range map[string]*int{
		"eventtime": &l.hidden.time, "_writer": &l.hidden.writer, "_epoch": &l.hidden.epoch, "_sequence": &l.hidden.sequence,
		"_position": &l.hidden.position, "_accepted": &l.hidden.accepted, "_provenance": &l.hidden.provenance,
		"_decoder": &l.hidden.decoder, "_conflict": &l.hidden.conflict,
	} {
		i, ok := l.byPath[name]
		if !ok {
			return nil, fmt.Errorf("no column %s", name)
		}
		*at = i
	}
	l.pool.New = func() any { return newEncoder(l) }
	return l, nil
}

// add lays out a node that stands below def definition and rep repetition levels, and gives its Parquet node.
func (l *layout) add(n event.Node, def, rep uint8) (schema.Node, error) {
	info := &l.schema.Nodes[n]
	c := info.Column
	p := &l.places[n]
	p.level, p.lo = def+1, len(l.leaves)
	switch c.Type {
	case event.Struct:
		p.role = roleStruct
		fields, err := l.members(n, def+1, rep)
		if err != nil {
			return nil, err
		}
		p.hi = len(l.leaves)
		return schema.NewGroupNode(c.Name, parquet.Repetitions.Optional, fields, int32(c.ID))
	case event.List:
		if rep > 0 {
			return nil, fmt.Errorf("column %s: a list in a list or map", info.Path)
		}
		p.role, p.list = roleList, l.lists
		l.lists++
		el := info.FirstID
		elem, err := l.add(el, def+2, rep+1)
		if err != nil {
			return nil, err
		}
		p.hi = len(l.leaves)
		if l.places[el].role != roleStruct {
			return nil, fmt.Errorf("column %s: a list of something other than structs", info.Path)
		}
		l.places[el].role, l.places[el].list = roleElement, p.list
		inner, err := schema.NewGroupNode("list", parquet.Repetitions.Repeated, schema.FieldList{elem}, -1)
		if err != nil {
			return nil, err
		}
		return schema.NewGroupNodeLogical(c.Name, parquet.Repetitions.Optional, schema.FieldList{inner}, schema.NewListLogicalType(), int32(c.ID))
	case event.Map:
		if rep > 0 {
			return nil, fmt.Errorf("column %s: a map in a list or map", info.Path)
		}
		p.role = roleMap
		key, value := info.FirstID, info.FirstID+1
		l.places[key] = place{role: roleValue, level: def + 2, lo: len(l.leaves), hi: len(l.leaves) + 1}
		l.leaf(key, def+2, rep+1)
		l.places[value] = place{role: roleValue, level: def + 3, lo: len(l.leaves), hi: len(l.leaves) + 1}
		l.leaf(value, def+3, rep+1)
		p.hi = len(l.leaves)
		str := schema.StringLogicalType{}
		kn, err := schema.NewPrimitiveNodeLogical("key", parquet.Repetitions.Required, str, parquet.Types.ByteArray, -1, int32(c.Fields[0].ID))
		if err != nil {
			return nil, err
		}
		vn, err := schema.NewPrimitiveNodeLogical("value", parquet.Repetitions.Optional, str, parquet.Types.ByteArray, -1, int32(c.Fields[1].ID))
		if err != nil {
			return nil, err
		}
		inner, err := schema.NewGroupNode("key_value", parquet.Repetitions.Repeated, schema.FieldList{kn, vn}, -1)
		if err != nil {
			return nil, err
		}
		return schema.NewGroupNodeLogical(c.Name, parquet.Repetitions.Optional, schema.FieldList{inner}, schema.MapLogicalType{}, int32(c.ID))
	}
	p.role = roleScalar
	l.leaf(n, def+1, rep)
	p.hi = len(l.leaves)
	return scalarNode(c)
}

func (l *layout) members(n event.Node, def, rep uint8) (schema.FieldList, error) {
	var fields schema.FieldList
	for m := l.schema.Nodes[n].FirstID; m < l.schema.Nodes[n].End; m = l.schema.Nodes[m].End {
		node, err := l.add(m, def, rep)
		if err != nil {
			return nil, err
		}
		fields = append(fields, node)
	}
	return fields, nil
}

func (l *layout) leaf(n event.Node, def, rep uint8) {
	info := &l.schema.Nodes[n]
	lf := leaf{node: n, col: info.Column, path: info.Path, since: info.Column.Since, maxDef: def, maxRep: rep, repeated: rep > 0, page: pageBytes}
	for m := n; l.schema.Nodes[m].Parent != m; {
		m = l.schema.Nodes[m].Parent
		lf.since = max(lf.since, l.schema.Nodes[m].Column.Since)
	}
	lf.dict = lf.text() && !distinctive[lf.path]
	lf.bloom = bloomed[lf.path]
	lf.bounds = !lf.repeated && !boundless[lf.path] && lf.col.Type != event.Double
	switch {
	case boundless[lf.path]:
		lf.page = textPageBytes
	case lf.text() && !lf.dict:
		lf.encoding = parquet.Encodings.DeltaLengthByteArray // ids of one length: nothing but their letters is left
	case lf.path == "eventtime":
		lf.encoding = parquet.Encodings.DeltaBinaryPacked // mostly in order
	}
	if !lf.repeated {
		l.byPath[lf.path] = len(l.leaves)
	}
	l.byID[int32(lf.col.ID)] = len(l.leaves)
	l.leaves = append(l.leaves, lf)
}

func scalarNode(c *event.Column) (schema.Node, error) {
	opt := parquet.Repetitions.Optional
	switch c.Type {
	case event.String:
		return schema.NewPrimitiveNodeLogical(c.Name, opt, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, int32(c.ID))
	case event.Boolean:
		return schema.NewPrimitiveNode(c.Name, opt, parquet.Types.Boolean, int32(c.ID), -1)
	case event.Timestamp:
		micros := schema.NewTimestampLogicalType(false, schema.TimeUnitMicros)
		return schema.NewPrimitiveNodeLogical(c.Name, opt, micros, parquet.Types.Int64, -1, int32(c.ID))
	case event.Long:
		return schema.NewPrimitiveNode(c.Name, opt, parquet.Types.Int64, int32(c.ID), -1)
	case event.Int:
		return schema.NewPrimitiveNode(c.Name, opt, parquet.Types.Int32, int32(c.ID), -1)
	case event.Double:
		return schema.NewPrimitiveNode(c.Name, opt, parquet.Types.Double, int32(c.ID), -1)
	}
	return nil, fmt.Errorf("column %s has unknown type %d", c.Name, c.Type)
}
