package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lochlake/loch/event"
	"pgregory.net/rapid"
)

// The decoder is held against a second, naive one over encoding/json.

type naiveObject map[string]json.RawMessage

func asObject(raw json.RawMessage) (o naiveObject, ok bool) {
	return o, len(raw) > 0 && raw[0] == '{' && json.Unmarshal(raw, &o) == nil
}

func asText(raw json.RawMessage) []byte {
	if raw[0] != '"' {
		return raw
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		panic("not a string: " + string(raw))
	}
	return []byte(s)
}

type naive struct {
	schema *event.TableSchema
	rec    event.Record // made with copies of its texts
}

func (d *naive) members(n event.Node, elem uint16, o naiveObject) {
	s := d.schema
	for c := s.Nodes[n].FirstID; c < s.Nodes[n].End; c = s.Nodes[c].End {
		d.value(c, elem, o[s.Nodes[c].Column.JSON])
	}
}

func (d *naive) value(n event.Node, elem uint16, raw json.RawMessage) {
	if len(raw) == 0 || raw[0] == 'n' {
		return
	}
	info := d.schema.Nodes[n]
	put := func(num int64, val []byte) {
		d.rec.Add(n, elem, num, nil, val)
	}
	text := asText(raw)
	switch info.Column.Type {
	case event.String:
		put(0, text)
	case event.Boolean:
		if b, err := strconv.ParseBool(string(text)); err == nil && len(text) > 3 && bytes.Equal(text, bytes.ToLower(text)) {
			put(map[bool]int64{true: 1}[b], nil)
		}
	case event.Timestamp:
		if t, ok := event.ParseTime(text); ok {
			put(t, nil)
		}
	case event.Int:
		if i, err := strconv.ParseInt(string(text), 10, 32); err == nil {
			put(i, nil)
		}
	case event.Double:
		if f, err := strconv.ParseFloat(string(text), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			put(int64(math.Float64bits(f)), nil)
		}
	case event.Struct:
		var elements []json.RawMessage
		if raw[0] == '[' && json.Unmarshal(raw, &elements) == nil {
			for _, e := range elements {
				if o, ok := asObject(e); ok {
					put(0, nil)
					d.members(n, elem, o)
					return
				}
			}
		}
		if o, ok := asObject(raw); ok {
			put(0, nil)
			d.members(n, elem, o)
		}
	case event.Map:
		if o, ok := asObject(raw); ok {
			put(0, nil)
			for k, v := range o {
				var val []byte
				if v[0] != 'n' {
					val = asText(v)
				}
				d.rec.Add(info.FirstID+1, elem, 0, []byte(k), val)
			}
		}
	case event.List:
		var elements []json.RawMessage
		if raw[0] == '[' && json.Unmarshal(raw, &elements) == nil {
			put(int64(len(elements)), nil)
			for i, e := range elements {
				if o, ok := asObject(e); ok {
					d.rec.Add(info.FirstID, uint16(i), 0, nil, nil)
					d.members(info.FirstID, uint16(i), o)
				}
			}
		}
	}
}

// naiveFields gives what the naive decoder finds, in no order.
func naiveFields(s *event.TableSchema, text []byte) *event.Record {
	var top naiveObject
	if err := json.Unmarshal(text, &top); err != nil {
		panic(err)
	}
	d := &naive{schema: s}
	for n := event.Node(0); int(n) < len(s.Nodes); n = s.Nodes[n].End {
		if name := s.Nodes[n].Column.JSON; name != "" {
			d.value(n, 0, top[name])
		}
	}
	return &d.rec
}

func lines(r *event.Record) []string {
	var out []string
	for i := range r.Fields {
		f := &r.Fields[i]
		out = append(out, fmt.Sprintf("%d[%d] %d %q=%q %v", f.Node, f.Elem, f.Num, r.Key(f), r.Val(f), r.Val(f) == nil))
	}
	slices.Sort(out)
	return out
}

