package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/google/uuid"
)

// target is a value that stands in few events of all that were generated.
type target struct {
	column, value string
	events        int
}

// plant puts access keys and addresses into the log files, each in one to ten events of days far apart: copies of events that are
// there, so that nothing but the value tells them from their neighbours.
func plant(files []string, each int, seed uint64) ([]target, error) {
	rnd := rand.New(rand.NewPCG(seed, 0x6e656564))
	var targets []target
	added := map[string][]target{} // by file
	for n := range each {
		for _, t := range []target{
			{column: "useridentity.accesskeyid", value: accessKey(rnd)},
			{column: "sourceipaddress", value: fmt.Sprintf("%d.%d.%d.%d", 11+rnd.IntN(180), rnd.IntN(256), rnd.IntN(256), 1+rnd.IntN(254))},
		} {
			t.events = 1 + n%10
			for range t.events {
				f := files[rnd.IntN(len(files))]
				added[f] = append(added[f], t)
			}
			targets = append(targets, t)
		}
	}
	for f, list := range added {
		if err := addTo(f, list, rnd); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
	}
	return targets, nil
}

// accessKey makes a key as other temporary ones are: bounds do not tell it from them.
func accessKey(rnd *rand.Rand) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	key := []byte("ASIA")
	for range 16 {
		key = append(key, letters[rnd.IntN(len(letters))])
	}
	return string(key)
}

// addTo adds an event for each of the targets to a log file.
func addTo(path string, list []target, rnd *rand.Rand) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	zr, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(zr)
	if err != nil {
		return err
	}
	var log struct{ Records []json.RawMessage }
	if err := json.Unmarshal(text, &log); err != nil {
		return err
	}
	for _, t := range list {
		var e map[string]any
		for e["managementEvent"] != true { // others the store does not take
			e = nil
			if err := json.Unmarshal(log.Records[rnd.IntN(len(log.Records))], &e); err != nil {
				return err
			}
		}
		e["eventID"] = uuid.NewString()
		if t.column == "sourceipaddress" {
			e["sourceIPAddress"] = t.value
		} else {
			e["userIdentity"] = map[string]any{"type": "IAMUser", "accountId": e["recipientAccountId"], "accessKeyId": t.value}
		}
		one, err := json.Marshal(e)
		if err != nil {
			return err
		}
		log.Records = append(log.Records, one)
	}
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	if err := json.NewEncoder(zw).Encode(log); err != nil {
		return err
	}
	if err := zw.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}
