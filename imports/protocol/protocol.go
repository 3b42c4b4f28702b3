// Package protocol is what client and server of a streamed import say to each other: Loch's own endpoints under /loch/v1/imports, JSON but for the
// objects themselves, signed with Signature Version 4 for the service cloudtrail.
//
//	POST /loch/v1/imports                 StartRequest -> Session
//	GET  /loch/v1/imports/{id}            -> Session
//	POST /loch/v1/imports/{id}/known      KnownRequest -> KnownResponse
//	POST /loch/v1/imports/{id}/objects    frames -> ObjectsResponse
//	POST /loch/v1/imports/{id}/finish     FinishRequest -> Session
//	GET  /loch/v1/imports/{id}/failures   ?after=SEQ -> FailuresResponse
//
// The client reads the files; no path that it names is ever opened by the server. An object is known by the SHA-256 of its bytes.
package protocol

import "time"

// Bounds of one request.
const (
	MaxWhole  = 4 << 20              // bytes of an object that is sent in one piece; larger ones are sent in pieces of this size, in order
	MaxBody   = MaxWhole + (1 << 20) // bytes of a request to …/objects: frames and their heads
	MaxHashes = 1000                 // in a KnownRequest
	MaxJSON   = 1 << 20              // bytes of the other requests' bodies
	PageSize  = 1000                 // failures of one answer
)

// Path is where the endpoints begin.
const Path = "/loch/v1/imports"

// RequestHeader carries a value that is the same when a request to …/objects is sent again because its answer was lost; then it is answered as
// before, and not done twice.
const RequestHeader = "X-Loch-Request"

// StartRequest opens a session, or begins an import that the server does by itself, where it names S3.
type StartRequest struct {
	Store  string    `json:",omitempty"` // name, ID or ARN of the event data store; "": the events enter as live ones
	Source string    `json:",omitempty"` // for people: what is imported, from where
	S3     *S3Source `json:",omitempty"` // the server reads it; the client follows with GET and may stop it with …/finish
	From   time.Time `json:",omitzero"`  // events before it are left out
	To     time.Time `json:",omitzero"`  // events after it are left out
}

// S3Source is what StartImport calls S3: endpoint, credentials and style are the server's own.
type S3Source struct {
	URI    string // s3://bucket/prefix
	Region string `json:",omitempty"`
}

// Counts is what became of the events of a source. Read = Stored + Known + Filtered + Expired + Bad once everything is settled.
type Counts struct {
	Read, Stored, Known, Filtered, Expired, Bad int64
	Foreign                                     int64 // of those read: of another account or region than the store's
	Conflict                                    int64 // of those stored: the identity was known with another text
}

// Session is how an import stands.
type Session struct {
	ImportID   string
	Store      string `json:",omitempty"` // ARN; "": live
	Status     string // INITIALIZING, IN_PROGRESS, FAILED, STOPPED, COMPLETED
	Settled    bool   // all that was accepted is counted
	Files      int64  // read in
	FilesKnown int64  // skipped, since an earlier import had read them in
	Bytes      int64
	Counts     Counts
	Failed     int64 // entries of the list of failures
}

// KnownRequest asks which objects were imported before, by the lower-case hexadecimal SHA-256 of their bytes.
type KnownRequest struct{ Hashes []string }

// KnownResponse names those that were; they need not be sent.
type KnownResponse struct{ Known []string }

// Head precedes an object's bytes.
type Head struct {
	Name   string // for people and for the list of failures: the path as the client sees it
	Size   int64  // bytes that follow
	Offset int64  `json:",omitempty"` // of these in the object
	Total  int64  `json:",omitempty"` // the object's size, where it is sent in pieces
	Hash   string `json:",omitempty"` // the object's, where it is sent in pieces
}

// ObjectsResponse answers a request to …/objects: everything in it is durable.
type ObjectsResponse struct {
	Files  int64    // objects that are wholly there
	Read   int64    // records found
	Bad    int64    // of these, unreadable
	Ended  []string `json:",omitempty"` // hashes of objects in pieces whose rest need not be sent: the server cannot read on
	Resend []Resend `json:",omitempty"`
}

// Resend asks for an object in pieces from another offset, since the server does not have what comes before: it was started again, for example.
type Resend struct {
	Hash   string
	Offset int64
}

// FinishRequest ends a session, or halts it for now.
type FinishRequest struct {
	Stopped bool
	Failed  []Failure `json:",omitempty"` // files that the client could not read; at most PageSize a request
	Known   int64     `json:",omitempty"` // files that were not sent, since they were known; of those not reported before
	Open    bool      `json:",omitempty"` // only report: the session goes on
}

// Failure is one thing that could not be imported.
type Failure struct {
	Seq      int64 `json:",omitempty"`
	Location string
	Offset   int64 // in the inflated file; -1 where it concerns the whole file
	Type     string
	Message  string
}

// FailuresResponse is one page of failures. Where it has PageSize of them there may be more, after the last one's Seq.
type FailuresResponse struct{ Failures []Failure }
