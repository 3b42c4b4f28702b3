package dialect

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"
)

var writeIndex = flag.Bool("write-index", false, "write the table of Trino's functions to docs/sql.md")

// formStatements stand for the entries of Trino's function index that are forms of the grammar, not names of functions.
var formStatements = map[string]string{
	"at_time_zone": "SELECT now() AT TIME ZONE 'UTC'", "case": "SELECT CASE 1 WHEN 1 THEN 2 END", "cast": "SELECT CAST('1' AS bigint)",
	"classifier":      "SELECT * FROM (VALUES 1) t(x) MATCH_RECOGNIZE (ORDER BY x MEASURES classifier() AS c PATTERN (a) DEFINE a AS true)",
	"current_catalog": "SELECT current_catalog", "current_date": "SELECT current_date", "current_schema": "SELECT current_schema",
	"current_time": "SELECT current_time", "current_timestamp": "SELECT current_timestamp", "current_user": "SELECT current_user",
	"exclude_columns": "SELECT * FROM TABLE(exclude_columns(input => TABLE(SELECT 1 AS a, 2 AS b), columns => DESCRIPTOR(b)))",
	"extract":         "SELECT extract(YEAR FROM now())", "first": "SELECT * FROM (VALUES 1) t(x) MATCH_RECOGNIZE (ORDER BY x MEASURES first(x) AS c PATTERN (a) DEFINE a AS true)",
	"json_array": "SELECT json_array(1, 2)", "json_exists": "SELECT json_exists('{}', 'lax $.a')", "json_object": "SELECT json_object('a' : 1)",
	"json_query": "SELECT json_query('{}', 'lax $.a')", "json_value": "SELECT json_value('{}', 'lax $.a')",
	"last":      "SELECT * FROM (VALUES 1) t(x) MATCH_RECOGNIZE (ORDER BY x MEASURES last(x) AS c PATTERN (a) DEFINE a AS true)",
	"localtime": "SELECT localtime", "localtimestamp": "SELECT localtimestamp",
	"match_number": "SELECT * FROM (VALUES 1) t(x) MATCH_RECOGNIZE (ORDER BY x MEASURES match_number() AS c PATTERN (a) DEFINE a AS true)",
	"next":         "SELECT * FROM (VALUES 1) t(x) MATCH_RECOGNIZE (ORDER BY x MEASURES next(x) AS c PATTERN (a) DEFINE a AS true)",
	"permute":      "SELECT * FROM (VALUES 1) t(x) MATCH_RECOGNIZE (ORDER BY x MEASURES match_number() AS c PATTERN (PERMUTE(a, b)) DEFINE a AS true)",
	"position":     "SELECT position('a' IN 'ba')", "prev": "SELECT * FROM (VALUES 1) t(x) MATCH_RECOGNIZE (ORDER BY x MEASURES prev(x) AS c PATTERN (a) DEFINE a AS true)",
	"try_cast": "SELECT TRY_CAST('1' AS bigint)", "trim": "SELECT trim('a')", "normalize": "SELECT normalize('a')",
	"Table sequence": "SELECT * FROM TABLE(sequence(1, 3))",
}

// refusedBecause says why a function of the index is refused.
var refusedBecause = map[string]string{
	"Table sequence": "table functions", "exclude_columns": "table functions", "classifier": "row patterns", "first": "row patterns", "last": "row patterns",
	"match_number": "row patterns", "next": "row patterns", "permute": "row patterns", "prev": "row patterns", "current_time": "time with time zone",
	"localtime": "time", "json_array": "SQL/JSON", "json_exists": "SQL/JSON", "json_object": "SQL/JSON", "json_query": "SQL/JSON", "json_value": "SQL/JSON",
	"from_unixtime_nanos": "nanoseconds", "from_iso8601_timestamp_nanos": "nanoseconds", "word_stem": "its stemmer", "inverse_beta_cdf": "Trino's own search for it",
	"version": "no Trino", "json_array_get": "deprecated, wrong by its own documentation",
	"format":          "Java's format language",
	"regexp_position": "positions in Java's characters", "char2hexint": "Teradata", "index": "Teradata", "to_char": "Teradata", "to_date": "Teradata", "to_timestamp": "Teradata",
}

// answered tells whether the embedded engine answers an entry of the index.
func answered(t *testing.T, chapter, name string) bool {
	text, ok := formStatements[chapter+" "+name]
	if !ok {
		text, ok = formStatements[name]
	}
	if ok {
		q, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return false
		}
		_, err = Check(context.Background(), q, nil, Session{Start: time.Now().UTC(), User: "loch"})
		return err == nil
	}
	return scalarFunctions[name] != nil || specialForms[name] != nil || aggregateFunctions[name] != nil || windowFunctions[name] != nil
}

// At least nine tenths of Trino's function index, without its geospatial, machine learning, colour and sketch chapters, are answered by the embedded engine,
// and docs/sql.md says of each entry what becomes of it. (testdata/function_index.txt holds the chapters of "List of functions by topic" of Trino's
// documentation, with the names that a Trino 476 shows.)
func TestFunctionIndex(t *testing.T) {
	index, err := os.ReadFile("testdata/function_index.txt")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| chapter | same answer | refused (why) |\n| --- | --- | --- |\n")
	count, all := 0, 0
	for _, line := range strings.Split(strings.TrimSpace(string(index)), "\n") {
		chapter, names, _ := strings.Cut(line, ": ")
		var same []string
		refused := map[string][]string{}
		for _, name := range strings.Fields(names) {
			all++
			if answered(t, chapter, name) {
				count++
				same = append(same, name)
				continue
			}
			why, ok := refusedBecause[chapter+" "+name]
			if !ok {
				why, ok = refusedBecause[name]
			}
			if !ok {
				t.Errorf("%s: nothing says why %s is refused", chapter, name)
			}
			refused[why] = append(refused[why], name)
		}
		var reasons []string
		for why, names := range refused {
			reasons = append(reasons, strings.Join(names, ", ")+" ("+why+")")
		}
		sort.Strings(reasons)
		fmt.Fprintf(&table, "| %s | %s | %s |\n", chapter, strings.Join(same, ", "), strings.Join(reasons, "; "))
	}
	share := 100 * float64(count) / float64(all)
	t.Logf("%d of %d entries of Trino's function index are answered: %.1f %%", count, all, share)
	if share < 90 {
		t.Errorf("%.1f %% of Trino's function index are answered, not 90 %%", share)
	}
	section := fmt.Sprintf("<!-- function index -->\nOf the %d entries of Trino's function index in these chapters %d are answered. The chapters geospatial, machine learning, color, and those of sketches (HyperLogLog, quantile digest,\n"+
		"T-digest, set digest, and the aggregates that make them) have the Trino engine only.\n\n%s<!-- end of function index -->", all, count, table.String())
	docs, err := os.ReadFile("../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	part := regexp.MustCompile(`(?s)<!-- function index -->.*<!-- end of function index -->`)
	if *writeIndex {
		text := part.ReplaceAllLiteralString(string(docs), section)
		if err := os.WriteFile("../docs/sql.md", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if part.FindString(string(docs)) != section {
		t.Error("docs/sql.md has another table of Trino's function index: go test ./dialect -run TestFunctionIndex -write-index writes it")
	}
}
