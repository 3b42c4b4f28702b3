package sqljson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lochlake/loch/sqljson"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		`[1.10, 1e3, 12345678901234567890, 1e400, -0, -0.0, 1E-400]`: `[1.1,1000.0,12345678901234567890,"Infinity",0,-0.0,0.0]`,
		`{"b":1,"a":{"d":[],"c":null},"b":2}`:                        `{"a":{"c":null,"d":[]},"b":2}`,
		`{"\ud83d\ude00":1,"\uffff":2,"a":3}`:                        "{\"a\":3,\"\\uD83D\\uDE00\":1,\"\uffff\":2}",
		`"\ud800 \u0001\/"`:                                          `"\uD800 \u0001/"`, " true ": "true",
		"": "", "[1,]": "", `{"a":1,}`: "", "01": "", "1 2": "", "NaN": "", `"\x"`: "", "'a'": "", "[": "", "-": "", "1.": "", "\ufeff1": "", "\"a\tb\"": "", `{"a" 1}`: "", "{1:2}": "",
	} {
		got, err := sqljson.Parse(in)
		if (err != nil) != (want == "") || got != want {
			t.Errorf("%s: got %s, %v; want %s", in, got, err, want)
		}
	}
}

// paths are paths over one value, and what JSON_QUERY WITH WRAPPER makes of them: "" where nothing is found, "!" where the run fails, "?" where the
// path is none.
var paths = map[string]string{
	`lax $.a.b`: `[1]`, `strict $.a.c`: `!`, `lax $.a.c`: ``, `lax $.*`: `[{"b":1},["x",2,[3]],null]`, `lax $.l[*]`: `["x",2,[3]]`, `lax $.l[0 to 1, last]`: `["x",2,[3]]`,
	`lax $.l[last - 1]`: `[2]`, `lax $.l[1.2]`: `[2]`, `lax $.l[9]`: ``, `strict $.l[9]`: `!`, `lax $..b`: `[1]`, `lax $.l?(@ == 2)`: `[2]`, `lax $.l[*]?(@ starts with "x")`: `["x"]`,
	`lax $?(exists(@.a) && !(@.n == 1))`: `[{"a":{"b":1},"l":["x",2,[3]],"n":null}]`, `lax $.l?((@ > 1) is unknown)`: `["x"]`, `lax $.l.size()`: `[3]`, `lax $.l.type()`: `["array"]`,
	`lax 2 + 3 * 4`: `[14]`, `lax -(2 + 3)`: `[-5]`, `lax 1.00 / 3.0`: `[0.33]`, `lax 5 / 2`: `[2]`, `lax 1 / 0`: `!`, `lax 2147483647 + 1`: `!`, `lax "1.5".double()`: `[1.5]`,
	`lax (-1.5).abs()`: `[1.5]`, `lax 1.5.ceiling()`: `[2]`, `lax $.a.keyvalue()`: `[{"name":"b","value":1,"id":0}]`, `lax $.n`: `[null]`, `lax $x`: `[7]`, `lax $.l[*]?(@ == $x)`: ``,
	`lax last`: `!`, `lax $.a."b"`: `[1]`, `lax $.l?((@) == 2 || ((@) == "x"))`: `["x",2]`,
	``: `?`, `$`: `?`, `LAX $`: `?`, `lax $.`: `?`, `lax $.a()`: `?`, `lax $y`: `?`, `lax "a" + 1`: `?`, `lax $.a?(@)`: `?`, `lax $.datetime()`: `?`, `lax $?(@ like_regex "a")`: `?`, `lax $ $`: `?`,
	`lax $.é`: `?`, `lax "a`: `?`, `lax 99999999999999999999`: `?`, "lax " + strings.Repeat("(", 5000): `?`, "lax $" + strings.Repeat(".a", 5000): `?`,
}

const pathInput = `{"a":{"b":1},"l":["x",2,[3]],"n":null}`

func TestPaths(t *testing.T) {
	for path, want := range paths {
		q := &sqljson.Query{Form: sqljson.FormQuery, Text: path, Wrapper: sqljson.UnconditionalArray, Variables: []sqljson.Variable{{Name: "x", Sort: sqljson.Integer}}}
		if err := q.Compile(); (err != nil) != (want == "?") {
			t.Errorf("%.60s: compiles with %v", path, err)
			continue
		} else if err != nil {
			continue
		}
		again, err := sqljson.DecodeQuery(q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Run(pathInput, string(sqljson.Encode("v7")))
		switch {
		case err != nil:
			t.Errorf("%s: %v", path, err)
		case want == "!" && got[0] != sqljson.Failed, want == "" && got != string(sqljson.Empty), want != "!" && want != "" && got != "J"+want:
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"\u00e9",null,true]}`, `[[[`, `"\ud800"`, `1e400`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := sqljson.Parse(s)
		if err == nil != json.Valid([]byte(s)) && json.Valid([]byte(strings.ToValidUTF8(s, "?"))) == (err != nil) {
			t.Fatalf("%q: %v", s, err)
		}
		if err != nil {
			return
		}
		again, err := sqljson.Parse(out)
		if err != nil || again != out {
			t.Fatalf("%q became %q and then %q, %v", s, out, again, err)
		}
		if _, ok, err := sqljson.Extract(s, nil); !ok || err != nil && !strings.Contains(err.Error(), "depth") {
			t.Fatalf("%q: %v", s, err)
		}
	})
}

func FuzzPath(f *testing.F) {
	for path := range paths {
		f.Add(path, pathInput)
	}
	f.Fuzz(func(t *testing.T, path, input string) {
		q := &sqljson.Query{Form: sqljson.FormQuery, Text: path, Wrapper: sqljson.ConditionalArray, Variables: []sqljson.Variable{{Name: "x", Sort: sqljson.Varchar}}}
		if len(path) > 10_000 || q.Compile() != nil {
			return
		}
		out, err := q.Run(input, string(sqljson.Encode("v"+input)))
		if err == nil && out[0] == sqljson.Found {
			if _, err := sqljson.Parse(out[1:]); err != nil {
				t.Fatalf("%q over %q: %q", path, input, out)
			}
		}
	})
}
