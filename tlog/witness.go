package tlog

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
)

// Witness is one that checkpoints are sent to for its cosignature (C2SP tlog-witness).
type Witness struct {
	URL string // submission prefix, without a slash at its end: add-checkpoint is asked below it
	Key proof.Witness
}

// ParseWitness reads URL=VKEY.
func ParseWitness(text string) (w Witness, err error) {
	at, vkey, ok := strings.Cut(text, "=")
	if !ok {
		return w, fmt.Errorf("%.200q is none of the form URL=VKEY", text)
	}
	u, err := url.Parse(at)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return w, fmt.Errorf("%.200q is no URL of a witness: it has the form https://host/path", at)
	}
	w.URL = strings.TrimSuffix(at, "/")
	w.Key, err = proof.ParseWitness(vkey)
	return w, err
}

// Errors of asking a witness, by what follows from them.
var (
	errRefused     = errors.New("the witness refuses the log") // an alarm: what it cosigned before is not the beginning of what the log is now
	errUnknown     = errors.New("the witness does not know the log or its key: add the log's key to it")
	errUnreachable = errors.New("the witness cannot be asked")
	errOvertaken   = errors.New("another checkpoint was published meanwhile")
)

const (
	witnessTime   = 10 * time.Second // that one request may take
	witnessAnswer = 64 << 10         // bytes of an answer that are read
	conflicts     = 3                // answers that the witness stands elsewhere, of one attempt
)

// ask has the witness cosign the store's present checkpoint, and appends the cosignature to it. Known is the size that the witness is believed to have; the size that it
// turns out to have is given back.
func (c *cosigner) ask(ctx context.Context, id string, known uint64) (uint64, error) {
	r := Reader{c.service.cfg.Objects, id}
	for range conflicts {
		signed, err := r.Checkpoint(ctx)
		if errors.Is(err, objstore.ErrNotExist) {
			return known, nil // nothing is published yet
		}
		if err != nil {
			return known, err
		}
		cp, err := proof.OpenCheckpoint(signed, c.service.cfg.Key.Public(), id)
		if err != nil {
			return known, err
		}
		if _, err := c.Key.Cosigned(signed); !errors.Is(err, proof.ErrNotCosigned) {
			return cp.Size, err
		}
		if known > cp.Size {
			known = cp.Size // the witness tells where it stands, if not there
		}
		path, err := r.Consistency(ctx, known, cp.Size)
		if err != nil {
			return known, fmt.Errorf("consistency proof: %w", err)
		}
		lines, stands, err := c.post(ctx, known, path, signed)
		if err != nil {
			return known, err
		}
		if lines != nil {
			if err = c.service.attach(ctx, c.Key, r, signed, lines); err == nil {
				c.service.witness.cosignatures.WithLabelValues(c.Key.Name()).Inc()
			}
			return cp.Size, err
		}
		if stands > cp.Size {
			if ahead, err := c.ahead(ctx, r, stands); err != nil || ahead {
				return known, errors.Join(err, fmt.Errorf("%w: it cosigned %d leaves, and the log has %d: the log was set back", errRefused, stands, cp.Size))
			}
		}
		known = stands
	}
	return known, fmt.Errorf("%w: it stands elsewhere each time that it is asked", errUnreachable)
}

// ahead tells whether the witness has cosigned more than is published by now: somebody else may have brought it a checkpoint meanwhile.
func (c *cosigner) ahead(ctx context.Context, r Reader, stands uint64) (bool, error) {
	signed, err := r.Checkpoint(ctx)
	if err != nil {
		return false, err
	}
	cp, err := proof.ParseCheckpoint(signed)
	return stands > cp.Size, err
}

// post asks for a cosignature. Without an error it gives the lines of signatures that the witness answered, or nil and the size of the log that the witness has.
func (c *cosigner) post(ctx context.Context, old uint64, path []proof.Hash, signed []byte) (lines []byte, stands uint64, err error) {
	body := fmt.Appendf(nil, "old %d\n", old)
	for _, h := range path {
		body = append(base64.StdEncoding.AppendEncode(body, h[:]), '\n')
	}
	body = append(append(body, '\n'), signed...)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, witnessAnswer))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return append([]byte{}, answer...), 0, nil // not nil
	case http.StatusConflict:
		// The type sets a witness's answer apart from that of a proxy before it.
		if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "text/x.tlog.size" {
			return nil, 0, fmt.Errorf("%w: a conflict without the size that it has (Content-Type %.100q)", errUnreachable, resp.Header.Get("Content-Type"))
		}
		size, ok := strings.CutSuffix(string(answer), "\n")
		if stands, err = strconv.ParseUint(size, 10, 63); err != nil || !ok {
			return nil, 0, fmt.Errorf("%w: a conflict with the size %.100q", errUnreachable, answer)
		}
		return nil, stands, nil
	case http.StatusUnprocessableEntity:
		return nil, 0, fmt.Errorf("%w: by its proof the log does not go on from the %d leaves that it cosigned (%.200q)", errRefused, old, answer)
	case http.StatusNotFound, http.StatusForbidden:
		return nil, 0, fmt.Errorf("%w (%s: %.200q)", errUnknown, resp.Status, answer)
	default:
		return nil, 0, fmt.Errorf("%w: %s: %.200q", errUnreachable, resp.Status, answer)
	}
}

// attach appends a witness's cosignature to the published checkpoint, if that is still the one which it is of.
func (s *Service) attach(ctx context.Context, w proof.Witness, r Reader, asked, lines []byte) error {
	select {
	case s.turn <- struct{}{}: // nobody publishes meanwhile
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	signed, err := r.Checkpoint(ctx)
	if err != nil {
		return err
	}
	is, _, _ := bytes.Cut(signed, []byte("\n\n"))
	was, _, _ := bytes.Cut(asked, []byte("\n\n"))
	if !bytes.Equal(is, was) {
		return errOvertaken
	}
	cosigned, err := w.Cosign(signed, lines)
	if err != nil {
		return fmt.Errorf("%w: its answer: %w", errUnreachable, err)
	}
	return r.Objects.Put(ctx, r.Key(proof.CheckpointPath), bytes.NewReader(cosigned), int64(len(cosigned)), false)
}
