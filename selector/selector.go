// Package selector holds advanced event selectors: AWS's rules for writing them, and which events they let through.
package selector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/event"
)

// Limits of one store ("AdvancedEventSelectors" of CreateEventDataStore and "Quotas in AWS CloudTrail").
const (
	MaxSelectors = 5
	MaxValues    = 500  // over all operators of all selectors
	maxValue     = 2048 // characters of a value (shape OperatorValue)
	maxName      = 1000 // characters of a selector's name (shape SelectorName)
)

// Default is what a store selects that was made without selectors: management events (CreateEventDataStore).
const Default = `[{"Name":"Default management events","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}]`

// advanced is the API's shape AdvancedEventSelector.
type advanced struct {
	Name           string
	FieldSelectors []field
}

// field is the API's shape AdvancedFieldSelector.
type field struct {
	Field                                                               string
	Equals, StartsWith, EndsWith, NotEquals, NotStartsWith, NotEndsWith []string
}

// values gives the operators' values in the order of their names.
func (f *field) values() [operators][]string {
	return [operators][]string{f.Equals, f.StartsWith, f.EndsWith, f.NotEquals, f.NotStartsWith, f.NotEndsWith}
}

// Compile reads AdvancedEventSelectors as the API's JSON writes them and checks them by AWS's rules and Loch's extension of these for
// events from outside AWS. Every error is an InvalidEventSelectorsException that names the selector, the field and the rule.
func Compile(text []byte) (*Set, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var list []advanced
	if err := d.Decode(&list); err != nil {
		return nil, invalid("the advanced event selectors cannot be read: %v.", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalid("the advanced event selectors cannot be read: something follows the list.")
	}
	if len(list) == 0 {
		return nil, invalid("there must be at least one advanced event selector.")
	}
	if len(list) > MaxSelectors {
		return nil, invalid("there are %d advanced event selectors; at most %d are allowed.", len(list), MaxSelectors)
	}
	s := &Set{}
	total := 0
	for i := range list {
		a := &list[i]
		c, err := s.compile(a, place(i, a.Name), &total)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			s.kind = c.kind()
		} else if k := c.kind(); k != s.kind {
			return nil, invalid("%s selects %s events, those before it %s events; an event data store holds events of one kind: Management, Data and NetworkActivity together, or one of the others.",
				place(i, a.Name), c.category, s.kind)
		}
		s.selectors = append(s.selectors, c)
	}
	if total > MaxValues {
		return nil, invalid("the advanced event selectors have %d values; at most %d are allowed.", total, MaxValues)
	}
	s.prepare()
	return s, nil
}

func invalid(format string, args ...any) *awserr.Error {
	return awserr.New("InvalidEventSelectorsException", "Invalid event selectors: "+format, args...)
}

// place names a selector in messages.
func place(i int, name string) string {
	if name == "" {
		return fmt.Sprintf("selector %d", i+1)
	}
	return fmt.Sprintf("selector %d (%.60q)", i+1, name)
}

// compile checks one selector and makes its conditions. It counts the values into total.
func (s *Set) compile(a *advanced, at string, total *int) (compiled, error) {
	var c compiled
	if utf8.RuneCountInString(a.Name) > maxName {
		return c, invalid("the name of %s is longer than %d characters.", at, maxName)
	}
	category, err := categoryOf(a, at)
	if err != nil {
		return c, err
	}
	c.category = category
	rules := fields[category]
	seen := map[string]bool{}
	for i := range a.FieldSelectors {
		f := &a.FieldSelectors[i]
		r, ok := rules[f.Field]
		if !ok {
			return c, invalid("%s: %s", at, unknownField(f.Field, category))
		}
		if seen[f.Field] {
			return c, invalid("%s names field %s twice.", at, f.Field)
		}
		seen[f.Field] = true
		n, err := r.check(f, at, category)
		if err != nil {
			return c, err
		}
		*total += n
		c.add(f, r)
	}
	for _, name := range order {
		if r, ok := rules[name]; ok && r.required && !seen[name] {
			return c, invalid("%s has no field %s, which is required for %s events.", at, name, category)
		}
	}
	return c, nil
}

// categoryOf finds the selector's category, which decides what else it may name.
func categoryOf(a *advanced, at string) (string, error) {
	for i := range a.FieldSelectors {
		f := &a.FieldSelectors[i]
		if f.Field != fieldCategory {
			continue
		}
		if len(f.Equals) == 1 && fields[f.Equals[0]] != nil {
			return f.Equals[0], nil
		}
		if len(f.Equals) == 0 {
			return "", invalid("%s: field %s must have the operator Equals.", at, fieldCategory)
		}
		return "", invalid("%s: field %s must equal exactly one of %s.", at, fieldCategory, strings.Join(categories, ", "))
	}
	return "", invalid("%s has no field %s, which is required.", at, fieldCategory)
}

// unknownField says why a field cannot stand in a selector of the category.
func unknownField(name, category string) string {
	var elsewhere []string
	for _, known := range order {
		if known != name && strings.EqualFold(known, name) {
			return fmt.Sprintf("there is no field %q; did you mean %s?", name, known)
		}
	}
	for _, c := range categories {
		if _, ok := fields[c][name]; ok {
			elsewhere = append(elsewhere, c)
		}
	}
	if len(elsewhere) > 0 {
		return fmt.Sprintf("field %s cannot be used for %s events, only for %s.", name, category, strings.Join(elsewhere, ", "))
	}
	return fmt.Sprintf("there is no field %.80q.", name)
}

// kind is the kind of store that keeps the selector's events.
func (c *compiled) kind() event.Kind {
	switch c.category {
	case event.CategoryActivityAuditLog:
		return event.Activity
	case event.CategoryInsight:
		return event.Insight
	case event.CategoryConfigurationItem:
		return event.ConfigurationItem
	case event.CategoryEvidence:
		return event.Evidence
	}
	return event.CloudTrail
}
