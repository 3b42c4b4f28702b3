package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/generate"
	"github.com/lochlake/loch/imports/streamer"
	"github.com/lochlake/loch/server"
	"github.com/lochlake/loch/terminal"
)

type demoCmd struct {
	Data   string `help:"Fresh folder for the demonstration. Default: a temporary one." placeholder:"DIR" type:"path"`
	Listen string `help:"Address to listen on; port 0 picks a free one. Default: ${default}." default:"127.0.0.1:4510" placeholder:"ADDR"`
	Events int    `help:"How many CloudTrail events." default:"60000"`
	Seed   uint64 `help:"The same seed tells the same story." default:"1"`
	Once   bool   `help:"End after the queries instead of serving on."`
}

// demoDays is how much time the demonstration's events span, up to today.
const demoDays = 30

// Validate refuses what no story can be told with.
func (d *demoCmd) Validate() error {
	if d.Events < 1 {
		return errors.New("--events must be at least 1")
	}
	return nil
}

func (d *demoCmd) Run(ctx context.Context) (err error) {
	dir := d.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "loch-demo-"); err != nil {
			return err
		}
		defer func() {
			if d.Once || err != nil {
				err = errors.Join(err, os.RemoveAll(dir))
			}
		}()
	} else if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: the demonstration wants a fresh folder", dir)
	}
	data, logs := filepath.Join(dir, "data"), filepath.Join(dir, "logs")
	srv, err := server.Open(ctx, server.Config{Dir: data, Listen: d.Listen, Account: generate.ManagementAccount, Region: "us-east-1", Log: logger("warn", "text")})
	if err != nil {
		return err
	}
	err = d.show(ctx, srv, logs)
	if err == nil && d.Once {
		fmt.Println("\nThe server ends now; without --once it stays, and these lines work.")
	}
	if err == nil && !d.Once {
		fmt.Printf("\nServing on until Ctrl-C. Everything is in %s; `rm -r` it when done.\n", dir)
		select {
		case <-ctx.Done():
		case <-srv.Failed():
		}
	}
	if cerr := srv.Close(context.WithoutCancel(ctx)); err == nil {
		err = cerr
	}
	return err
}

func (d *demoCmd) show(ctx context.Context, srv *server.Server, logs string) error {
	fmt.Printf("Loch is listening on %s. What follows goes the way of any user's data.\n\n", srv.URL())
	c, err := srv.Client()
	if err != nil {
		return err
	}
	opt := generate.Options{Events: d.Events, Seed: d.Seed, Start: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -demoDays), Days: demoDays, Attack: true}
	made, err := generate.WriteFiles(ctx, logs, opt, generate.FileOptions{})
	if err != nil {
		return err
	}
	fmt.Printf("A month of an invented organisation: %s events of five accounts in %s log files (%s), and its Wiz tenant's audit log.\n", terminal.Count(int64(made.Events)), terminal.Count(int64(made.Files)), terminal.Bytes(made.Bytes))
	org, err := createStore(ctx, c, "organization", organizationSelectors())
	if err != nil {
		return err
	}
	wiz, err := createStore(ctx, c, "wiz", []model.AdvancedEventSelector{selectors("Wiz audit events", "eventCategory", "ActivityAuditLog")})
	if err != nil {
		return err
	}
	sum, err := importSources(ctx, c, streamer.Options{Sources: []string{logs}})
	if err != nil {
		return err
	}
	fmt.Print("loch import: ")
	printSummary(os.Stdout, sum)
	sent, err := sendWiz(ctx, c, wiz, generate.WizEvents(opt, max(100, d.Events/60)))
	if err != nil {
		return err
	}
	fmt.Printf("PutAuditEvents: %s events from Wiz\n", terminal.Count(int64(sent)))
	if err := srv.Flush(ctx); err != nil {
		return err
	}
	for _, q := range demoQueries(opt) {
		fmt.Printf("\n── %s\n%s\n\n", q.title, q.sql)
		state, err := printQuery(ctx, c, model.StartQueryRequest{QueryStatement: &q.sql}, "table", os.Stdout)
		if err != nil {
			return fmt.Errorf("%s: %w", q.title, err)
		}
		fmt.Printf("%s events scanned (%s) in %d ms\n", terminal.Count(state.Scanned), terminal.Bytes(state.Bytes), state.Millis)
	}
	fmt.Printf(goOn, srv.CredentialsFile(), srv.URL(), srv.URL(), idOf(org), idOf(org), self(), srv.URL(), srv.URL())
	return nil
}

