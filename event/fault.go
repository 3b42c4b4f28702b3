package event

import "fmt"

// Bounds on one event's text.
const (
	MaxEventSize = 1 << 20 // bytes; the largest event that CloudTrail accepts (MaxEventSize "Large" of PutEventConfiguration)
	MaxDepth     = 100     // levels of objects and lists, the event itself being the first
)

// Fault says in which way a text is not an event. The words are part of what ListImportFailures shows.
type Fault string

// The faults that decoding finds.
const (
	Malformed  Fault = "MalformedJSON"       // not JSON (RFC 8259)
	Cut        Fault = "TruncatedJSON"       // JSON as far as it goes, but it ends too early
	TooDeep    Fault = "NestedTooDeeply"     // more than MaxDepth levels
	NotUTF8    Fault = "InvalidUTF8"         // a string holds bytes that are not UTF-8
	TooLarge   Fault = "EventTooLarge"       // more than MaxEventSize bytes
	NotObject  Fault = "RecordNotObject"     // JSON, but not an object
	NoTime     Fault = "MissingEventTime"    // no eventTime, or null
	BadTime    Fault = "InvalidEventTime"    // an eventTime that is not an ISO 8601 time
	TimeBounds Fault = "EventTimeOutOfRange" // an eventTime before 1970 or after 2200
)

// Error is why a text could not be decoded.
type Error struct {
	Fault   Fault
	Offset  int // bytes from the start of the record to what was wrong
	Message string
}

// Error gives the message and where in the record the fault lies.
func (e *Error) Error() string {
	return fmt.Sprintf("%s (at byte %d of the record)", e.Message, e.Offset)
}
