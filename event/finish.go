package event

import (
	"crypto/sha256"
	"encoding/hex"
)

// maxNames bounds the accounts and regions that a Decoder remembers.
const maxNames = 4096

// finish fills the record's own members from its fields. It returns the kind whose schema the event must be decoded with; where that is not the one
// that it was decoded with, the record is not filled. An error is one of eventTime.
func (d *Decoder) finish(r *Record) (Kind, *Error) {
	own := d.fields[d.first:]
	r.Fields = own[:len(own):len(own)]
	r.plain = d.plain()
	var at [dataRole + 1]*Field
	for i := range own {
		at[d.layout.roles[own[i].Node]] = &own[i]
	}
	kind := d.kindOf(at[categoryRole], at[typeRole])
	if kind != r.Kind {
		return kind, nil
	}
	if at[timeRole] == nil {
		if d.timeAt < 0 {
			d.fail(NoTime, 0, "the event has no eventTime")
		} else {
			raw, _ := d.text(d.timeAt, 1)
			d.fail(BadTime, d.timeAt, "eventTime %.64q is not an ISO 8601 time", d.bytes(raw))
		}
		return kind, d.err
	}
	r.Time = at[timeRole].Num
	if r.Time < minTime || r.Time >= maxTime {
		d.fail(TimeBounds, d.timeAt, "eventTime %s is not between 1970 and 2200", FormatTime(r.Time))
		return kind, d.err
	}
	r.Category = d.category(kind, at[:])
	r.Account = d.name(at[recipientRole])
	r.Region = d.name(at[regionRole])
	r.Hash = sha256.Sum256(r.Text)
	if id := at[idRole]; id != nil && id.val.size > 0 {
		r.ID = d.identity(d.bytes(id.val))
	} else {
		var sum [2 * sha256.Size]byte
		hex.Encode(sum[:], r.Hash[:])
		r.ID = d.identity(sum[:])
	}
	return kind, nil
}

// identity keeps an identity in memory that only identities share.
func (d *Decoder) identity(id []byte) string {
	if cap(d.ids)-len(d.ids) < len(id) {
		d.ids = make([]byte, 0, max(16<<10, len(id)))
	}
	from := len(d.ids)
	d.ids = append(d.ids, id...)
	return view(d.ids[from:])
}

// name gives a field's value as a string, the same string for the same value.
func (d *Decoder) name(f *Field) string {
	if f == nil {
		return ""
	}
	val := d.bytes(f.val)
	if s, ok := d.names[string(val)]; ok {
		return s
	}
	s := string(val)
	if len(s) <= 64 {
		if len(d.names) >= maxNames {
			clear(d.names)
		}
		d.names[s] = s
	}
	return s
}

// The categories of events, as eventCategory names them.
const (
	CategoryManagement        = "Management"
	CategoryData              = "Data"
	CategoryNetworkActivity   = "NetworkActivity"
	CategoryActivityAuditLog  = "ActivityAuditLog"
	CategoryInsight           = "Insight"
	CategoryConfigurationItem = "ConfigurationItem"
	CategoryEvidence          = "Evidence"
)

// kindOf tells an event's kind from eventCategory or, where an old event has none, eventType. A category that is not known is taken for one of
// CloudTrail's, so that nothing is refused for being new.
func (d *Decoder) kindOf(category, eventType *Field) Kind {
	if category != nil {
		switch string(d.bytes(category.val)) {
		case CategoryInsight:
			return Insight
		case CategoryActivityAuditLog:
			return Activity
		case CategoryConfigurationItem:
			return ConfigurationItem
		case CategoryEvidence:
			return Evidence
		}
		return CloudTrail
	}
	if eventType != nil {
		switch string(d.bytes(eventType.val)) {
		case "AwsCloudTrailInsight":
			return Insight
		case "ActivityLog":
			return Activity
		case "AwsConfigurationItem":
			return ConfigurationItem
		case "AwsAuditManagerEvidence":
			return Evidence
		}
	}
	return CloudTrail
}

// category gives the event's category. Events have eventCategory since version 1.07 and managementEvent since 1.06; before, data events were
// those of S3 objects and Lambda invocations ("CloudTrail record contents" in the AWS user guide).
func (d *Decoder) category(k Kind, at []*Field) string {
	if f := at[categoryRole]; f != nil {
		return d.name(f)
	}
	switch k {
	case Activity:
		return CategoryActivityAuditLog
	case Insight:
		return CategoryInsight
	case ConfigurationItem:
		return CategoryConfigurationItem
	case Evidence:
		return CategoryEvidence
	}
	if m := at[managementRole]; m != nil {
		if m.Num == 0 {
			return CategoryData
		}
		return CategoryManagement
	}
	if source, name := at[sourceRole], at[nameRole]; source != nil && name != nil {
		switch string(d.bytes(source.val)) {
		case "s3.amazonaws.com":
			if s3ObjectEvents[string(d.bytes(name.val))] {
				return CategoryData
			}
		case "lambda.amazonaws.com":
			if call := string(d.bytes(name.val)); call == "Invoke" || call == "InvokeExecution" {
				return CategoryData
			}
		}
	}
	return CategoryManagement
}

// s3ObjectEvents are the object-level calls that "Amazon S3 CloudTrail events" in the Amazon S3 user guide lists.
var s3ObjectEvents = map[string]bool{
	"AbortMultipartUpload": true, "CompleteMultipartUpload": true, "CopyObject": true, "CreateMultipartUpload": true,
	"DeleteObject": true, "DeleteObjectTagging": true, "DeleteObjects": true, "GetObject": true, "GetObjectAcl": true,
	"GetObjectAttributes": true, "GetObjectLegalHold": true, "GetObjectRetention": true, "GetObjectTagging": true,
	"GetObjectTorrent": true, "HeadBucket": true, "HeadObject": true, "InitiateMultipartUpload": true, "ListObjectVersions": true,
	"ListObjects": true, "ListParts": true, "PutObject": true, "PutObjectAcl": true, "PutObjectLegalHold": true,
	"PutObjectRetention": true, "PutObjectTagging": true, "RestoreObject": true, "SelectObjectContent": true, "UploadPart": true,
	"UploadPartCopy": true,
}
