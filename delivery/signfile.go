// Package delivery brings the results of queries to a bucket, as CloudTrail Lake does: gzip CSV files and a signed list of their hashes; and it checks such
// a folder.
package delivery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// SignName is the name of the sign file.
const SignName = "result_sign.json"

// What a sign file says of itself.
const (
	signVersion        = "1.0"
	hashAlgorithm      = "SHA-256"
	signatureAlgorithm = "SHA256withRSA"
)

// SignFile is result_sign.json. Its first members are CloudTrail's ("CloudTrail sign file structure" in its user guide). CloudTrail's signature covers the
// files' hashes alone; Loch adds one over everything that the file says.
type SignFile struct {
	Version              string       `json:"version"`
	Region               string       `json:"region"`
	Files                []SignedFile `json:"files"`
	HashAlgorithm        string       `json:"hashAlgorithm"`
	SignatureAlgorithm   string       `json:"signatureAlgorithm"`
	QueryCompleteTime    string       `json:"queryCompleteTime"` // 2026-01-31T10:00:00Z
	HashSignature        string       `json:"hashSignature"`     // of hashText, hexadecimal
	PublicKeyFingerprint string       `json:"publicKeyFingerprint"`

	AccountID     string `json:"accountId"`
	QueryID       string `json:"queryId"`
	LochSignature string `json:"lochSignature"` // of wholeText, hexadecimal, with the same key
}

// SignedFile is one file of results.
type SignedFile struct {
	Name string `json:"fileName"`
	Hash string `json:"fileHashValue"` // SHA-256, hexadecimal
}

// hashText is what CloudTrail signs: the hashes in order, with blanks between them.
func (s *SignFile) hashText() []byte {
	hashes := make([]string, len(s.Files))
	for i, f := range s.Files {
		hashes[i] = f.Hash
	}
	return []byte(strings.Join(hashes, " "))
}

// wholeText is what Loch signs besides: every member but the signatures, one a line, in the file's order. Its first line sets it apart from everything else that
// the key signs.
func (s *SignFile) wholeText() ([]byte, error) {
	lines := []string{"loch query results 1", s.Version, s.Region, s.HashAlgorithm, s.SignatureAlgorithm, s.QueryCompleteTime, s.PublicKeyFingerprint, s.AccountID, s.QueryID}
	for _, f := range s.Files {
		lines = append(lines, f.Hash+" "+f.Name)
	}
	for _, l := range lines {
		if strings.ContainsAny(l, "\r\n") {
			return nil, fmt.Errorf("%.60q holds a line break", l)
		}
	}
	return []byte(strings.Join(lines, "\n")), nil
}

// maxSignFile bounds a sign file that is read, bytes.
const maxSignFile = 16 << 20

// readSignFile reads a sign file strictly: one object, no member that it does not know, so that nothing in it is without a signature.
func readSignFile(r io.Reader) (*SignFile, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSignFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxSignFile {
		return nil, fmt.Errorf("it has more than %d bytes", maxSignFile)
	}
	s := new(SignFile)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return s, nil
}

// completeTime is how a sign file writes a time.
func completeTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
