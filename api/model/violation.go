package model

import (
	"fmt"
	"strings"

	"github.com/lochlake/loch/awserr"
)

const (
	echoed = 200 // bytes of a wrong value that its error repeats
	told   = 20  // violations that one error tells; the rest are counted
)

// violations are what a request broke of the model's limits.
type violations struct {
	n     int
	texts []string
	code  string // of the first
}

// add notes that the value at the decoder's path broke a limit of s. Null values have no text.
func (d *decoder) add(s *shape, text string, null bool, constraint string) {
	v := &d.violations
	if v.n++; v.n == 1 {
		v.code = d.op.code(s, null && len(d.path) == 1)
	}
	if v.n > told {
		return
	}
	value := "null"
	if !null {
		if len(text) > echoed {
			text = strings.ToValidUTF8(text[:echoed], "") + "…"
		}
		value = "'" + text + "'"
	}
	path := strings.Join(d.path, ".")
	if len(path) > echoed { // a map's key is the caller's
		path = strings.ToValidUTF8(path[:echoed], "") + "…"
	}
	v.texts = append(v.texts, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, path, constraint))
}

// violated is the error for all violations in AWS's words, nil where there are none.
func (d *decoder) violated() error {
	v := &d.violations
	if v.n == 0 {
		return nil
	}
	noun := "errors"
	if v.n == 1 {
		noun = "error"
	}
	return awserr.New(v.code, "%d validation %s detected: %s", v.n, noun, strings.Join(v.texts, "; "))
}

// codes are the exceptions that stand for violations of a shape's limits, where the operation documents one of them; the first one does.
var codes = map[string][]string{
	"MaxResults":                  {"InvalidMaxResultsException"},
	"MaxQueryResults":             {"InvalidMaxResultsException"},
	"ListQueriesMaxResultsCount":  {"InvalidMaxResultsException"},
	"ListChannelsMaxResultsCount": {"InvalidMaxResultsException"},
	"PaginationToken":             {"InvalidNextTokenException"},
	"NextToken":                   {"InvalidNextTokenException"},
	"EventCategory":               {"InvalidEventCategoryException"},
	"LookupAttributesList":        {"InvalidLookupAttributesException"},
	"LookupAttribute":             {"InvalidLookupAttributesException"},
	"LookupAttributeKey":          {"InvalidLookupAttributesException"},
	"LookupAttributeValue":        {"InvalidLookupAttributesException"},
	"QueryStatus":                 {"InvalidQueryStatusException"},
	"QueryStatement":              {"InvalidQueryStatementException"},
	"EventDataStoreArn":           {"EventDataStoreARNInvalidException"},
	"ChannelArn":                  {"ChannelARNInvalidException"},
	"DataChannelArn":              {"InvalidChannelARN"},
	"EventDataStoreKmsKeyId":      {"InvalidKmsKeyIdException"},
	"AdvancedEventSelectors":      {"InvalidEventSelectorsException"},
	"AdvancedEventSelector":       {"InvalidEventSelectorsException"},
	"AdvancedFieldSelectors":      {"InvalidEventSelectorsException"},
	"AdvancedFieldSelector":       {"InvalidEventSelectorsException"},
	"SelectorField":               {"InvalidEventSelectorsException"},
	"SelectorName":                {"InvalidEventSelectorsException"},
	"Operator":                    {"InvalidEventSelectorsException"},
	"OperatorValue":               {"InvalidEventSelectorsException"},
	"TagsList":                    {"InvalidTagParameterException"},
	"TagKey":                      {"InvalidTagParameterException"},
	"TagValue":                    {"InvalidTagParameterException"},
	"Source":                      {"InvalidSourceException"},
}

// code chooses the exception for a violation of s: the one that AWS documents for that parameter, else InvalidParameterException where the operation
// documents that, else the service framework's ValidationException. A parameter that is missing altogether is InvalidParameterException first.
func (o *Operation) code(s *shape, missing bool) string {
	const general = "InvalidParameterException"
	if missing && o.Errors[general] {
		return general
	}
	for _, c := range append(codes[s.name], general) {
		if o.Errors[c] {
			return c
		}
	}
	return "ValidationException"
}