// depth is how deep a valid JSON text is nested.
func depth(text []byte) (most int) {
	dec := json.NewDecoder(bytes.NewReader(text))
	for now := 0; ; {
		tok, err := dec.Token()
		if err != nil {
			return most
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			now++
			most = max(most, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

type failer interface {
	Fatalf(format string, args ...any)
	Helper()
}

// agree decodes text both ways.
func agree(t failer, d *event.Decoder, text []byte) {
	t.Helper()
	r, err := d.Decode(text)
	trimmed := bytes.Trim(text, " \t\r\n")
	valid := json.Valid(text) && utf8.Valid(text) && depth(text) <= event.MaxDepth && len(trimmed) <= event.MaxEventSize
	if err != nil {
		var e *event.Error
		if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) {
			t.Fatalf("the error of %q is %#v", text, err)
		}
		switch e.Fault {
		case event.NotObject:
			if len(trimmed) == 0 || trimmed[0] == '{' {
				t.Fatalf("%q is no object?", text)
			}
		case event.NoTime, event.BadTime, event.TimeBounds:
			// Faults of the time are found before anything that follows the event.
			if end, _ := d.DecodeAt(&event.Record{}, trimmed, 0); end == len(trimmed) && !valid {
				t.Fatalf("%q is not valid, but its time is complained of: %v", text, err)
			}
		default:
			if valid {
				t.Fatalf("%q is valid, but: %v", text, err)
			}
		}
		return
	}
	if !valid {
		t.Fatalf("%q is not valid, but decoded", text)
	}
	if !bytes.Equal(r.Text, trimmed) {
		t.Fatalf("the text of %q is %q", text, r.Text)
	}
	s := event.Schema(r.Kind)
	// Insights have two shapes, which the naive decoder does not know; a list of more than 65,535 elements is cut.
	if r.Kind != event.Insight && len(text) < math.MaxUint16 {
		if got, want := lines(&r), lines(naiveFields(s, text)); !slices.Equal(got, want) {
			t.Fatalf("the fields of %q are\n%s\nnot\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	orderly(t, s, &r)
}

// orderly checks what Field promises: a parent comes before what lies below it, without a gap.
func orderly(t failer, s *event.TableSchema, r *event.Record) {
	t.Helper()
	var open []event.Field
	seen := map[string]bool{}
	for _, f := range r.Fields {
		for len(open) > 0 {
			top := open[len(open)-1]
			if f.Node > top.Node && f.Node < s.Nodes[top.Node].End && (!s.Nodes[top.Node].InList || f.Elem == top.Elem) {
				break
			}
			open = open[:len(open)-1]
		}
		info := s.Nodes[f.Node]
		if info.Parent != f.Node && (len(open) == 0 || open[len(open)-1].Node != info.Parent) {
			t.Fatalf("%q: %s does not lie below its parent", r.Text, info.Path)
		}
		id := fmt.Sprintf("%d %d %q", f.Node, f.Elem, r.Key(&f))
		if seen[id] {
			t.Fatalf("%q: %s comes twice", r.Text, info.Path)
		}
		seen[id] = true
		if len(info.Column.Fields) > 0 {
			open = append(open, f)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{sample, `{` + at + `}`, `{"eventCategory":"",` + at + `}`, `{"eventTime":"1970-01-01T00:00:00Z","requestParameters":{"a":{"b":[1,2.5e3,null,"\ud83d"]}}} `,
		`{"resources":[{"type":"a","type":"b"},null],"resources":[{}],` + at + `}`, `{"eventCategory":"ActivityAuditLog","eventData":{"userIdentity":{"details":{}}},` + at + `}`,
		`{"eventCategory":"ConfigurationItem","eventData":{"relationships":[{"name":"x"}],"tags":{"a":"b"}},` + at + `}`,
		`{"insightDetails":{"state":"Start"},"eventType":"AwsCloudTrailInsight",` + at + `}`, `[]`, `1`, ``, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) { agree(t, event.NewDecoder(), text) })
}

// TestDecodeLikeNaive makes texts of members that the schemas know, in any order, doubled, of any type.
func TestDecodeLikeNaive(t *testing.T) {
	d := event.NewDecoder()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(event.Kinds()).Draw(t, "kind")
		agree(t, d, []byte(objectOf(kind).Draw(t, "text")))
	})
}

var categories = map[event.Kind]string{event.CloudTrail: "Management", event.Activity: "ActivityAuditLog", event.Insight: "Insight",
	event.ConfigurationItem: "ConfigurationItem", event.Evidence: "Evidence"}

func objectOf(k event.Kind) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		columns := slices.DeleteFunc(slices.Clone(event.Schema(k).Columns), func(c event.Column) bool {
			return c.JSON == "" || c.JSON == "eventCategory" || c.JSON == "eventTime"
		})
		g := &textMaker{t: t, names: columns}
		text := g.object(columns, 0)
		return strings.TrimSuffix(text, "}") + separator(text) + `"eventCategory":"` + categories[k] + `",` + at + `}`
	})
}

func separator(object string) string {
	if strings.TrimSpace(strings.Trim(object, "{}")) == "" {
		return ""
	}
	return ","
}

type textMaker struct {
	t     *rapid.T
	names []event.Column
}

func (g *textMaker) pick(n int) int { return rapid.IntRange(0, n-1).Draw(g.t, "") }

func (g *textMaker) space() string {
	return []string{"", "", "", " ", "\n\t", "\r"}[g.pick(6)]
}

var strs = []string{`""`, `"x"`, `"true"`, `"12"`, `"\u0041\n\"\\"`, `"\ud83d\ude00 é"`, `"\udc00"`, `"2023-07-10T11:42:36Z"`, `"a long string that has more than eight bytes"`}

func (g *textMaker) any(level int) string {
	switch n := g.pick(12); {
	case n < 4:
		return strs[g.pick(len(strs))]
	case n == 4:
		return "null"
	case n == 5:
		return "true"
	case n == 6:
		return []string{"0", "-12.5e-3", "2147483647", "1e400"}[g.pick(4)]
	case n < 9 && level < 5:
		return g.list(level, func() string { return g.any(level + 1) })
	case n < 12 && level < 5:
		return g.object(g.names, level)
	}
	return "false"
}

func (g *textMaker) list(level int, element func() string) string {
	var b strings.Builder
	b.WriteString("[" + g.space())
	for i := range g.pick(4) {
		if i > 0 {
			b.WriteString(g.space() + "," + g.space())
		}
		b.WriteString(element())
	}
	return b.String() + g.space() + "]"
}

func (g *textMaker) object(columns []event.Column, level int) string {
	var b strings.Builder
	b.WriteString("{" + g.space())
	for i := range g.pick(7) {
		if i > 0 {
			b.WriteString(g.space() + "," + g.space())
		}
		c := columns[g.pick(len(columns))]
		name := `"` + c.JSON + `"`
		if c.JSON == "" || g.pick(10) == 0 {
			name = []string{`"a"`, `"b"`, `"unknown"`, `""`, `"\u0061"`}[g.pick(5)]
		}
		b.WriteString(name + g.space() + ":" + g.space() + g.column(c, level))
	}
	return b.String() + g.space() + "}"
}

// column makes a value of a column's type, mostly.
func (g *textMaker) column(c event.Column, level int) string {
	if g.pick(5) == 0 || level > 5 {
		return g.any(level)
	}
	switch c.Type {
	case event.Struct:
		return g.object(c.Fields, level+1)
	case event.List:
		return g.list(level, func() string { return g.column(c.Fields[0], level+1) })
	case event.Map:
		return g.object(c.Fields, level+1)
	}
	return strs[g.pick(len(strs))]
}

func TestDecodeCorpusLikeNaive(t *testing.T) {
	texts := corpus(t)
	if len(texts) == 0 {
		t.Skip("the corpus is not here")
	}
	d := event.NewDecoder()
	for _, text := range texts {
		agree(t, d, text)
	}
}
