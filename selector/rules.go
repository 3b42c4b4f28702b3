package selector

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lochlake/loch/event"
)

// operator is one of a field selector's six.
type operator int

const (
	equals operator = iota
	startsWith
	endsWith
	notEquals
	notStartsWith
	notEndsWith
	operators = 6
)

var operatorNames = [operators]string{"Equals", "StartsWith", "EndsWith", "NotEquals", "NotStartsWith", "NotEndsWith"}

// The fields' names, matched exactly.
const (
	fieldCategory     = "eventCategory"
	fieldSource       = "eventSource"
	fieldName         = "eventName"
	fieldReadOnly     = "readOnly"
	fieldType         = "eventType"
	fieldErrorCode    = "errorCode"
	fieldConsole      = "sessionCredentialFromConsole"
	fieldEndpoint     = "vpcEndpointId"
	fieldARN          = "userIdentity.arn"
	fieldResourceType = "resources.type"
	fieldResourceARN  = "resources.ARN"
	fieldIdentityType = "userIdentity.type"
	fieldPrincipal    = "userIdentity.principalId"
)

// order is the order in which fields are looked for and named in messages.
var order = []string{fieldCategory, fieldSource, fieldName, fieldReadOnly, fieldType, fieldErrorCode, fieldConsole, fieldEndpoint,
	fieldARN, fieldResourceType, fieldResourceARN, fieldIdentityType, fieldPrincipal}

var categories = []string{event.CategoryManagement, event.CategoryData, event.CategoryNetworkActivity, event.CategoryActivityAuditLog,
	event.CategoryInsight, event.CategoryConfigurationItem, event.CategoryEvidence}

// rule is what AWS allows of a field, for one category.
type rule struct {
	node     event.Node
	key      string // of the map's entry, where node is a map's value
	required bool
	only     []operator // nil: any
	single   bool       // exactly one value
	of       []string   // the values allowed; nil: any
	resource bool       // resources.type, whose values have a form
}

// fields are the rules by category and field: AWS's page AdvancedFieldSelector in the CloudTrail API reference, as it stands for event data stores, and
// "Filtering data events by using advanced event selectors" in the user guide. What ActivityAuditLog has beside eventCategory is Loch's own.
var fields = func() map[string]map[string]rule {
	ct, out := event.Schema(event.CloudTrail), event.Schema(event.Activity)
	free := func(path string) rule { return rule{node: ct.Must(path)} }
	category := rule{required: true, only: []operator{equals}, single: true}
	readOnly := rule{node: ct.Must("readonly"), only: []operator{equals}, single: true, of: []string{"true", "false"}}
	console := rule{node: ct.Must("sessioncredentialfromconsole"), only: []operator{equals, notEquals}, single: true, of: []string{"true"}}
	alone := map[string]rule{fieldCategory: category}
	return map[string]map[string]rule{
		event.CategoryManagement: {
			fieldCategory: category, fieldSource: free("eventsource"), fieldName: free("eventname"), fieldReadOnly: readOnly,
			fieldType: free("eventtype"), fieldConsole: console, fieldARN: free("useridentity.arn"),
		},
		event.CategoryData: {
			fieldCategory: category, fieldSource: free("eventsource"), fieldName: free("eventname"), fieldReadOnly: readOnly,
			fieldType: free("eventtype"), fieldConsole: console, fieldARN: free("useridentity.arn"),
			fieldResourceType: {node: ct.Must("resources.element.type"), required: true, only: []operator{equals}, single: true, resource: true},
			fieldResourceARN:  free("resources.element.arn"),
		},
		event.CategoryNetworkActivity: {
			fieldCategory: category, fieldName: free("eventname"), fieldEndpoint: free("vpcendpointid"),
			fieldSource:    {node: ct.Must("eventsource"), required: true, only: []operator{equals}, single: true},
			fieldErrorCode: {node: ct.Must("errorcode"), only: []operator{equals}, single: true, of: []string{"VpceAccessDenied"}},
		},
		event.CategoryActivityAuditLog: {
			fieldCategory: category, fieldSource: {node: out.Must("eventdata.eventsource")}, fieldName: {node: out.Must("eventdata.eventname")},
			fieldIdentityType: {node: out.Must("eventdata.useridentity.type")}, fieldPrincipal: {node: out.Must("eventdata.useridentity.principalid")},
			// The schema for outside events has no member for an ARN; senders that have one put it among the details.
			fieldARN: {node: out.Must("eventdata.useridentity.details.value"), key: "arn"},
		},
		event.CategoryInsight: alone, event.CategoryConfigurationItem: alone, event.CategoryEvidence: alone,
	}
}()

// check holds a field selector to the rule and counts its values.
func (r *rule) check(f *field, at, category string) (int, error) {
	total := 0
	for op, values := range f.values() {
		if values == nil {
			continue
		}
		name := operatorNames[op]
		if len(values) == 0 {
			return 0, invalid("%s: operator %s of field %s has no value.", at, name, f.Field)
		}
		if r.only != nil && !slices.Contains(r.only, operator(op)) {
			return 0, invalid("%s: field %s takes %s for %s events, not %s.", at, f.Field, onlyThese(r.only), category, name)
		}
		if r.single && len(values) > 1 {
			return 0, invalid("%s: operator %s of field %s takes one value for %s events, not %d; use a selector for each.", at, name, f.Field, category, len(values))
		}
		for _, v := range values {
			if err := r.value(v); err != "" {
				return 0, invalid("%s: field %s, operator %s: %s.", at, f.Field, name, err)
			}
		}
		total += len(values)
	}
	if total == 0 {
		return 0, invalid("%s: field %s has no operator.", at, f.Field)
	}
	return total, nil
}

// value says what is wrong with a value, or "".
func (r *rule) value(v string) string {
	switch {
	case v == "":
		return "a value is empty"
	case utf8.RuneCountInString(v) > maxValue:
		return "a value is longer than 2048 characters"
	case strings.TrimLeft(v, "\n\r\u0085\u2028\u2029") == "":
		return "a value is blank" // the pattern of OperatorValue is .+, and a dot matches no line break
	case r.of != nil && !slices.Contains(r.of, v):
		return "the value can only be " + strings.Join(r.of, " or ")
	case r.resource && !resourceType(v):
		return "the value is no resource type such as AWS::S3::Object"
	}
	return ""
}

// resourceType tells whether v has the form of a resource type: three names between double colons.
func resourceType(v string) bool {
	parts := strings.Split(v, "::")
	for _, p := range parts {
		if p == "" || strings.ContainsAny(p, ": \t") {
			return false
		}
	}
	return len(parts) == 3
}

func onlyThese(ops []operator) string {
	names := make([]string, len(ops))
	for i, o := range ops {
		names[i] = operatorNames[o]
	}
	return "only " + strings.Join(names, " and ")
}
