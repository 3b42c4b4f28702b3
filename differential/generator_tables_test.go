package differential

import (
	"fmt"
	"math/rand/v2"
)

// shape is a relation that generated statements read: its text, and what expressions may name of each kind. $ in a column stands for the relation's alias.
type shape struct {
	from    string
	columns []column
	links   []string // columns that few rows have in common, which joins are made over
}

// common are the expressions over the columns that every schema has.
var common = []column{
	{"$.eventid", text}, {"$.awsregion", text}, {"$.recipientaccountid", text}, {"$.eventversion", text}, {"$.eventcategory", text}, {"$.eventtype", text},
	{"$.eventtime", moment}, {"CAST($.eventtime AS date)", day}, {"CAST(length($.eventid) AS integer)", integer}, {"CAST(hour($.eventtime) AS integer)", integer}, {"length($.awsregion)", bigint},
	{"CAST(day($.eventtime) AS double) / 4", double}, {"CAST(minute($.eventtime) AS decimal(4, 2))", decimal}, {"$.awsregion = 'us-east-1'", boolean}, {"split($.awsregion, '-')", list},
}

// shapes are the stores of testdata/tables with what is theirs alone.
var shapes = []shape{
	{"trail", append([]column{
		{"$.eventname", text}, {"$.eventsource", text}, {"$.sourceipaddress", text}, {"$.useragent", text}, {"$.errorcode", text}, {"$.errormessage", text}, {"$.requestid", text}, {"$.useridentity.type", text}, {"$.useridentity.arn", text},
		{"$.useridentity.sessioncontext.sessionissuer.username", text}, {"$.useridentity.sessioncontext.attributes.mfaauthenticated", text}, {"element_at($.requestparameters, 'bucketName')", text},
		{"element_at($.resources, 1).arn", text}, {"$.tlsdetails.tlsversion", text}, {"$.eventjsonchecksum", text}, {"$.readonly", boolean}, {"$.managementevent", boolean}, {"$.useridentity IS NULL", boolean}, {"$.errorcode IS NULL", boolean},
		{"$.useridentity.sessioncontext.attributes.creationdate", moment}, {"cardinality($.resources)", bigint}, {"cardinality($.requestparameters)", bigint}, {"length($.eventjson)", bigint}, {"$._sequence * 0", bigint},
		{"array_sort(map_keys($.requestparameters))", list}, {"transform($.resources, r -> r.type)", list}, {"$.requestparameters", pairs}, {"$.responseelements", pairs},
		{"CAST(ROW($.useridentity.type, $.useridentity.arn) AS row(type varchar, arn varchar))", who}}, common...), []string{"$.eventid", "$.requestid"}},
	{"wiz", append([]column{
		{"$.eventname", text}, {"$.eventdata.eventname", text}, {"$.sourceipaddress", text}, {"$.useridentity.arn", text}, {"$.eventdata.useridentity.principalid", text}, {"$.useridentity.type", text}, {"element_at($.requestparameters, 'key')", text},
		{"$.metadata.channelarn", text}, {"$.addendum.reason", text}, {"$.eventdata.uid", text}, {"$.errorcode", text}, {"$.addendum IS NULL", boolean}, {"cardinality($.requestparameters)", bigint}, {"$.requestparameters", pairs}, {"$.eventdata.useridentity.details", pairs},
		{"CAST(ROW($.useridentity.type, $.useridentity.principalid) AS row(type varchar, arn varchar))", who}}, common...), []string{"$.eventid", "$.eventdata.uid"}},
	{"insights", append([]column{
		{"$.insightsource", text}, {"$.insightstate", text}, {"$.insighteventsource", text}, {"$.insighteventname", text}, {"$.insighterrorcode", text}, {"$.insighttype", text}, {"$.sharedeventid", text}, {"$.insightcontext.attributions.attribute", text},
		{"$.insightcontext.attributions.insight.value", text}, {"$.insightcontext.baselineaverage", double}, {"$.insightcontext.insightaverage", double}, {"$.insightcontext.insightduration", integer}, {"$.insightcontext IS NULL", boolean}, {"$.addendum", pairs},
		{"CAST(ROW($.insighttype, $.insightstate) AS row(type varchar, arn varchar))", who}}, common...), []string{"$.eventid", "$.sharedeventid"}},
	{"items", append([]column{
		{"$.eventdata.resourcetype", text}, {"$.eventdata.resourceid", text}, {"$.eventdata.resourcename", text}, {"$.eventdata.configurationitemstatus", text}, {"$.eventdata.relationships.name", text}, {"element_at($.eventdata.tags, 'env')", text}, {"$.eventdata IS NULL", boolean},
		{"cardinality($.eventdata.configuration)", bigint}, {"$.eventdata.configuration", pairs}, {"$.eventdata.tags", pairs}, {"$.eventdata.supplementaryconfiguration", pairs}, {"array_sort(map_keys($.eventdata.tags))", list},
		{"CAST(ROW($.eventdata.resourcetype, $.eventdata.arn) AS row(type varchar, arn varchar))", who}}, common...), []string{"$.eventid", "$.eventdata.resourceid"}},
	{"evidence", append([]column{
		{"$.eventdata.evidenceid", text}, {"$.eventdata.controlname", text}, {"$.eventdata.frameworkname", text}, {"$.eventdata.datasource", text}, {"$.eventname", text}, {"$.eventsource", text}, {"$.eventdata.time", moment}, {"CAST($.eventdata.time AS date)", day},
		{"element_at($.eventdata.attributes, 'note')", text}, {"$.eventdata.compliancecheck", text}, {"$.eventdata.attributes", pairs}, {"$.addendum", pairs}, {"$.eventdata.time > $.eventtime", boolean},
		{"CAST(ROW($.eventdata.resourcetype, $.eventdata.resourcearn) AS row(type varchar, arn varchar))", who}}, common...), []string{"$.eventid", "$.eventdata.evidenceid"}},
}

// rowShape is the small table of values.
var rowShape = func() shape {
	s := shape{from: rows, links: nil}
	for _, c := range rowColumns {
		s.columns = append(s.columns, column{"$." + c.name, c.kind})
	}
	return s
}()

// newTableGenerator makes statements over the stores.
func newTableGenerator(seed uint64) *generator {
	return &generator{r: rand.New(rand.NewPCG(seed, 477)), shapes: shapes}
}

// shape picks what a relation reads.
func (g *generator) shape() *shape {
	if g.shapes == nil {
		return &rowShape
	}
	return &g.shapes[g.r.IntN(len(g.shapes))]
}

// link is a join's condition that few pairs of rows fulfil.
func (g *generator) link(left, right *shape, l, r string) string {
	return fmt.Sprintf("%s = %s", named(g.pick(left.links...), l), named(g.pick(right.links...), r))
}
