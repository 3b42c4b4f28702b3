package samples

import (
	"regexp"
	"testing"

	"github.com/lochlake/loch/dialect"
)

func TestLibrary(t *testing.T) {
	if len(All()) < 60 {
		t.Errorf("%d queries", len(All()))
	}
	groups, names := map[string]int{}, map[string]bool{}
	alias := regexp.MustCompile(`\A[a-zA-Z][a-zA-Z0-9._\-]{0,255}\z`) // the service model's pattern of QueryAlias
	for _, q := range All() {
		groups[q.Group]++
		if names[q.Name] || !alias.MatchString(q.Name) {
			t.Errorf("%s stands twice, or is no alias", q.Name)
		}
		names[q.Name] = true
		if len(q.Parameters) > 10 {
			t.Errorf("%s has %d parameters; StartQuery takes 10", q.Name, len(q.Parameters))
		}
		values := make([]string, len(q.Parameters))
		for i := range values {
			values[i] = "x"
		}
		if _, err := dialect.ParseTemplate(q.SQL, values); err != nil {
			t.Errorf("%s: %v", q.Name, err)
		}
		if sql, ok := Template(q.Name); !ok || sql != q.SQL {
			t.Errorf("%s is not found by its name", q.Name)
		}
	}
	for _, g := range []string{"identity", "network", "data", "configuration", "cost", "outside", "forensics"} {
		if groups[g] < 5 {
			t.Errorf("%d queries for %s", groups[g], g)
		}
	}
	if _, ok := Template("nothing"); ok {
		t.Error("a name that is not there is found")
	}
}

// TestSearch: who asks in plain words finds what was meant among the first three.
func TestSearch(t *testing.T) {
	for phrase, want := range map[string]string{
		"who signed in to the console without MFA":           "identity.console-logins-without-mfa",
		"failed console logins":                              "identity.failed-console-logins",
		"root user activity":                                 "identity.root-activity",
		"Which access keys were created?":                    "identity.new-access-keys",
		"who got administrator permissions":                  "identity.administrator-grants",
		"security groups open to the internet":               "network.open-to-the-world",
		"what did one IP address do":                         "network.principals-of-address",
		"data exfiltration from S3 buckets":                  "data.largest-downloads",
		"who read secrets":                                   "data.secrets-read",
		"snapshots shared with another account":              "data.shared-snapshots",
		"someone stopped CloudTrail logging":                 "configuration.logging-changes",
		"disable GuardDuty":                                  "configuration.detection-changes",
		"EC2 instances launched":                             "cost.launched-instances",
		"throttled API calls":                                "cost.throttled-calls",
		"wiz connector deleted":                              "outside.wiz-connector-changes",
		"timeline of a leaked access key":                    "forensics.timeline-of-access-key",
		"access denied errors":                               "forensics.denied-calls",
		"KMS key deletion":                                   "data.key-changes",
		"lambda function code changes":                       "configuration.function-updates",
		"which regions are used that should not be\nunusual": "cost.unusual-regions",
	} {
		found := Search(phrase)
		rank := -1
		for i, m := range found {
			if m.Name == want {
				rank = i
			}
			if m.Relevance <= 0 || m.Relevance > 1 || i > 0 && m.Relevance > found[i-1].Relevance {
				t.Errorf("%q: rank %d has relevance %v", phrase, i, m.Relevance)
			}
		}
		if rank < 0 || rank > 2 {
			var first []string
			for _, m := range found[:min(5, len(found))] {
				first = append(first, m.Name)
			}
			t.Errorf("%q: %s is at rank %d of %v", phrase, want, rank, first)
		}
	}
	for _, phrase := range []string{"zzyzx", "the of and", "?!", "  "} {
		if found := Search(phrase); len(found) > 0 {
			t.Errorf("%q finds %d, the first %s", phrase, len(found), found[0].Name)
		}
	}
}
