// Package access holds who calls and whether they may: keys, Signature Version 4, and (later) policies and decisions. It knows no
// handlers.
package access

// Caller is whom a verified signature named.
type Caller struct {
	AccessKeyID string
	Account     string // 12 digits
	Region      string // of the signature's scope
	ARN         string // for example arn:aws:iam::123456789012:root
	Root        bool
}
