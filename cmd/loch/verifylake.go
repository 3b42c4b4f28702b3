package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/disk"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/terminal"
	"github.com/lochlake/loch/verify"
)

// lakeFlags are what verifying a lake, or a proof, takes.
type lakeFlags struct {
	Data     string   `help:"Verify the lake in the data folder of a stopped server." placeholder:"DIR" type:"path"`
	StoreURL string   `help:"Verify the lake at s3://bucket/prefix, where a server's tables lie; with --data against its metadata, too." placeholder:"URL"`
	Full     bool     `help:"Of a lake: every event too, its hash and every column, and not the files' hashes alone."`
	Logs     bool     `help:"Of the running server at --endpoint verify the transparency logs alone: that they are whole, signed, and go on from the last time. For who may not read the stores' files."`
	Proof    string   `help:"Verify a proof that \"loch prove\" made: needs --key and no server." placeholder:"FILE" type:"path"`
	Key      string   `help:"The server's public key for proofs, which it prints when it starts, or a file with it. Default with --data: that of proof.key in --key-dir; of a running server: it is asked, which proves nothing of the server." placeholder:"KEY"`
	NewKey   string   `help:"The public key, or a file with it, that a lake was given in place of the one that it had the last time. Without it another key is a finding: whoever replaces the key can write any history." placeholder:"KEY"`
	Witness  []string `help:"Key of a witness that must have cosigned every checkpoint, as NAME+ID+KEY; repeat it for several." sep:"none" placeholder:"VKEY"`
	KeyDir   string   `help:"With --data: folder of the server's secrets. Default: the data folder." placeholder:"DIR" type:"path"`
	State    string   `help:"File in which the checkpoints of the last verification are kept: a log that is gone, has another key or does not go on from them is a finding. Default: loch/checkpoints.json among the user's settings." placeholder:"FILE" type:"path"`
}

func countGiven(texts ...string) (n int) {
	for _, s := range texts {
		if s != "" {
			n++
		}
	}
	return n
}

