package differential

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// statement is one of the corpus.
type statement struct {
	File  string // of testdata, without its ending
	Line  int    // where it begins
	Text  string // as it is sent, macros written out
	Lake  bool   // CloudTrail Lake's own leniency: Loch may answer where Trino refuses
	Near  bool   // doubles may differ in the last digit, as the mathematical libraries of Java and C do
	Rough bool   // doubles may differ from the thirteenth digit on, where Trino's own are approximations as good as that
	Order bool   // rows come in the order of the statement's own ORDER BY
}

func (s *statement) String() string { return fmt.Sprintf("%s.sql:%d", s.File, s.Line) }

// corpus reads testdata/*.sql. A statement ends with a semicolon at the end of a line; lines that begin with "--" before it are titles; the title
// "-- lake" marks a leniency, "-- near" lets doubles differ in the last digit, "-- rough" from the thirteenth on. A word such as $events stands for the text of testdata/events.txt.
func corpus(dir string) ([]statement, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		return nil, err
	}
	macros, err := readMacros(dir)
	if err != nil {
		return nil, err
	}
	var all []statement
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(f), ".sql")
		found, err := statements(name, string(text))
		if err != nil {
			return nil, err
		}
		for i := range found {
			found[i].Text = macros.Replace(found[i].Text)
			found[i].Order = ordered(found[i].Text)
		}
		all = append(all, found...)
	}
	return all, nil
}

// readMacros reads the *.txt files.
func readMacros(dir string) (*strings.Replacer, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	var pairs []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, "$"+strings.TrimSuffix(filepath.Base(f), ".txt"), strings.TrimSpace(string(text)))
	}
	return strings.NewReplacer(pairs...), nil
}

func statements(file, text string) ([]statement, error) {
	var out []statement
	var body []string
	cur := statement{File: file}
	for i, line := range strings.Split(text, "\n") {
		if body == nil {
			if strings.TrimSpace(line) == "" {
				continue
			}
			if strings.HasPrefix(line, "--") {
				cur.Lake = cur.Lake || line == "-- lake"
				cur.Near = cur.Near || line == "-- near"
				cur.Rough = cur.Rough || line == "-- rough"
				continue
			}
			cur.Line = i + 1
		}
		end := strings.HasSuffix(line, ";")
		body = append(body, strings.TrimSuffix(line, ";"))
		if end {
			cur.Text = strings.Join(body, "\n")
			out = append(out, cur)
			cur, body = statement{File: file}, nil
		}
	}
	if body != nil {
		return nil, fmt.Errorf("%s.sql:%d: the last statement has no semicolon", file, cur.Line)
	}
	return out, nil
}

// ordered tells whether an ORDER BY stands outside all parentheses, quotes and comments.
func ordered(text string) bool {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == '\'' || c == '"':
			n := strings.IndexByte(text[i+1:], c)
			if n < 0 {
				return false
			}
			i += n + 1
		case strings.HasPrefix(text[i:], "--"):
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				return false
			}
			i += n
		case strings.HasPrefix(text[i:], "/*"):
			n := strings.Index(text[i:], "*/")
			if n < 0 {
				return false
			}
			i += n + 1
		case depth == 0 && len(text)-i >= 8 && strings.EqualFold(text[i:i+8], "order by"):
			return true
		}
	}
	return false
}
