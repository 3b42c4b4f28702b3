package delivery

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/query"
)

// failure is why a delivery did not come about.
type failure struct {
	err     error
	signing bool // the results are delivered, the sign file is not
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// final tells whether trying again is of no use: what a person must change first, and what no longer exists here.
func final(err error) bool {
	return errors.Is(err, objstore.ErrDenied) || errors.Is(err, objstore.ErrNoBucket) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, query.ErrDamaged)
}

// outcome names a failed delivery as the API does, and says in plain words why.
func outcome(err error) (status, why string) {
	f, _ := errors.AsType[*failure](err)
	signing := f != nil && f.signing
	switch {
	case errors.Is(err, objstore.ErrNoBucket):
		return query.DeliveryNotFound, "The results could not be delivered: the bucket does not exist."
	case errors.Is(err, objstore.ErrDenied) && signing:
		return query.DeliveryDeniedSigning, "The results were delivered, their sign file was refused: access denied."
	case errors.Is(err, objstore.ErrDenied):
		return query.DeliveryDenied, "The results could not be delivered: access denied."
	case signing:
		return query.DeliveryFailedSigning, "The results were delivered, their sign file could not be."
	}
	return query.DeliveryFailed, "The results could not be delivered."
}

// deliver writes a query's results and then their sign file. Doing it again writes the same bytes under the same names.
func (s *Service) deliver(ctx context.Context, q meta.Query) (err error) {
	folder, err := s.cfg.Targets.open(ctx, q)
	if err != nil {
		return err
	}
	p := &parts{dir: s.cfg.Dir, limit: s.cfg.PartBytes, done: func(p part) error { return folder.Put(ctx, p.Name, p.file, p.size, false) }}
	defer func() { err = errors.Join(err, p.drop()) }()
	if err := s.cfg.Results.Read(ctx, q.ID, p.columns, p.row); err != nil {
		return err
	}
	if err := p.end(); err != nil {
		return err
	}
	if err := s.sign(ctx, folder, q, p.files); err != nil {
		return &failure{fmt.Errorf("sign file: %w", err), true}
	}
	return nil
}

func (s *Service) sign(ctx context.Context, folder objstore.Store, q meta.Query, files []SignedFile) error {
	f := &SignFile{Version: signVersion, Region: q.Region, Files: files, HashAlgorithm: hashAlgorithm, SignatureAlgorithm: signatureAlgorithm,
		QueryCompleteTime: completeTime(q.Ended), AccountID: q.Account, QueryID: q.ID}
	signature, fingerprint, err := s.cfg.Keys.Sign(f.hashText())
	if err != nil {
		return err
	}
	f.HashSignature, f.PublicKeyFingerprint = hex.EncodeToString(signature), fingerprint
	whole, err := f.wholeText()
	if err != nil {
		return err
	}
	if signature, _, err = s.cfg.Keys.Sign(whole); err != nil {
		return err
	}
	f.LochSignature = hex.EncodeToString(signature)
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return folder.Put(ctx, SignName, bytes.NewReader(text), int64(len(text)), false)
}
