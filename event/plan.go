package event

import (
	"encoding/binary"
	"math/bits"
)

// plan says what becomes of the value of a known member: which node it fills, and as what.
type plan struct {
	node  Node
	end   Node // one past the nodes below
	typ   Type
	quiet bool    // a level of the text that no column mirrors: its members are brought elsewhere
	obj   *object // of a Struct
	elem  *plan   // of a List
	value Node    // of a Map
}

// object finds the plans of an object's members by name, with one hash and one comparison. The hash has no collisions: newObject looks for a
// multiplier with that property.
type object struct {
	mul   uint64
	shift uint8
	slots []slot
}

type slot struct {
	name string
	plan *plan
}

// nameWord folds a name into a word: its first and last bytes and its length tell the members of an object apart.
func nameWord(name []byte) uint64 {
	n := len(name)
	if n >= 8 {
		return (binary.LittleEndian.Uint64(name) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(name[n-8:]), 29)) + uint64(n)
	}
	if n >= 4 {
		return uint64(binary.LittleEndian.Uint32(name))<<32 | uint64(binary.LittleEndian.Uint32(name[n-4:])) ^ uint64(n)
	}
	if n == 0 {
		return 0
	}
	return uint64(name[0])<<16 | uint64(name[n/2])<<8 | uint64(name[n-1])
}

func (o *object) find(name []byte) *plan {
	s := &o.slots[nameWord(name)*o.mul>>o.shift]
	if s.name == string(name) {
		return s.plan
	}
	return nil
}

func newObject(members map[string]*plan) *object {
	logSize := bits.Len(uint(len(members))) + 1
	for mul := uint64(0x9e3779b97f4a7c15); ; mul = mul*0x5851f42d4c957f2d + 2 {
		o := &object{mul: mul | 1, shift: uint8(64 - logSize), slots: make([]slot, 1<<logSize)}
		if o.fill(members) {
			return o
		}
	}
}

func (o *object) fill(members map[string]*plan) bool {
	for name, p := range members {
		s := &o.slots[nameWord([]byte(name))*o.mul>>o.shift]
		if s.plan != nil {
			return false
		}
		*s = slot{name: name, plan: p}
	}
	return true
}

// role marks the top-level nodes that a Record's own members come from.
type role uint8

const (
	noRole role = iota
	versionRole
	timeRole
	idRole
	categoryRole
	typeRole
	sourceRole
	nameRole
	regionRole
	recipientRole
	managementRole
	dataRole // eventdata
)

var roleNames = map[string]role{
	"eventversion": versionRole, "eventtime": timeRole, "eventid": idRole, "eventcategory": categoryRole, "eventtype": typeRole,
	"eventsource": sourceRole, "eventname": nameRole, "awsregion": regionRole, "recipientaccountid": recipientRole,
	"managementevent": managementRole, "eventdata": dataRole,
}

// layout is what decoding into one kind needs.
type layout struct {
	schema *TableSchema
	top    *object
	roles  []role // by node
	nodes  [dataRole + 1]Node
	data   *plan // of eventdata
}

var layouts = func() (l [Evidence + 1]*layout) {
	for _, k := range Kinds() {
		l[k] = newLayout(schemas[k])
	}
	return l
}()

func newLayout(s *TableSchema) *layout {
	l := &layout{schema: s, roles: make([]role, len(s.Nodes))}
	members := map[string]*plan{}
	for n := Node(0); int(n) < len(s.Nodes); n = s.Nodes[n].End {
		if name := s.Nodes[n].Column.JSON; name != "" {
			members[name] = newPlan(s, n)
		}
		if r := roleNames[s.Nodes[n].Path]; r != noRole {
			l.roles[n] = r
			l.nodes[r] = n
			if r == dataRole {
				l.data = members[s.Nodes[n].Column.JSON]
			}
		}
	}
	if s.Kind == Insight {
		addInsightDetails(s, members)
	}
	l.top = newObject(members)
	return l
}

func newPlan(s *TableSchema, n Node) *plan {
	info := &s.Nodes[n]
	p := &plan{node: n, end: info.End, typ: info.Column.Type}
	switch p.typ {
	case Struct:
		members := map[string]*plan{}
		for c := info.FirstID; c < info.End; c = s.Nodes[c].End {
			members[s.Nodes[c].Column.JSON] = newPlan(s, c)
		}
		p.obj = newObject(members)
	case List:
		p.elem = newPlan(s, info.FirstID)
	case Map:
		p.value = info.FirstID + 1
	}
	return p
}

// addInsightDetails brings the members of insightDetails, where the events of log files have their insight ("CloudTrail record contents for
// Insights events for trails" in the AWS user guide), to the columns that an event data store has for them.
func addInsightDetails(s *TableSchema, members map[string]*plan) {
	quiet := func(m map[string]*plan) *plan { return &plan{typ: Struct, quiet: true, obj: newObject(m)} }
	at := func(path string) *plan { return newPlan(s, s.Must(path)) }
	const context = "insightcontext."
	statistics := quiet(map[string]*plan{
		"baseline":         quiet(map[string]*plan{"average": at(context + "baselineaverage")}),
		"insight":          quiet(map[string]*plan{"average": at(context + "insightaverage")}),
		"baselineDuration": at(context + "baselineduration"),
		"insightDuration":  at(context + "insightduration"),
	})
	contextMembers := map[string]*plan{"statistics": statistics}
	for _, name := range []string{"baselineAverage", "insightAverage", "baselineDuration", "insightDuration", "attributions"} {
		contextMembers[name] = at(context + name)
	}
	insightContext := at("insightcontext")
	insightContext.obj = newObject(contextMembers)
	members["insightContext"] = insightContext
	members["insightDetails"] = quiet(map[string]*plan{
		"state":          at("insightstate"),
		"eventSource":    at("insighteventsource"),
		"eventName":      at("insighteventname"),
		"errorCode":      at("insighterrorcode"),
		"insightType":    at("insighttype"),
		"source":         at("insightsource"),
		"insightContext": insightContext,
	})
}
