package selector

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
	"pgregory.net/rapid"
)

// naive is the documented meaning of selectors, over an event as encoding/json reads it.
func naive(list []advanced, e map[string]any) bool {
	return slices.ContainsFunc(list, func(a advanced) bool {
		typ := ""
		for _, f := range a.FieldSelectors {
			if f.Field == fieldResourceType {
				typ = f.Equals[0]
			}
		}
		for _, f := range a.FieldSelectors {
			values := valuesOf(e, f.Field, typ)
			selected := len(f.Equals)+len(f.StartsWith)+len(f.EndsWith) == 0 && (f.Field != fieldResourceARN || len(valuesOf(e, fieldResourceType, typ)) > 0)
			for _, v := range values {
				selected = selected || slices.Contains(f.Equals, v) ||
					slices.ContainsFunc(f.StartsWith, func(p string) bool { return strings.HasPrefix(v, p) }) ||
					slices.ContainsFunc(f.EndsWith, func(p string) bool { return strings.HasSuffix(v, p) })
				if slices.Contains(f.NotEquals, v) ||
					slices.ContainsFunc(f.NotStartsWith, func(p string) bool { return strings.HasPrefix(v, p) }) ||
					slices.ContainsFunc(f.NotEndsWith, func(p string) bool { return strings.HasSuffix(v, p) }) {
					return false
				}
			}
			if !selected {
				return false
			}
		}
		return true
	})
}

func valuesOf(e map[string]any, field, typ string) (out []string) {
	add := func(v any) {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case bool:
			out = append(out, map[bool]string{true: "true", false: "false"}[v])
		}
	}
	top, member, nested := strings.Cut(field, ".")
	switch {
	case top == "resources":
		for _, r := range e["resources"].([]any) {
			if m := r.(map[string]any); m["type"] == typ {
				add(m[member])
			}
		}
	case nested:
		if m, ok := e[top].(map[string]any); ok {
			add(m[member])
		}
	default:
		add(e[field])
	}
	return out
}

var words = rapid.SampledFrom([]string{"a", "b", "ab", "ba", "abc", "aba", "true", "", "arn:x", "arn:xy"})

func genSelector(t *rapid.T) advanced {
	category := rapid.SampledFrom(categories[:3]).Draw(t, "category")
	a := advanced{FieldSelectors: []field{{Field: fieldCategory, Equals: []string{category}}}}
	for _, name := range order[1:] {
		r, ok := fields[category][name]
		if !ok || !r.required && rapid.IntRange(0, 2).Draw(t, "skip") > 0 {
			continue
		}
		values := func() []string {
			most := 3
			if r.single {
				most = 1
			}
			from := words.Filter(func(s string) bool { return s != "" })
			if r.of != nil {
				from = rapid.SampledFrom(r.of)
			}
			if r.resource {
				from = rapid.SampledFrom([]string{"AWS::A::A", "AWS::B::B"})
			}
			return rapid.SliceOfN(from, 1, most).Draw(t, name)
		}
		f := field{Field: name}
		into := [operators]*[]string{&f.Equals, &f.StartsWith, &f.EndsWith, &f.NotEquals, &f.NotStartsWith, &f.NotEndsWith}
		ops := r.only
		if ops == nil {
			ops = []operator{equals, startsWith, endsWith, notEquals, notStartsWith, notEndsWith}
		}
		for _, op := range rapid.SliceOfNDistinct(rapid.SampledFrom(ops), 1, min(3, len(ops)), rapid.ID).Draw(t, "operators") {
			*into[op] = values()
		}
		a.FieldSelectors = append(a.FieldSelectors, f)
	}
	return a
}

func genEvent(t *rapid.T) map[string]any {
	e := map[string]any{"eventTime": "2026-01-01T00:00:00Z", "eventCategory": rapid.SampledFrom(categories[:3]).Draw(t, "category")}
	maybe := func(m map[string]any, name string, v any) {
		switch rapid.IntRange(0, 5).Draw(t, "there") {
		case 0:
		case 1:
			m[name] = nil
		default:
			m[name] = v
		}
	}
	for _, name := range []string{fieldSource, fieldName, fieldType, fieldErrorCode, fieldConsole, fieldEndpoint} {
		maybe(e, name, words.Draw(t, name))
	}
	maybe(e, fieldReadOnly, rapid.Bool().Draw(t, "readOnly"))
	who := map[string]any{}
	maybe(who, "arn", words.Draw(t, "arn"))
	maybe(e, "userIdentity", who)
	list := []any{}
	for range rapid.IntRange(0, 3).Draw(t, "resources") {
		r := map[string]any{}
		maybe(r, "type", rapid.SampledFrom([]string{"AWS::A::A", "AWS::B::B", "x"}).Draw(t, "type"))
		maybe(r, "ARN", words.Draw(t, "ARN"))
		list = append(list, r)
	}
	e["resources"] = list
	return e
}

func TestMatchIsTheNaiveMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(genSelector), 1, 3).Draw(t, "selectors")
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Compile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for range 10 {
			e := rapid.Custom(genEvent).Draw(t, "event")
			b, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			r := decodeRapid(t, b)
			if got, want := s.Match(r), naive(list, e); got != want {
				t.Fatalf("%s\non %s: %v, want %v", text, b, got, want)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte(Default))
	f.Add([]byte(many(data, management+"; eventName StartsWith a b")))
	f.Add([]byte(many(outside + "; userIdentity.arn Equals x")))
	f.Add([]byte(`[{"Name":"x","FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["a::b::c"]},{"Field":"resources.ARN","NotEndsWith":["\ud800"]}]}]`))
	events := []string{
		`{"eventTime":"2026-01-01T00:00:00Z","eventName":"a","readOnly":false}`,
		`{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"Data","resources":[{"type":"a::b::c","ARN":"x"},{}]}`,
		`{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"ActivityAuditLog","eventData":{"userIdentity":{"details":{"arn":"x"}}}}`,
		`{"eventTime":"2026-01-01T00:00:00Z","eventCategory":"Insight"}`,
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Compile(text)
		if err != nil {
			if !awserr.Is(err, "InvalidEventSelectorsException") {
				t.Fatalf("error %v", err)
			}
			return
		}
		if s.Kind() == 0 || len(s.Categories()) == 0 {
			t.Fatalf("%q selects nothing", text)
		}
		for _, e := range events {
			s.Match(decode(t, e))
		}
	})
}

func decodeRapid(t *rapid.T, text []byte) *event.Record {
	r, err := event.NewDecoder().Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return &r
}
