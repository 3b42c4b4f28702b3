package event_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lochlake/loch/event"
)

var write = flag.Bool("write", false, "write testdata/schemas.txt for columns that are new")

var typeNames = map[event.Type]string{
	event.String: "string", event.Boolean: "boolean", event.Timestamp: "timestamp", event.Long: "long", event.Int: "int",
	event.Double: "double", event.Struct: "struct", event.List: "list", event.Map: "map",
}

// TestSchemasStay holds the schemas against the list of columns that tables have been written with: columns and ids may be added, never changed.
func TestSchemasStay(t *testing.T) {
	var b strings.Builder
	for _, k := range event.Kinds() {
		s := event.Schema(k)
		if len(s.Nodes) > 256 {
			t.Errorf("%v has %d nodes; the decoder keeps track of 256", k, len(s.Nodes))
		}
		ids := map[int]string{}
		for i := range s.Nodes {
			n := &s.Nodes[i]
			if other := ids[n.Column.ID]; other != "" || n.Column.ID == 0 {
				t.Errorf("%v: %s and %s have the id %d", k, other, n.Path, n.Column.ID)
			}
			ids[n.Column.ID] = n.Path
			fmt.Fprintf(&b, "%v %d %s %s %q hidden=%v since=%d\n", k, n.Column.ID, n.Path, typeNames[n.Column.Type], n.Column.JSON, n.Column.Hidden, n.Column.Since)
			if got, ok := s.Node(strings.ToUpper(n.Path)); !ok || got != event.Node(i) {
				t.Errorf("%v: Node(%q) is %d, %v", k, n.Path, got, ok)
			}
		}
	}
	path := filepath.Join("testdata", "schemas.txt")
	if *write {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(was) {
		t.Errorf("the schemas differ from %s:\n%s", path, got)
	}
}

func TestSchemaShape(t *testing.T) {
	s := event.Schema(event.CloudTrail)
	n := s.Must("useridentity.sessioncontext.attributes.mfaauthenticated")
	info := s.Nodes[n]
	if got := s.Nodes[info.Top].Path; got != "useridentity" {
		t.Errorf("top is %s", got)
	}
	if got := s.Nodes[info.Parent].Path; got != "useridentity.sessioncontext.attributes" {
		t.Errorf("parent is %s", got)
	}
	if !s.Nodes[s.Must("resources.element.arn")].InList || s.Nodes[s.Must("resources")].InList {
		t.Error("InList is wrong about resources")
	}
	if c, ok := s.Column("EVENTJSONCHECKSUM"); !ok || !c.Computed {
		t.Error("eventjsonchecksum is not computed")
	}
	if _, ok := s.Node("eventjsonchecksum"); ok {
		t.Error("eventjsonchecksum has a node")
	}
	var names []string
	for _, c := range s.Columns {
		names = append(names, c.Name)
	}
	want := "eventversion useridentity eventtime eventsource eventname awsregion sourceipaddress useragent errorcode errormessage requestparameters " +
		"responseelements additionaleventdata requestid eventid readonly resources eventtype apiversion managementevent recipientaccountid sharedeventid " +
		"annotation vpcendpointid vpcendpointaccountid serviceeventdetails addendum edgedevicedetails insightdetails eventcategory tlsdetails " +
		"sessioncredentialfromconsole eventjson eventjsonchecksum _writer _epoch _sequence _position _accepted _provenance _decoder _conflict"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("columns are\n%s, not\n%s", got, want)
	}
	if event.Schema(0) != nil || event.Schema(9) != nil {
		t.Error("a kind that there is not has a schema")
	}
	for _, k := range event.Kinds() {
		if got := event.Schema(k).Nodes[event.Schema(k).Text].Path; (got == "eventjson") != (k == event.CloudTrail) {
			t.Errorf("%v keeps its text in %s", k, got)
		}
	}
}
