package event

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// ActivityError is why one event of a PutAuditEvents call is not accepted. Code is the errorCode of its ResultErrorEntry.
type ActivityError struct {
	Code    string // FieldTooLong, FieldNotFound, InvalidData, InvalidRecipient or InvalidEventSource
	Message string // for the caller, at most 1,024 characters
}

// Error gives code and message.
func (e *ActivityError) Error() string { return e.Code + ": " + e.Message }

// The per-event failures that an event's content can have ("ResultErrorEntry" in the CloudTrail Data API reference).
const (
	FieldTooLong       = "FieldTooLong"       // a field is longer than its limit
	FieldNotFound      = "FieldNotFound"      // a required field is missing, null or empty
	InvalidData        = "InvalidData"        // not JSON, or a field is not of its type
	InvalidRecipient   = "InvalidRecipient"   // recipientAccountId is not the account that owns the channel
	InvalidEventSource = "InvalidEventSource" // eventSource is blank or holds control characters
)

// ActivityVersion is the eventVersion of the records that channels bring.
const ActivityVersion = "1.0"

// activityFields are the rules for eventData's members, by the page "CloudTrail Lake integrations event schema" of the AWS CloudTrail user guide and in
// its order: most is a string's characters or the bytes of an object's text, 0 where there is no limit.
var activityFields = []struct {
	name     string
	required bool
	most     int
}{
	{"version", true, 256},
	{"userIdentity", true, 0},
	{"userIdentity.type", true, 128},
	{"userIdentity.principalId", true, 1024},
	{"userAgent", false, 1024},
	{"eventSource", true, 1024},
	{"eventName", true, 1024},
	{"eventTime", true, 0},
	{"UID", true, 1024},
	{"requestParameters", false, 100 << 10},
	{"responseElements", false, 100 << 10},
	{"errorCode", false, 256},
	{"errorMessage", false, 256},
	{"recipientAccountId", true, 0},
	{"additionalEventData", false, 28 << 10},
}

// activityNodes are the nodes of activityFields, and activityTop the others that DecodeActivity fills or reads.
var (
	activityNodes = func() []Node {
		nodes := make([]Node, len(activityFields))
		for i, f := range activityFields {
			nodes[i] = schemas[Activity].Must("eventdata." + f.name)
		}
		return nodes
	}()
	activityTop = struct{ version, category, typ, id, time, region, recipient, metadata, ingested, channel, dataSource, dataTime, dataRecipient Node }{
		version: schemas[Activity].Must("eventversion"), category: schemas[Activity].Must("eventcategory"),
		typ: schemas[Activity].Must("eventtype"), id: schemas[Activity].Must("eventid"), time: schemas[Activity].Must("eventtime"),
		region: schemas[Activity].Must("awsregion"), recipient: schemas[Activity].Must("recipientaccountid"),
		metadata: schemas[Activity].Must("metadata"), ingested: schemas[Activity].Must("metadata.ingestiontime"),
		channel: schemas[Activity].Must("metadata.channelarn"), dataSource: schemas[Activity].Must("eventdata.eventsource"),
		dataTime: schemas[Activity].Must("eventdata.eventtime"), dataRecipient: schemas[Activity].Must("eventdata.recipientaccountid"),
	}
)

// activityIDs is the namespace of the event ids that channels give.
var activityIDs = uuid.MustParse("5b0d8f0a-6b0c-5d3e-9d51-3f6d3c9b7a11")

// ActivityID is the eventID of an event that came through a channel: the same for the same channel and the same id of the sender's.
func ActivityID(channelARN, id string) string {
	return uuid.NewSHA1(activityIDs, []byte(channelARN+"\n"+id)).String()
}

// DecodeActivity makes the record of one event of a PutAuditEvents call. eventData is the sender's text and becomes Record.Text; id is the sender's id,
// and Record.ID what ActivityID makes of it; account is the one that owns the channel, region where the call was made. An error is an *ActivityError.
// The record shares eventData's memory.
func (d *Decoder) DecodeActivity(eventData []byte, id, channelARN, account, region string, ingested time.Time) (Record, error) {
	d.layout = layouts[Activity]
	d.open(eventData, 0)
	d.dead, d.timeAt, d.mistyped, d.strict = 0, -1, gone, true
	d.seen, d.mark = [4]uint64{}, len(d.arena)
	defer func() { d.strict = false }()

	r := Record{Kind: Activity, Category: CategoryActivityAuditLog, Text: eventData, ID: ActivityID(channelARN, id), Account: account, Region: region}
	top := &activityTop
	d.put(top.version, 0, 0, d.keep(ActivityVersion))
	d.put(top.category, 0, 0, d.keep(CategoryActivityAuditLog))
	d.put(top.typ, 0, 0, d.keep("ActivityLog"))
	d.put(top.id, 0, 0, d.keep(r.ID))
	eventTime := d.put(top.time, 0, 0, span{})
	d.put(top.region, 0, 0, d.keep(region))
	d.put(top.recipient, 0, 0, d.keep(account))
	d.put(top.metadata, 0, 0, span{})
	d.put(top.ingested, 0, 0, d.keep(ingested.UTC().Format("2006-01-02T15:04:05Z")))
	d.put(top.channel, 0, 0, d.keep(channelARN))

	err := d.eventData()
	if err == nil {
		err = d.checkActivity(account, &r)
	}
	if err != nil {
		d.drop()
		return Record{}, err
	}
	d.fields[d.first+eventTime].Num = r.Time
	own := d.fields[d.first:]
	r.Fields = own[:len(own):len(own)]
	r.plain = d.plain()
	r.Hash = sha256.Sum256(eventData)
	d.first = len(d.fields)
	return r, nil
}