// witnesses are those whose cosignatures are required.
func (v *lakeFlags) witnesses() (out []proof.Witness, err error) {
	for _, vkey := range v.Witness {
		w, err := proof.ParseWitness(vkey)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// errNoKey says which key is missing.
var errNoKey = errors.New("--key is needed: the public key that the server printed when it started, or a file with it")

// publicKey is the key to verify by.
func (v *lakeFlags) publicKey() (proof.PublicKey, error) {
	if v.Key == "" && v.Data != "" {
		dir := cmp.Or(v.KeyDir, v.Data)
		seed, err := access.ReadSecret(dir, "proof.key")
		if err != nil || len(seed) != proof.SeedSize {
			return nil, fmt.Errorf("--key is needed: %s holds no proof.key (%w)", dir, err)
		}
		return proof.NewKey(seed).Public(), nil
	}
	if v.Key == "" {
		return nil, errNoKey
	}
	return readPublicKey(v.Key)
}

// readPublicKey reads a key, or the file that has it.
func readPublicKey(said string) (proof.PublicKey, error) {
	key, err := proof.ParsePublicKey(said)
	if err != nil {
		if text, ferr := os.ReadFile(said); ferr == nil {
			return proof.ParsePublicKey(string(text))
		}
	}
	return key, err
}

// accepted is the key that may be new; it must be the one that is verified by.
func (v *lakeFlags) accepted(key proof.PublicKey) (proof.PublicKey, error) {
	if v.NewKey == "" {
		return nil, nil
	}
	accept, err := readPublicKey(v.NewKey)
	if err == nil && accept.String() != key.String() {
		err = fmt.Errorf("--new-key is %s, and the lake is verified by %s", accept, key)
	}
	return accept, err
}

// lake verifies a lake, prints a line for each finding, and fails where there is one.
func (v *verifyCmd) lake(ctx context.Context) (err error) {
	opt := verify.Options{Full: v.Full, Lake: cmp.Or(v.Data, strings.TrimSuffix(v.StoreURL, "/"))}
	if v.Data != "" {
		if _, err := os.Stat(filepath.Join(v.Data, "meta.db")); err != nil {
			return fmt.Errorf("%s is no data folder of a server: %w", v.Data, err)
		}
	}
	if opt.Key, err = v.publicKey(); err != nil {
		return err
	}
	if v.Data != "" {
		lock, err := disk.Lock(filepath.Join(v.Data, "lock"))
		if errors.Is(err, disk.ErrLocked) {
			return fmt.Errorf("a server runs on %s: stop it first, since its tables change meanwhile", v.Data)
		}
		if err != nil {
			return err
		}
		defer lock.Close()
		db, err := meta.OpenSQLite(ctx, filepath.Join(v.Data, "meta.db"))
		if err != nil {
			return err
		}
		defer db.Close()
		opt.Meta = db
	}
	if v.StoreURL != "" {
		opt.Objects, err = objstore.Open(ctx, v.StoreURL, v.S3.config().Store())
	} else {
		opt.Objects, err = objstore.OpenLocal(filepath.Join(v.Data, "lake"))
	}
	if err != nil {
		return err
	}
	if err := v.locate(ctx, &opt); err != nil {
		return err
	}
	return v.run(ctx, opt, verify.Run)
}

// locate finds out where tables think that they lie, if the lake was brought elsewhere.
func (v *lakeFlags) locate(ctx context.Context, opt *verify.Options) error {
	if db, ok := opt.Meta.(meta.DB); ok {
		return lake.Locate(ctx, opt.Objects, db)
	}
	base, err := lake.MadeAt(ctx, opt.Objects)
	if err != nil || base == "" {
		return err
	}
	return objstore.Named(opt.Objects, base)
}

// logs verifies the logs of a running server.
func (v *verifyCmd) logs(ctx context.Context) error {
	c, opt, err := v.reach(ctx)
	if err != nil {
		return err
	}
	opt.Objects = &client.Logs{Client: c}
	if opt.Logs, err = storesNamed(ctx, c, ""); err != nil {
		return err
	}
	opt.Logs = append([]string{}, opt.Logs...) // a list also where it is empty
	return v.run(ctx, opt, verify.Run)
}

// run verifies by check against the checkpoints of the last time, and keeps those of this time.
func (v *verifyCmd) run(ctx context.Context, opt verify.Options, check func(context.Context, verify.Options) (verify.Report, error)) error {
	state, err := v.statePath()
	if err != nil {
		return err
	}
	if opt.Seen, err = readSeen(state); err != nil {
		return err
	}
	if opt.Accept, err = v.accepted(opt.Key); err != nil {
		return err
	}
	bar := terminal.NewProgress(os.Stderr, "verifying")
	if opt.Witnesses, err = v.witnesses(); err != nil {
		return err
	}
	opt.Progress = func(done, total, events int64) {
		bar.Set(terminal.State{Events: events, Bytes: done, TotalBytes: total})
	}
	report, err := check(ctx, opt)
	bar.Close()
	if err != nil {
		if !v.JSON { // what was found before is none the less so
			tellFindings(report)
		}
		return err
	}
	if err := writeSeen(state, opt.Seen); err != nil {
		return fmt.Errorf("the checkpoints for the next time: %w", err)
	}
	return v.tell(report)
}

func tellFindings(report verify.Report) {
	for _, f := range report.Findings {
		fmt.Printf("store %s: %s: %s\n", f.Store, f.Object, f.Problem)
	}
}

func (v *verifyCmd) tell(report verify.Report) error {
	n, unread := len(report.Findings), len(report.Unverified)
	if v.JSON {
		report.Findings = append([]verify.Finding{}, report.Findings...) // a list also where it is empty
		err := writeJSON(os.Stdout, struct {
			Valid bool `json:"valid"`
			verify.Report
		}{n+unread == 0, report})
		if err != nil {
			return err
		}
	} else {
		tellFindings(report)
		for _, u := range report.Unverified {
			fmt.Printf("store %s: not verified: %s\n", u.Store, u.Reason)
		}
		for _, c := range oldest(report.Cosigned) {
			fmt.Printf("witness %s cosigned every checkpoint, the oldest at %s\n", c.Witness, c.At.Format(time.RFC3339))
		}
		if n == 0 && (unread == 0 || report.Stores > 0) {
			checked := ""
			if v.Full {
				checked = fmt.Sprintf(", %s recomputed", terminal.Counted(report.Checked, "event"))
			}
			if report.Erased > 0 {
				checked += fmt.Sprintf(", %s of them erased", terminal.Count(report.Erased))
			}
			if v.Logs {
				fmt.Printf("valid: the logs of %s, of %s, with %s\n", terminal.Counted(int64(report.Stores), "store"), terminal.Counted(report.Events, "event"), plural(report.Leaves, "leaf", "leaves"))
				return nil
			}
			fmt.Printf("valid: %s, %s in %s (%s)%s; %s, %d of them not yet under a checkpoint\n", terminal.Counted(int64(report.Stores), "store"), terminal.Counted(report.Events, "event"),
				terminal.Counted(report.Files, "file"), terminal.Bytes(report.Bytes), checked, plural(report.Leaves+report.Pending, "leaf", "leaves"), report.Pending)
		}
	}
	if n > 0 {
		return fmt.Errorf("the lake is not as its logs say: %s", terminal.Counted(int64(n), "finding"))
	}
	if unread > 0 {
		return fmt.Errorf("not all was verified: %s could not be read", terminal.Counted(int64(unread), "store"))
	}
	return nil
}

// oldest gives, of each witness that cosigned all logs, its oldest cosignature.
func oldest(all []verify.Cosigned) (out []verify.Cosigned) {
	for _, c := range all {
		at := slices.IndexFunc(out, func(o verify.Cosigned) bool { return o.Witness == c.Witness })
		switch {
		case at < 0:
			out = append(out, c)
		case c.At.Before(out[at].At):
			out[at] = c
		}
	}
	return out
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return terminal.Count(n) + " " + many
}

func (v *lakeFlags) statePath() (string, error) {
	if v.State != "" {
		return v.State, nil
	}
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "loch", "checkpoints.json"), err
}

func readSeen(path string) (verify.Seen, error) {
	seen := verify.Seen{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return seen, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &seen)
	}
	if err != nil {
		return nil, fmt.Errorf("the checkpoints of the last time: %w", err)
	}
	return seen, nil
}

