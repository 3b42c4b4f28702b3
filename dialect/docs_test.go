package dialect

import (
	"os"
	"regexp"
	"testing"
)

// docs/sql.md lists every function that works.
func TestDocsListEveryFunction(t *testing.T) {
	text, err := os.ReadFile("../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, w := range regexp.MustCompile(`[a-z_0-9]+`).FindAllString(string(text), -1) {
		listed[w] = true
	}
	missing := func(name string) {
		if !listed[name] {
			t.Errorf("docs/sql.md does not list %s", name)
		}
	}
	for name := range scalarFunctions {
		missing(name)
	}
	for name := range specialForms {
		missing(name)
	}
	for name := range aggregateFunctions {
		missing(name)
	}
	for name := range windowFunctions {
		missing(name)
	}
	for name := range knownElsewhere {
		if scalarFunctions[name] != nil || aggregateFunctions[name] != nil {
			t.Errorf("%s works and is refused as well", name)
		}
	}
}