// eventData decodes the whole of buf as the value of eventdata.
func (d *Decoder) eventData() error {
	start := d.space(0)
	end := -1
	switch {
	case start >= len(d.buf):
		d.fail(Malformed, start, "eventData is empty")
	case d.buf[start] != '{':
		d.fail(NotObject, start, "eventData is not a JSON object")
	default:
		end = d.value(d.layout.data, start, 0, 0)
	}
	if end >= 0 {
		if end = d.space(end); end < len(d.buf) {
			d.fail(Malformed, end, "something follows the object: %s", printable(d.buf[end]))
		}
	}
	if d.err != nil {
		code := InvalidData
		if d.err.Fault == TooLarge {
			code = FieldTooLong
		}
		return &ActivityError{code, "eventData: " + d.err.Message + fmt.Sprintf(" (at byte %d)", d.err.Offset)}
	}
	if d.dead > 0 {
		d.sweep()
	}
	if d.mistyped != gone {
		info := &d.layout.schema.Nodes[d.mistyped]
		want := "a string"
		if info.Column.Type != String {
			want = "a JSON object"
		}
		return &ActivityError{InvalidData, fmt.Sprintf("eventData: %s is not %s", d.jsonPath(d.mistyped), want)}
	}
	return nil
}

// jsonPath names a node of eventdata as its sender does.
func (d *Decoder) jsonPath(n Node) string {
	info := &d.layout.schema.Nodes[n]
	if info.Parent == d.layout.data.node || info.Parent == n {
		return info.Column.JSON
	}
	return d.jsonPath(info.Parent) + "." + info.Column.JSON
}

var errNoField = errors.New("no such field")

// own finds the field of a node among those of the event at hand.
func (d *Decoder) own(n Node) (*Field, error) {
	for i := d.first; i < len(d.fields); i++ {
		if d.fields[i].Node == n {
			return &d.fields[i], nil
		}
	}
	return nil, errNoField
}

// ownText is the text of a node's field, nil where there is none.
func (d *Decoder) ownText(n Node) []byte {
	f, err := d.own(n)
	if err != nil {
		return nil
	}
	return d.bytes(f.val)
}

// checkActivity holds the event against activityFields and fills r.Time.
func (d *Decoder) checkActivity(account string, r *Record) error {
	for i, rule := range activityFields {
		n := activityNodes[i]
		f, err := d.own(n)
		isString := d.layout.schema.Nodes[n].Column.Type == String
		if err != nil || isString && f.val.size == 0 {
			if rule.required {
				return &ActivityError{FieldNotFound, "eventData: the required field " + rule.name + " is missing or empty"}
			}
			continue
		}
		if rule.most == 0 {
			continue
		}
		size, unit := int(d.width[n]), "bytes"
		if isString {
			size, unit = utf8.RuneCount(d.bytes(f.val)), "characters"
		}
		if size > rule.most {
			return &ActivityError{FieldTooLong, fmt.Sprintf("eventData: %s has %d %s; at most %d are allowed", rule.name, size, unit, rule.most)}
		}
	}
	source := d.ownText(activityTop.dataSource)
	if len(bytes.TrimSpace(source)) == 0 || bytes.ContainsFunc(source, unicode.IsControl) {
		return &ActivityError{InvalidEventSource, "eventData: eventSource is blank or holds control characters"}
	}
	sent := d.ownText(activityTop.dataTime)
	t, ok := ParseTime(sent)
	if !ok {
		return &ActivityError{InvalidData, fmt.Sprintf("eventData: eventTime %.64q is not an ISO 8601 time", sent)}
	}
	if t < minTime || t >= maxTime {
		return &ActivityError{InvalidData, fmt.Sprintf("eventData: eventTime %.64q is not between 1970 and 2200", sent)}
	}
	r.Time = t
	recipient := d.ownText(activityTop.dataRecipient)
	if string(recipient) != account {
		return &ActivityError{InvalidRecipient,
			fmt.Sprintf("eventData: recipientAccountId %.32q is not the account that owns the channel", recipient)}
	}
	return nil
}

// keep copies s into the arena.
func (d *Decoder) keep(s string) span {
	d.room(len(s))
	from := len(d.arena)
	d.arena = append(d.arena, s...)
	return d.since(from)
}
