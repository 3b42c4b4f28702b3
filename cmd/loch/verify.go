package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/delivery"
	"github.com/lochlake/loch/signing"
	"github.com/lochlake/loch/terminal"
)

type verifyCmd struct {
	Results string  `arg:"" optional:"" name:"results" help:"Folder of query results that StartQuery delivered: a local folder, or s3://bucket/prefix."`
	Keys    string  `help:"Of results: file with the public keys, as \"aws cloudtrail list-public-keys\" prints them. Default: the server is asked." placeholder:"FILE" type:"path"`
	JSON    bool    `help:"Print the report as JSON."`
	S3      s3Flags `embed:"" prefix:"s3-" envprefix:"LOCH_S3_" group:"S3 of s3://bucket/prefix and of --store-url"`
	lakeFlags
	remote
}

// Validate refuses what names several things to verify. Who names none means the running server.
func (v *verifyCmd) Validate() error {
	running := ""
	if v.Logs {
		running = v.Endpoint
	}
	switch given := countGiven(v.Results, v.Data, v.StoreURL, v.Proof, running); {
	case given > 1 && (given != 2 || v.Data == "" || v.StoreURL == ""):
		return errors.New("say what to verify, one of these: a folder of query results, --data DIR, --store-url s3://bucket/prefix (with --data or without), --proof FILE, or, of the server at --endpoint, nothing more or --logs")
	case v.Logs && v.Full:
		return errors.New("--logs reads no events: leave it or --full out")
	case v.Proof != "" && v.Key == "":
		return errNoKey
	}
	return nil
}

// Run checks, prints a line for each finding, and fails where there is one.
func (v *verifyCmd) Run(ctx context.Context) error {
	if v.Logs {
		return v.logs(ctx)
	}
	if v.Proof != "" {
		return v.proof()
	}
	if v.Data != "" || v.StoreURL != "" {
		return v.lake(ctx)
	}
	if v.Results == "" {
		return v.server(ctx)
	}
	folder, err := delivery.OpenFolder(ctx, v.Results, v.S3.config().Store())
	if err != nil {
		return err
	}
	keys, err := v.keys(ctx)
	if err != nil {
		return fmt.Errorf("public keys: %w", err)
	}
	report, err := delivery.Verify(ctx, folder, keys)
	if err != nil {
		return err
	}
	if v.JSON {
		report.Findings = append([]delivery.Finding{}, report.Findings...) // a list also where it is empty
		err = writeJSON(os.Stdout, struct {
			Valid bool
			delivery.Report
		}{len(report.Findings) == 0, report})
	} else {
		for _, f := range report.Findings {
			fmt.Printf("%s: %s\n", f.File, f.Problem)
		}
		if len(report.Findings) == 0 {
			fmt.Printf("valid: %s (%s) of query %s, completed %s\n", terminal.Counted(int64(report.Files), "file"), terminal.Bytes(report.Bytes), report.QueryID, report.Completed)
		}
	}
	if n := len(report.Findings); err == nil && n > 0 {
		return fmt.Errorf("%s is not as it was delivered: %s", v.Results, terminal.Counted(int64(n), "finding"))
	}
	return err
}

// keys reads the file of keys, or asks the server for all that it has ever signed with.
func (v *verifyCmd) keys(ctx context.Context) (delivery.Keys, error) {
	var list model.ListPublicKeysResponse
	if v.Keys != "" {
		text, err := os.ReadFile(v.Keys)
		if err != nil {
			return nil, err
		}
		// The CLI prints times as texts, which do not matter here.
		var file struct {
			PublicKeyList []struct {
				Value       []byte
				Fingerprint *string
			}
		}
		if err := json.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", v.Keys, err)
		}
		for i := range file.PublicKeyList {
			list.PublicKeyList = append(list.PublicKeyList, model.PublicKey{Value: &file.PublicKeyList[i].Value, Fingerprint: file.PublicKeyList[i].Fingerprint})
		}
	} else {
		c, err := v.client(ctx)
		if err != nil {
			return nil, err
		}
		if err := c.Call(ctx, "ListPublicKeys", model.ListPublicKeysRequest{StartTime: model.At(time.Unix(0, 0)), EndTime: model.At(time.Now())}, &list); err != nil {
			return nil, client.Unreachable(v.Endpoint, err)
		}
	}
	keys := delivery.Keys{}
	for _, k := range list.PublicKeyList {
		if k.Value == nil || len(*k.Value) == 0 {
			return nil, errors.New("one has no value")
		}
		name := signing.Fingerprint(*k.Value)
		if k.Fingerprint != nil {
			name = *k.Fingerprint
		}
		keys[name] = *k.Value
	}
	if len(keys) == 0 {
		return nil, errors.New("there are none")
	}
	return keys, nil
}