// self is how the reader calls this program: `go run` leaves a binary behind that goes when it ends.
func self() string {
	if exe, err := os.Executable(); err == nil && !strings.Contains(exe, "go-build") {
		return exe
	}
	return "go run ./cmd/loch"
}

func idOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// goOn says how to go on. Every line works when pasted, all at once too: no pager waits for a key.
const goOn = `
── How to go on
export AWS_SHARED_CREDENTIALS_FILE=%s AWS_DEFAULT_REGION=us-east-1 AWS_PAGER=
export AWS_ENDPOINT_URL_CLOUDTRAIL=%s AWS_ENDPOINT_URL_CLOUDTRAIL_DATA=%s

aws cloudtrail list-event-data-stores
aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=ConsoleLogin --max-items 3
aws cloudtrail start-query --query-statement "SELECT eventName, count(*) FROM %s GROUP BY 1 ORDER BY 2 DESC LIMIT 5"

python3 - <<'PY'
import boto3, time
ct = boto3.client("cloudtrail")
q = ct.start_query(QueryStatement="SELECT eventTime, eventName FROM %s WHERE errorCode = 'AccessDenied' LIMIT 3")["QueryId"]
while ct.describe_query(QueryId=q)["QueryStatus"] in ("QUEUED", "RUNNING"): time.sleep(0.1)
print(ct.get_query_results(QueryId=q)["QueryResultRows"])
PY

%s query --endpoint %s "SELECT eventTime, eventName FROM wiz LIMIT 3"
curl -s %s/metrics | grep '^loch_.*_total'
`

func selectors(name string, fieldsAndValues ...string) model.AdvancedEventSelector {
	s := model.AdvancedEventSelector{Name: &name}
	for i := 0; i < len(fieldsAndValues); i += 2 {
		s.FieldSelectors = append(s.FieldSelectors, model.AdvancedFieldSelector{Field: &fieldsAndValues[i], Equals: []string{fieldsAndValues[i+1]}})
	}
	return s
}

func organizationSelectors() []model.AdvancedEventSelector {
	all := []model.AdvancedEventSelector{selectors("Management events", "eventCategory", "Management")}
	for _, t := range []string{"AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table", "AWS::SQS::Queue"} {
		all = append(all, selectors(t, "eventCategory", "Data", "resources.type", t))
	}
	return all
}

func createStore(ctx context.Context, c *client.Client, name string, sel []model.AdvancedEventSelector) (arn string, err error) {
	yes, days := true, int32(2557)
	var out model.CreateEventDataStoreResponse
	err = c.Call(ctx, "CreateEventDataStore", model.CreateEventDataStoreRequest{Name: &name, AdvancedEventSelectors: sel, OrganizationEnabled: &yes, RetentionPeriod: &days}, &out)
	if err != nil {
		return "", err
	}
	fmt.Printf("CreateEventDataStore %s: %s, kept %d days\n", name, *out.EventDataStoreArn, *out.RetentionPeriod)
	return *out.EventDataStoreArn, nil
}

