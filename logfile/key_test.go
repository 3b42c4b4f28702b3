package logfile_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/logfile"
)

func TestParseKey(t *testing.T) {
	minute := time.Date(2023, 7, 10, 11, 45, 0, 0, time.UTC)
	for key, want := range map[string]logfile.Key{
		"AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/10/111122223333_CloudTrail_us-east-1_20230710T1145Z_7xgocspSowgK0Gto.json.gz": {
			Account: "111122223333", Kind: logfile.LogKey, Region: "us-east-1", Time: minute, Unique: "7xgocspSowgK0Gto"},
		"a/b/AWSLogs/o-abc123def4/111122223333/CloudTrail/eu-west-1/2023/07/10/111122223333_CloudTrail_eu-west-1_20230710T1145Z_x_y.json.gz": {
			Prefix: "a/b", Organization: "o-abc123def4", Account: "111122223333", Kind: logfile.LogKey, Region: "eu-west-1", Time: minute, Unique: "x_y"},
		"AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2023/07/10/111122223333_CloudTrail-Insight_us-east-1_20230710T1145Z_u.json.gz": {
			Account: "111122223333", Kind: logfile.InsightKey, Region: "us-east-1", Time: minute, Unique: "u"},
		"AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2023/07/10/111122223333_CloudTrail-Digest_us-east-1_my_trail_us-west-2_20230710T114503Z.json.gz": {
			Account: "111122223333", Kind: logfile.DigestKey, Region: "us-east-1", Time: minute.Add(3 * time.Second), Unique: "my_trail_us-west-2"},
		"AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2023/07/10/111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20230710T114500Z_backfill.json.gz": {
			Account: "111122223333", Kind: logfile.DigestKey, Region: "us-east-1", Time: minute, Unique: "t_us-east-1", Backfill: true},
	} {
		got, ok := logfile.ParseKey(key)
		if !ok || got != want {
			t.Errorf("%s is %+v, %v", key, got, ok)
		}
		if got.String() != key {
			t.Errorf("put together again, %s is %s", key, got)
		}
	}
	for _, key := range []string{
		"", "x", "AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/10/",
		"AWSLogs/111122223333/Config/us-east-1/2023/7/10/ConfigHistory/111122223333_Config_us-east-1_ConfigHistory_x.json.gz",
		"AWSLogs/111122223333/vpcflowlogs/us-east-1/2023/07/10/111122223333_vpcflowlogs_us-east-1_fl-1_20230710T1145Z_x.log.gz",
		"AWSLogs/11112222333/CloudTrail/us-east-1/2023/07/10/11112222333_CloudTrail_us-east-1_20230710T1145Z_x.json.gz",
		"AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/11/111122223333_CloudTrail_us-east-1_20230710T1145Z_x.json.gz",
		"AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/10/999922223333_CloudTrail_us-east-1_20230710T1145Z_x.json.gz",
		"AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/10/111122223333_CloudTrail_us-east-1_20230710T1145Z_.json.gz",
		"AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/10/111122223333_CloudTrail_us-east-1_20230710T1145Z_x.json",
		"Logs/111122223333/CloudTrail/us-east-1/2023/07/10/111122223333_CloudTrail_us-east-1_20230710T1145Z_x.json.gz",
		"111122223333/CloudTrail/us-east-1/2023/07/10/111122223333_CloudTrail_us-east-1_20230710T1145Z_x.json.gz",
	} {
		if k, ok := logfile.ParseKey(key); ok {
			t.Errorf("%s is taken for %+v", key, k)
		}
	}
}

// bucket lists folders of keys, and notes what was asked for.
type bucket struct {
	keys  []string
	asked []string
}

func (b *bucket) list(_ context.Context, prefix string, fn func(string) error) error {
	b.asked = append(b.asked, prefix)
	var folders []string
	for _, k := range b.keys {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			if i := strings.IndexByte(rest, '/'); i >= 0 {
				folders = append(folders, prefix+rest[:i+1])
			}
		}
	}
	slices.Sort(folders)
	for _, f := range slices.Compact(folders) {
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

func TestTimePrefixes(t *testing.T) {
	b := &bucket{}
	for _, base := range []string{"", "p/"} {
		for _, below := range []string{"111122223333/CloudTrail/us-east-1", "o-abcdefghij/444455556666/CloudTrail/eu-west-1", "111122223333/CloudTrail-Insight/us-east-1"} {
			for _, day := range []string{"2022/12/31", "2023/01/01", "2023/07/09", "2023/07/10", "2023/07/11", "2024/02/29"} {
				b.keys = append(b.keys, base+"AWSLogs/"+below+"/"+day+"/x.json.gz")
			}
		}
		b.keys = append(b.keys, base+"AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2023/07/10/d.json.gz", base+"AWSLogs/111122223333/Config/us-east-1/2023/07/10/c",
			base+"AWSLogs/111122223333/CloudTrail/us-east-1/strangers/07/10/c", base+"other/2023/07/10/z")
	}
	day := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		name, base string
		from, to   string
		want       []string
	}{
		{"one day", "", "2023-07-10T00:00:00Z", "2023-07-10T22:00:00Z", []string{
			"AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2023/07/10/", "AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/10/", "AWSLogs/o-abcdefghij/444455556666/CloudTrail/eu-west-1/2023/07/10/"}},
		{"events that are delivered the day after", "AWSLogs/111122223333/CloudTrail/us-east-1", "2023-07-10T23:00:00Z", "2023-07-10T23:30:00Z", []string{
			"AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/10/", "AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/11/"}},
		{"over a year's end", "p/AWSLogs/111122223333/CloudTrail/", "2022-12-31T12:00:00Z", "2023-07-09T00:00:00Z", []string{
			"p/AWSLogs/111122223333/CloudTrail/us-east-1/2022/12/31/", "p/AWSLogs/111122223333/CloudTrail/us-east-1/2023/01/01/", "p/AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/09/"}},
		{"without an end", "p/AWSLogs/o-abcdefghij", "2023-07-11T00:00:00Z", "", []string{
			"p/AWSLogs/o-abcdefghij/444455556666/CloudTrail/eu-west-1/2023/07/11/", "p/AWSLogs/o-abcdefghij/444455556666/CloudTrail/eu-west-1/2024/02/29/"}},
		{"a prefix that is a month", "AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/", "2023-07-11T00:00:00Z", "", []string{
			"AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/11/"}},
		{"a prefix that is a day", "AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/11", "2023-07-11T00:00:00Z", "", []string{
			"AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/11/"}},
		{"a time without files", "p", "2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := time.Time{}
			if c.to != "" {
				to = day(c.to)
			}
			b.asked = nil
			got, found, err := logfile.TimePrefixes(t.Context(), b.list, c.base, day(c.from), to)
			if err != nil || !found || !slices.Equal(got, c.want) {
				t.Errorf("prefixes are\n%s\nnot\n%s; %v, %v", strings.Join(got, "\n"), strings.Join(c.want, "\n"), found, err)
			}
			for _, a := range b.asked {
				if strings.Contains(a, "Digest") || strings.Contains(a, "/Config/") {
					t.Errorf("%s was listed", a)
				}
			}
		})
	}
	if got, found, err := logfile.TimePrefixes(t.Context(), b.list, "p/other", day("2023-01-01T00:00:00Z"), time.Time{}); err != nil || found || got != nil {
		t.Errorf("a folder of another layout gives %v, %v, %v", got, found, err)
	}
	broken := errors.New("no access")
	fails := func(context.Context, string, func(string) error) error { return broken }
	if _, _, err := logfile.TimePrefixes(t.Context(), fails, "", time.Time{}, time.Time{}); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
}
