package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/imports/importstest"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/objstore/s3test"
)

func TestImports(t *testing.T) {
	srv := s3test.Start(t)
	url := srv.Bucket(t, "trails")
	noon := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	st := srv.Open(t, url)
	for i := range 5 {
		body := string(importstest.File(fmt.Sprint("e", i), 10, noon))
		if i > 1 {
			body = "no log file " + body
		}
		if err := st.Put(t.Context(), fmt.Sprintf("p/%d.json.gz", i), strings.NewReader(body), int64(len(body)), false); err != nil {
			t.Fatal(err)
		}
	}
	db, lake := importstest.DB(t), &importstest.Lake{}
	const store = "11111111-2222-4333-8444-00000000000a"
	importstest.AddStore(t, db, meta.EventDataStore{Scope: meta.Scope{Account: testAccount, Region: "eu-west-1"}, ID: store, Name: "mine", Status: "ENABLED", Kind: uint8(event.CloudTrail)})
	arn := "arn:aws:cloudtrail:eu-west-1:" + testAccount + ":eventdatastore/" + store
	service := importstest.Service(db, lake, srv.Config(""))
	defer service.Close()
	w := serveTest(t, func(s *Server) { s.HandleImports(service) })

	call := func(operation, body string) map[string]any {
		t.Helper()
		a := w.call(operation, body)
		var out map[string]any
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 {
			t.Fatalf("%s: %d %s", operation, a.status, a.body)
		}
		return out
	}
	source := fmt.Sprintf(`{"S3":{"S3LocationUri":"%s/p/","S3BucketRegion":"us-east-1","S3BucketAccessRoleArn":"arn:aws:iam::123456789012:role/x"}}`, url)
	start := fmt.Sprintf(`{"Destinations":[%q],"ImportSource":%s,"StartEventTime":1773100000}`, arn, source)

	started := call("StartImport", start)
	id, _ := started["ImportId"].(string)
	if fmt.Sprint(started["Destinations"]) != "["+arn+"]" || started["ImportStatus"] != "INITIALIZING" || started["CreatedTimestamp"] == nil || started["StartEventTime"] != 1773100000.0 ||
		started["EndEventTime"] != nil {
		t.Errorf("StartImport: %v", started)
	}
	var got map[string]any
	for got = call("GetImport", `{"ImportId":"`+id+`"}`); got["ImportStatus"] == "INITIALIZING" || got["ImportStatus"] == "IN_PROGRESS"; {
		got = call("GetImport", `{"ImportId":"`+id+`"}`)
	}
	want := map[string]any{"PrefixesFound": 1.0, "PrefixesCompleted": 1.0, "FilesCompleted": 5.0, "EventsCompleted": 20.0, "FailedEntries": 3.0}
	if fmt.Sprint(got["ImportStatistics"]) != fmt.Sprint(want) || got["ImportStatus"] != "COMPLETED" {
		t.Errorf("GetImport: %v", got)
	}
	if s3 := got["ImportSource"].(map[string]any)["S3"].(map[string]any); s3["S3LocationUri"] != url+"/p/" || s3["S3BucketAccessRoleArn"] != "arn:aws:iam::123456789012:role/x" {
		t.Errorf("source: %v", s3)
	}

	// Failures, page by page; a token of one import is none of another's.
	var locations []string
	token, pages := "", 0
	for {
		body := fmt.Sprintf(`{"ImportId":%q,"MaxResults":2}`, id)
		if token != "" {
			body = fmt.Sprintf(`{"ImportId":%q,"MaxResults":2,"NextToken":%q}`, id, token)
		}
		page := call("ListImportFailures", body)
		for _, f := range page["Failures"].([]any) {
			f := f.(map[string]any)
			if f["ErrorType"] != "NotALogFile" || f["ErrorMessage"] == "" || f["Status"] != "FAILED" || f["LastUpdatedTime"] == nil {
				t.Errorf("failure: %v", f)
			}
			locations = append(locations, f["Location"].(string))
		}
		pages++
		next, more := page["NextToken"].(string)
		if !more {
			break
		}
		token = next
	}
	if pages != 2 || fmt.Sprint(locations) != fmt.Sprintf("[%[1]s/p/2.json.gz %[1]s/p/3.json.gz %[1]s/p/4.json.gz]", url) {
		t.Errorf("%d pages: %v", pages, locations)
	}

	list := call("ListImports", fmt.Sprintf(`{"Destination":%q,"ImportStatus":"COMPLETED"}`, arn))["Imports"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["ImportId"] != id {
		t.Errorf("ListImports: %v", list)
	}
	for _, c := range []struct{ operation, body, code string }{
		{"StopImport", `{"ImportId":"` + id + `"}`, "InvalidParameterException"},
		{"StartImport", `{"ImportId":"` + id + `"}`, "InvalidParameterException"}, // it has completed
		{"StartImport", `{"ImportId":"` + id + `","ImportSource":` + source + `}`, "InvalidParameterCombinationException"},
		{"StartImport", `{"ImportSource":` + source + `}`, "InvalidParameterException"},
		{"StartImport", strings.Replace(start, url, "s3://nowhere-at-all", 1), "InvalidImportSourceException"},
		{"StartImport", strings.Replace(start, store, "11111111-2222-4333-8444-00000000000b", 1), "EventDataStoreNotFoundException"},
		{"GetImport", `{"ImportId":"11111111-2222-4333-8444-00000000000b"}`, "ImportNotFoundException"},
		{"StopImport", `{"ImportId":"11111111-2222-4333-8444-00000000000b"}`, "ImportNotFoundException"},
		{"ListImportFailures", `{"ImportId":"` + id + `","NextToken":"AAAAAAAA"}`, "InvalidNextTokenException"},
	} {
		if got := w.call(c.operation, c.body).code(t); got != c.code {
			t.Errorf("%s %s: %s, want %s", c.operation, c.body, got, c.code)
		}
	}
	w.key = otherKey
	if got := w.call("GetImport", `{"ImportId":"`+id+`"}`).code(t); got != "ImportNotFoundException" {
		t.Errorf("another account sees the import: %s", got)
	}
}
