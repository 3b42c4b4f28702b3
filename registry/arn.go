package registry

import (
	"regexp"
	"strings"

	"github.com/google/uuid"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
)

// arnForm is an ARN of CloudTrail: region, account, type, and what identifies the resource.
var arnForm = regexp.MustCompile(`\Aarn:aws[a-z-]*:cloudtrail:([a-z0-9-]+):([0-9]{12}):([a-zA-Z-]+)/(.+)\z`)

// parseARN takes an ARN of CloudTrail apart.
func parseARN(arn string) (sc meta.Scope, kind, id string, ok bool) {
	m := arnForm.FindStringSubmatch(arn)
	if m == nil {
		return sc, "", "", false
	}
	return meta.Scope{Account: m[2], Region: m[1]}, m[3], m[4], true
}

// parseStore reads a store's ARN, or the ID that ends it; the scope is zero where ref is an ID.
func parseStore(ref string) (id string, sc meta.Scope, err error) {
	return parse(ref, "eventdatastore", "EventDataStoreARNInvalidException", "an event data store")
}

// parseChannel reads a channel's ARN, or the ID that ends it.
func parseChannel(ref string) (id string, sc meta.Scope, err error) {
	return parse(ref, "channel", "ChannelARNInvalidException", "a channel")
}

func parse(ref, want, code, name string) (id string, sc meta.Scope, err error) {
	id = ref
	if strings.Contains(ref, ":") {
		var kind string
		var ok bool
		if sc, kind, id, ok = parseARN(ref); !ok || kind != want {
			return "", sc, awserr.New(code, "%.300q is not the ARN of %s: arn:aws:cloudtrail:REGION:ACCOUNT:%s/ID.", ref, name, want)
		}
	}
	id = strings.ToLower(id)
	if !isUUID(id) {
		return "", sc, awserr.New(code, "%.300q is neither the ARN nor the ID of %s.", ref, name)
	}
	return id, sc, nil
}

func isUUID(s string) bool {
	_, err := uuid.Parse(s)
	return err == nil && len(s) == 36
}
