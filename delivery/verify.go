package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"time"

	"github.com/lochlake/loch/signing"
)

// Finding is one thing that is wrong with a folder of results.
type Finding struct {
	File    string
	Problem string
}

// Report is what Verify found. The folder is as it was delivered where there is no finding.
type Report struct {
	QueryID   string
	Account   string
	Region    string
	Completed string
	Files     int   // that the sign file names
	Bytes     int64 // read of them
	Findings  []Finding
}

// Keys are public keys in PKCS #1 by their fingerprints, of whoever's signature counts.
type Keys map[string][]byte

// resultName is how files of results are called.
var resultName = regexp.MustCompile(`\Aresult_[0-9]+\.csv\.gz\z`)

// Verify checks a folder of delivered results: the sign file's signatures, then every file's hash, then that no file of results is there that it does not
// name. What cannot be read, for other reasons than that it is missing, is an error and no finding.
func Verify(ctx context.Context, folder Folder, keys Keys) (Report, error) {
	var r Report
	found := func(file, format string, args ...any) {
		r.Findings = append(r.Findings, Finding{file, fmt.Sprintf(format, args...)})
	}
	f, err := folder.Open(ctx, SignName)
	if errors.Is(err, fs.ErrNotExist) {
		found(SignName, "missing: without it nothing is known of the folder")
		return r, nil
	}
	if err != nil {
		return r, err
	}
	sign, err := readSignFile(f)
	if cerr := f.Close(); cerr != nil {
		return r, cerr
	}
	if err != nil {
		found(SignName, "cannot be read as a sign file: %v", err)
		return r, nil
	}
	r.QueryID, r.Account, r.Region, r.Completed, r.Files = sign.QueryID, sign.AccountID, sign.Region, sign.QueryCompleteTime, len(sign.Files)
	for _, problem := range sign.check(keys) {
		found(SignName, "%s", problem)
	}
	named := map[string]bool{}
	for _, file := range sign.Files {
		if named[file.Name] {
			found(SignName, "names %.100q twice", file.Name)
			continue
		}
		named[file.Name] = true
		if !resultName.MatchString(file.Name) {
			found(SignName, "names %.100q, which is no name of a file of results", file.Name)
			continue
		}
		problem, n, err := compare(ctx, folder, file)
		if err != nil {
			return r, err
		}
		if r.Bytes += n; problem != "" {
			found(file.Name, "%s", problem)
		}
	}
	names, err := folder.Names(ctx)
	if err != nil {
		return r, err
	}
	slices.Sort(names)
	for _, name := range names {
		if resultName.MatchString(name) && !named[name] {
			found(name, "is not among the files that the sign file names")
		}
	}
	return r, nil
}

// compare checks one file's hash.
func compare(ctx context.Context, folder Folder, file SignedFile) (problem string, n int64, err error) {
	in, err := folder.Open(ctx, file.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return "missing", 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	sum := sha256.New()
	n, err = io.Copy(sum, in)
	if err = errors.Join(err, in.Close()); err != nil {
		return "", n, fmt.Errorf("%s: %w", file.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != file.Hash {
		problem = fmt.Sprintf("changed: its SHA-256 is %s, the sign file has %.64s", got, file.Hash)
	}
	return problem, n, nil
}

// check tells what is wrong with a sign file by itself.
func (s *SignFile) check(keys Keys) (problems []string) {
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if s.Version != signVersion || s.HashAlgorithm != hashAlgorithm || s.SignatureAlgorithm != signatureAlgorithm {
		add("is of version %.20q with %.20q and %.20q; only %s with %s and %s is known", s.Version, s.HashAlgorithm, s.SignatureAlgorithm, signVersion, hashAlgorithm, signatureAlgorithm)
		return problems
	}
	if len(s.Files) == 0 {
		add("names no file of results")
	}
	if _, err := time.Parse(time.RFC3339, s.QueryCompleteTime); err != nil {
		add("queryCompleteTime: %.40q is no time", s.QueryCompleteTime)
	}
	key, ok := keys[s.PublicKeyFingerprint]
	if !ok {
		add("signed with a key that is not among the known ones: %.64q", s.PublicKeyFingerprint)
		return problems
	}
	signed := func(name string, text []byte, signature, meaning string) {
		b, err := hex.DecodeString(signature)
		if err == nil {
			err = signing.Verify(key, text, b)
		}
		if err != nil {
			add("%s is not valid: %s (%v)", name, meaning, err)
		}
	}
	signed("hashSignature", s.hashText(), s.HashSignature, "the list of hashes was changed")
	whole, err := s.wholeText()
	switch {
	case err != nil:
		add("%v", err)
	case s.LochSignature == "":
		add("has no lochSignature: names, times and the query's ID could have been changed")
	default:
		signed("lochSignature", whole, s.LochSignature, "something in the file was changed")
	}
	return problems
}
