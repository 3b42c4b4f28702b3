// Package awserr holds the errors of the CloudTrail API, as values: the name that clients switch on, the HTTP status
// and the message. Rooms that carry out operations return them; the api room puts them on the wire.
package awserr

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is an error in the API's own vocabulary.
type Error struct {
	Code    string // the exception's name in the service model, for example "EventDataStoreNotFoundException"
	Status  int    // HTTP status: 400 unless the model or AWS's common errors say otherwise
	Message string // for the caller; names what was wrong, never a secret or what the caller may not know
	Err     error  // the cause, for the log; nil where there is none
}

// Error gives code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an error with status 400, the service's default for what the caller can mend.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// Internal wraps a fault of ours. The caller learns only that it was one; the cause goes to the log.
func Internal(err error) *Error {
	return &Error{Code: "InternalFailure", Status: http.StatusInternalServerError,
		Message: "The request processing has failed because of an unknown error, exception or failure.", Err: err}
}

// From finds the Error in err's chain, or makes an internal one of it.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Internal(err)
}

// Is tells whether err's chain holds an Error of that code.
func Is(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}