// sendWiz makes a channel and sends the events through it, a hundred a call, as Wiz does.
func sendWiz(ctx context.Context, c *client.Client, store string, events []generate.AuditEvent) (int, error) {
	name, source, kind := "wiz", "Custom", "EVENT_DATA_STORE"
	var channel model.CreateChannelResponse
	err := c.Call(ctx, "CreateChannel", model.CreateChannelRequest{Name: &name, Source: &source, Destinations: []model.Destination{{Type: &kind, Location: &store}}}, &channel)
	if err != nil {
		return 0, err
	}
	sent := 0
	for len(events) > 0 {
		part := events[:min(100, len(events))]
		events = events[len(part):]
		var in struct {
			AuditEvents []model.AuditEvent `json:"auditEvents"`
		}
		for i := range part {
			in.AuditEvents = append(in.AuditEvents, model.AuditEvent{Id: &part[i].ID, EventData: &part[i].Data})
		}
		var out model.PutAuditEventsResponse
		if err := c.PutAuditEvents(ctx, *channel.ChannelArn, in, &out); err != nil {
			return sent, err
		}
		if len(out.Failed) > 0 {
			f := out.Failed[0]
			return sent, fmt.Errorf("PutAuditEvents: event %s: %s: %s", *f.Id, *f.ErrorCode, *f.ErrorMessage)
		}
		sent += len(out.Successful)
	}
	return sent, nil
}

type demoQuery struct{ title, sql string }

// demoQueries follow the attack from the first sign to the last.
func demoQueries(opt generate.Options) []demoQuery {
	from := opt.AttackStart().Add(-time.Hour).Format("2006-01-02 15:04:05")
	to := opt.AttackStart().Add(6 * time.Hour).Format("2006-01-02 15:04:05")
	return []demoQuery{
		{"What is in the lake?", `SELECT recipientAccountId AS account, eventCategory AS category, count(*) AS events, min(eventTime) AS first, max(eventTime) AS last
FROM organization GROUP BY 1, 2 ORDER BY 1, 2`},
		{"Who is refused most, and from where?", `SELECT userIdentity.arn AS who, sourceIPAddress AS address, count(*) AS refused, count(DISTINCT eventName) AS kinds
FROM organization WHERE errorCode LIKE '%AccessDenied%' AND eventTime > '` + from + `' AND eventTime < '` + to + `'
GROUP BY 1, 2 ORDER BY kinds DESC, refused DESC LIMIT 5`},
		{"Who signed in to the console without a second factor?", `SELECT eventTime, userIdentity.userName AS who, sourceIPAddress AS address, element_at(additionalEventData, 'MFAUsed') AS mfa
FROM organization WHERE eventName = 'ConsoleLogin' AND element_at(additionalEventData, 'MFAUsed') = 'No' AND userIdentity.type = 'IAMUser' ORDER BY 1`},
		{"What did that address change, step by step?", `SELECT eventTime, userIdentity.userName AS who, eventName, coalesce(errorCode, 'done') AS outcome, element_at(requestParameters, 'userName') AS subject
FROM organization WHERE sourceIPAddress = '` + generate.AttackerIP + `' AND readOnly = false ORDER BY eventTime`},
		{"Whose data left, and how much?", `SELECT userIdentity.userName AS who, element_at(requestParameters, 'bucketName') AS bucket, count(*) AS objects, sum(CAST(element_at(additionalEventData, 'bytesTransferredOut') AS bigint)) AS bytes
FROM organization WHERE eventName = 'GetObject' AND sourceIPAddress = '` + generate.AttackerIP + `' GROUP BY 1, 2`},
		{"Was it seen outside AWS too?", `SELECT eventTime, 'Wiz' AS source, eventName, eventData.userIdentity.principalId AS who FROM wiz WHERE sourceIPAddress = '` + generate.AttackerIP + `'
UNION ALL
SELECT min(eventTime), 'AWS', 'first of ' || CAST(count(*) AS varchar) || ' calls', min(userIdentity.arn) FROM organization WHERE sourceIPAddress = '` + generate.AttackerIP + `'
ORDER BY 1`},
	}
}
