package dialect

import (
	"strings"
	"testing"
	"time"
)

const typical = `SELECT userIdentity.arn, eventName, count(*) AS n, max(eventTime) AS latest, count(DISTINCT sourceIPAddress) AS addresses
FROM 0233062b-51c6-4d18-8dec-a8c90da840d9
WHERE eventTime >= '2026-01-01 00:00:00' AND eventTime < '2026-02-01 00:00:00' AND eventSource = 'iam.amazonaws.com'
  AND (errorCode IS NULL OR errorCode IN ('AccessDenied', 'UnauthorizedOperation')) AND element_at(requestParameters, 'userName') LIKE 'adm%'
GROUP BY userIdentity.arn, eventName HAVING count(*) > 10 ORDER BY n DESC, latest LIMIT 100`

func BenchmarkTypical(b *testing.B) {
	for b.Loop() {
		s, err := check(typical)
		if err != nil {
			b.Fatal(err)
		}
		_ = s.DuckDB()
	}
}

// worst are statements near the bounds of length and depth.
func worst() map[string]string {
	fill := func(part string) int { return (MaxLength - 100) / len(part) }
	rep := func(part string) string { return strings.Repeat(part, fill(part)) }
	return map[string]string{
		"ors":          "SELECT 1 FROM trail WHERE eventname = 'x'" + rep(" OR eventname = 'y'"),
		"in":           "SELECT 1 FROM trail WHERE eventname IN ('x'" + rep(", 'y'") + ")",
		"items":        "SELECT 1" + rep(", eventname") + " FROM trail",
		"group":        "SELECT 1" + rep(", lower(eventname)") + " FROM trail GROUP BY lower(eventname)",
		"parens":       "SELECT " + strings.Repeat("(", MaxDepth-10) + "1" + strings.Repeat(")", MaxDepth-10),
		"functions":    "SELECT " + strings.Repeat("lower(upper(", 40) + "eventname" + strings.Repeat("))", 40) + " FROM trail",
		"split":        "SELECT " + strings.Repeat("substr(", 40) + "eventname" + strings.Repeat(", 2, 3)", 40) + " FROM trail",
		"contains":     "SELECT " + strings.Repeat("array_distinct(", 40) + "ARRAY[1]" + strings.Repeat(")", 40) + " FROM trail",
		"divisions":    "SELECT 1" + strings.Repeat(" / _sequence", 100) + " FROM trail",
		"decimals":     "SELECT 1.5" + strings.Repeat(" % 1.5", 100) + " FROM trail",
		"case":         "SELECT " + strings.Repeat("CASE WHEN readonly THEN 1 ELSE ", 60) + "0" + strings.Repeat(" END", 60) + " FROM trail",
		"subqueries":   "SELECT * FROM " + strings.Repeat("(SELECT * FROM ", 60) + "trail" + strings.Repeat(")", 60),
		"unions":       "SELECT 1" + strings.Repeat(" UNION ALL SELECT 1", 140),
		"joins":        "SELECT count(*) FROM trail" + strings.Repeat(" CROSS JOIN trail", 140),
		"commas":       "SELECT count(*) FROM trail" + rep(", trail"),
		"lambdas":      "SELECT " + strings.Repeat("transform(ARRAY[1], x -> ", 40) + "1" + strings.Repeat(")", 40),
		"cube":         "SELECT 1 FROM trail GROUP BY CUBE (eventname, awsregion, eventid, errorcode, eventsource, eventversion, sourceipaddress, readonly, eventtime, eventjson)",
		"comments":     "SELECT 1" + rep(" /* x */"),
		"rows":         "VALUES 1" + rep(", 1"),
		"with":         "WITH a0 AS (SELECT 1 x)" + manyWith() + " SELECT * FROM a100",
		"opening":      "SELECT " + rep("("),
		"concat":       "SELECT 'x'" + strings.Repeat(" || 'x'", 140),
		"like":         "SELECT 1 FROM trail WHERE eventname LIKE '" + rep("%") + "'",
		"ambiguous":    "SELECT " + strings.Repeat("((", 70) + "SELECT 1" + strings.Repeat("))", 70),
		"nullif":       "SELECT " + strings.Repeat("nullif(", 60) + "_sequence" + strings.Repeat(", 2)", 60) + " FROM trail",
		"greatest":     "SELECT " + strings.Repeat("greatest(", 60) + "_sequence" + strings.Repeat(", 2)", 60) + " FROM trail",
		"coalesce":     "SELECT " + strings.Repeat("coalesce(", 60) + "eventname" + strings.Repeat(", 'x')", 60) + " FROM trail",
		"unnest":       "SELECT 1 FROM trail" + strings.Repeat(" CROSS JOIN UNNEST(resources)", 100),
		"members":      "SELECT 1" + rep(", useridentity.sessioncontext.attributes.mfaauthenticated") + " FROM trail",
		"intervals":    "SELECT now()" + strings.Repeat(" + interval '1' day", 140),
		"aggregates":   "SELECT 1" + rep(", sum(_sequence)") + " FROM trail",
		"windows":      "SELECT 1" + rep(", sum(_sequence) OVER (ORDER BY eventtime)") + " FROM trail",
		"exists":       "SELECT 1 FROM trail WHERE " + strings.Repeat("EXISTS (SELECT 1 FROM trail WHERE ", 30) + "true" + strings.Repeat(")", 30),
		"mod":          "SELECT " + strings.Repeat("mod(", 60) + "_sequence" + strings.Repeat(", 2)", 60) + " FROM trail",
		"mapfilter":    "SELECT " + strings.Repeat("map_filter(MAP(ARRAY[1], ARRAY[true]), (k, v) -> 1 = cardinality(", 8) + "MAP()" + strings.Repeat("))", 8),
		"reduce":       "SELECT " + strings.Repeat("reduce(ARRAY[1], 0, (s, x) -> ", 8) + "1" + strings.Repeat(", s -> s)", 8),
		"not":          "SELECT " + strings.Repeat("NOT ", MaxDepth-20) + "true",
		"minus":        "SELECT " + strings.Repeat("- ", MaxDepth-20) + "_sequence FROM trail",
		"json":         "SELECT " + strings.Repeat("json_extract(", 40) + "eventjson" + strings.Repeat(", '$.a')", 40) + " FROM trail",
		"casts":        "SELECT " + strings.Repeat("CAST(CAST(", 25) + "_sequence" + strings.Repeat(" AS varchar) AS bigint)", 25) + " FROM trail",
		"floatcasts":   "SELECT " + strings.Repeat("CAST(CAST(", 20) + "_sequence" + strings.Repeat(" AS double) AS varchar)", 20) + " FROM trail",
		"comparisons":  "SELECT " + strings.Repeat("(", 60) + "1e0" + strings.Repeat(" = 1e0)", 1) + strings.Repeat(" = true)", 59),
		"recursions":   recursions(12),
		"arrays":       "SELECT " + nested("ARRAY[", "]", 60) + " = " + nested("ARRAY[", "]", 60) + ", " + nested("ARRAY[", "]", 60) + " < " + nested("ARRAY[", "]", 60),
		"rowsless":     "SELECT " + nested("ROW(", ", 1)", 60) + " < " + nested("ROW(", ", 1)", 60),
		"widerows":     "SELECT ROW(1" + strings.Repeat(", 1", 1500) + ") <= ROW(1" + strings.Repeat(", 1", 1500) + ")",
		"maps":         "SELECT DISTINCT " + nested("MAP(ARRAY[1], ARRAY[", "])", 40),
		"mapequal":     "SELECT " + nested("MAP(ARRAY[1], ARRAY[", "])", 40) + " = " + nested("MAP(ARRAY[1], ARRAY[", "])", 40),
		"anys":         "SELECT " + strings.Repeat("(", 60) + "true" + strings.Repeat(" > ALL (VALUES true))", 60),
		"ins":          "SELECT " + strings.Repeat("(", 60) + "true" + strings.Repeat(" IN (SELECT true))", 60),
		"tries":        "SELECT " + strings.Repeat("TRY(", 60) + "(SELECT 1)" + strings.Repeat(" / 2)", 60),
		"samples":      "SELECT * FROM " + strings.Repeat("(SELECT * FROM ", 60) + "trail" + strings.Repeat(" TABLESAMPLE BERNOULLI (50))", 60),
		"functions in": "SELECT * FROM " + strings.Repeat("TABLE(exclude_columns(TABLE(SELECT *, 1 AS z FROM ", 40) + "trail" + strings.Repeat("), DESCRIPTOR(z)))", 40),
		"frames":       "SELECT 1" + rep(", sum(1) OVER (ORDER BY eventtime ROWS _sequence PRECEDING)") + " FROM trail",
		"intersects":   "SELECT requestparameters FROM trail" + strings.Repeat(" INTERSECT SELECT requestparameters FROM trail", 140),
		"sets":         "SELECT 1 FROM trail GROUP BY GROUPING SETS ((eventname)" + rep(", (eventname, awsregion)") + ")",
		"rollups":      "SELECT 1 FROM trail GROUP BY ROLLUP (eventname, awsregion, eventid), ROLLUP (errorcode, eventsource), CUBE (eventversion, sourceipaddress, readonly)" + rep(", eventname"),
		"aliases":      "SELECT * FROM (VALUES 1) t(a)" + rep(", (VALUES 1) t(a)"),
		"casemany":     "SELECT CASE ARRAY[_sequence]" + rep(" WHEN ARRAY[1] THEN 1") + " END FROM trail",
		"rowsin":       "SELECT 1 FROM trail WHERE (eventname, awsregion) IN (('a', 'b')" + rep(", ('a', 'b')") + ")",
	}
}

func nested(open, end string, n int) string {
	return strings.Repeat(open, n) + "1" + strings.Repeat(end, n)
}

// recursions are n recursive queries, each within the step of another.
func recursions(n int) string {
	text := "SELECT 1"
	for i := range n {
		t := "t" + itoa(i)
		text = "WITH RECURSIVE " + t + "(n) AS (SELECT 1 UNION ALL SELECT x.n + 1 FROM " + t + " x, (" + text + ") y) SELECT n FROM " + t
	}
	return text
}

func manyWith() string {
	var b strings.Builder
	for i := 1; i <= 100; i++ {
		b.WriteString(", a" + itoa(i) + " AS (SELECT p.x FROM a" + itoa(i-1) + " p, a" + itoa(i-1) + " q)")
	}
	return b.String()
}

func TestBounds(t *testing.T) {
	for name, sql := range worst() {
		begin := time.Now()
		s, err := check(sql)
		took := time.Since(begin)
		size := 0
		if s != nil {
			size = len(s.DuckDB())
		}
		t.Logf("%-12s %6d characters, %8d written, %s %v", name, len(sql), size, took.Round(time.Microsecond), err)
		if size > maxWritten {
			t.Errorf("%s: %d bytes written", name, size)
		}
	}
}