// writeSeen writes aside and renames, so that a crash leaves the old ones.
func writeSeen(path string, seen verify.Seen) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(seen, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// proof verifies a proof file: no server, no network.
func (v *verifyCmd) proof() error {
	key, err := v.publicKey()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(v.Proof)
	if err != nil {
		return err
	}
	p, err := proof.ParseFile(text)
	if err == nil {
		err = p.Verify(key)
	}
	witnesses, werr := v.witnesses()
	if werr != nil {
		return werr
	}
	for _, w := range witnesses {
		if err == nil {
			_, err = w.Cosigned([]byte(p.Checkpoint))
		}
	}
	if v.JSON {
		out := struct {
			Valid   bool   `json:"valid"`
			Problem string `json:"problem,omitempty"`
			Store   string `json:"store"`
			EventID string `json:"eventId"`
		}{Valid: err == nil, Store: p.Store, EventID: p.Event.ID}
		if err != nil {
			out.Problem = err.Error()
		}
		if werr := writeJSON(os.Stdout, out); werr != nil {
			return werr
		}
	}
	if err != nil {
		return fmt.Errorf("%s proves nothing: %w", v.Proof, err)
	}
	if !v.JSON {
		fmt.Printf("valid: event %s was accepted at %s from %s, and is leaf %d of the log of store %s\n", p.Event.ID, p.AcceptedAt(), p.Event.Provenance, p.Index, p.Store)
	}
	return nil
}
