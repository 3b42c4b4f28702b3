package e2e

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/differential/trinotest"
)

// lakeStatements are asked of Loch and of Trino alike, TABLE standing for the store's table: types, nesting, hidden columns, and what prunes.
var lakeStatements = []string{
	`SELECT count(*), count(DISTINCT eventid), count(useridentity), count(requestparameters), count(responseelements), count(resources), count(tlsdetails), count(errorcode), count(eventjson) FROM TABLE`,
	`SELECT eventid, eventversion, CAST(eventtime AS timestamp(3)), eventsource, eventname, awsregion, sourceipaddress, useragent, errorcode, errormessage, requestid, readonly, eventtype, managementevent, recipientaccountid, eventcategory, eventjson FROM TABLE`,
	`SELECT eventid, useridentity.type, useridentity.principalid, useridentity.arn, useridentity.accountid, useridentity.accesskeyid, useridentity.username, useridentity.invokedby, useridentity.sessioncontext.sessionissuer.arn, CAST(useridentity.sessioncontext.attributes.creationdate AS timestamp(3)), useridentity.sessioncontext.attributes.mfaauthenticated, useridentity.sessioncontext.webidfederationdata.federatedprovider FROM TABLE`,
	`SELECT eventid, tlsdetails.tlsversion, tlsdetails.ciphersuite, tlsdetails.clientprovidedhostheader, useridentity IS NULL, useridentity.sessioncontext IS NULL, tlsdetails IS NULL, resources IS NULL FROM TABLE`,
	`SELECT eventid, cardinality(requestparameters), array_sort(map_keys(requestparameters)), element_at(requestparameters, 'bucketName'), element_at(requestparameters, 'roleArn'), cardinality(responseelements), element_at(responseelements, 'ConsoleLogin') FROM TABLE`,
	`SELECT eventid, cardinality(resources), element_at(resources, 1).arn, element_at(resources, 1).accountid, element_at(resources, 1).type, resources FROM TABLE`,
	`SELECT e.eventid, k, v FROM TABLE e CROSS JOIN UNNEST(e.requestparameters) AS t (k, v)`,
	`SELECT e.eventid, r.arn, r.type FROM TABLE e CROSS JOIN UNNEST(e.resources) AS r (accountid, type, arn, arnprefix)`,
	`SELECT eventid, _writer, _epoch, _sequence, _position, CAST(_accepted AS timestamp(3)), _provenance, _decoder, _conflict FROM TABLE`,
	`SELECT eventname, count(*), min(CAST(eventtime AS timestamp(3))), max(CAST(eventtime AS timestamp(3))), count(DISTINCT useridentity.arn) FROM TABLE GROUP BY eventname`,
	`SELECT eventid FROM TABLE WHERE eventtime >= TIMESTAMP '2026-03-03 00:00:00' AND eventtime < TIMESTAMP '2026-03-04 12:00:00' AND eventname LIKE 'Assume%'`,
	`SELECT count(*) FROM TABLE WHERE useridentity.arn = (SELECT max(useridentity.arn) FROM TABLE)`,
	`SELECT count(*) FROM TABLE WHERE eventid = (SELECT min(eventid) FROM TABLE)`,
	`SELECT date_trunc('day', CAST(eventtime AS timestamp(3))), count(*), sum(length(eventjson)) FROM TABLE GROUP BY 1`,
}

// TestTrinoCatalog lets real Trino read a store's table through the catalog and holds its answers against Loch's own. It runs where LOCH_TRINO is set, which
// also allows it to fetch Trino and its Iceberg plug-in (540 MB, once).
func TestTrinoCatalog(t *testing.T) {
	if os.Getenv("LOCH_TRINO") == "" {
		t.Skip("LOCH_TRINO is not set: it fetches and starts a Trino")
	}
	ctx := t.Context()
	bin := build(t)
	r := serve(t, bin, t.TempDir(), nil)
	key, err := access.OpenCredentials(r.dir, "", "")
	if err != nil {
		t.Fatal(err)
	}
	loch, err := client.WithCredentials(r.endpoint, "us-east-1", credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""))
	if err != nil {
		t.Fatal(err)
	}
	name, yes, role := "audit_logs", true, "arn:aws:iam::"+account+":role/federation"
	var made model.CreateEventDataStoreResponse
	var federated model.EnableFederationResponse
	if err := loch.Call(ctx, "CreateEventDataStore", model.CreateEventDataStoreRequest{Name: &name, OrganizationEnabled: &yes}, &made); err != nil {
		t.Fatal(err)
	}
	arn := *made.EventDataStoreArn
	id := arn[strings.LastIndex(arn, "/")+1:]
	if err := loch.Call(ctx, "EnableFederation", model.EnableFederationRequest{EventDataStore: &arn, FederationRoleArn: &role}, &federated); err != nil {
		t.Fatal(err)
	}
	fill := func(seed string) {
		t.Helper()
		logs := t.TempDir()
		run(t, nil, bin, "generate", "--events", "2000", "--seed", seed, "--days", "6", "--start", "2026-03-01", logs)
		run(t, r.env(), bin, "import", "--endpoint", r.endpoint, "--store", name, logs)
	}
	fill("7")

	trino, err := trinotest.Open(ctx, "../build/trino", true, trinotest.Catalog{Name: "loch", Plugin: "iceberg", Properties: []string{
		"connector.name=iceberg", "iceberg.catalog.type=rest", "iceberg.rest-catalog.uri=" + r.endpoint + "/iceberg", "iceberg.rest-catalog.warehouse=" + account,
		"iceberg.rest-catalog.security=OAUTH2", "iceberg.rest-catalog.oauth2.credential=" + key.ID + ":" + key.Secret,
		"fs.native-local.enabled=true", "local.location=/",
	}})
	if errors.Is(err, trinotest.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := trino.Close(); err != nil {
			t.Error(err)
		}
	}()
	ask := func(sql string) []string {
		t.Helper()
		a, err := trino.Query(ctx, sql)
		if err != nil {
			t.Fatalf("Trino: %s: %v", sql, err)
		}
		return texts(a.Rows)
	}
	if got := ask(`SHOW SCHEMAS FROM loch`); !slices.Contains(got, "us-east-1") {
		t.Errorf("schemas: %q", got)
	}
	if got := ask(`SHOW TABLES FROM loch."us-east-1"`); !slices.Equal(got, []string{id}) {
		t.Errorf("tables: %q", got)
	}
	for _, table := range []string{`loch."us-east-1"."` + id + `"`, `loch."us-east-1".AUDIT_LOGS`} {
		for _, s := range lakeStatements {
			want := askLoch(ctx, t, loch, strings.ReplaceAll(s, "TABLE", `"`+id+`"`))
			got := ask(strings.ReplaceAll(s, "TABLE", table))
			slices.Sort(want)
			slices.Sort(got)
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s:\nTrino (%d) %.400q\nLoch  (%d) %.400q", s, len(got), differing(got, want), len(want), differing(want, got))
			}
		}
	}

	before := askLoch(ctx, t, loch, `SELECT count(*) FROM "`+id+`"`)[0]
	for _, s := range []string{
		`DROP TABLE loch."us-east-1".audit_logs`, `CREATE SCHEMA loch.new`, `CREATE TABLE loch."us-east-1".other (a integer)`, `CREATE VIEW loch."us-east-1".v AS SELECT 1 AS one`,
		`INSERT INTO loch."us-east-1".audit_logs (eventid) VALUES ('forged')`, `DELETE FROM loch."us-east-1".audit_logs WHERE eventtime < TIMESTAMP '2026-03-03 00:00:00'`,
		`ALTER TABLE loch."us-east-1".audit_logs RENAME TO gone`, `ALTER TABLE loch."us-east-1".audit_logs DROP COLUMN eventjson`,
	} {
		if _, err := trino.Query(ctx, s); err == nil {
			t.Errorf("Trino may write: %s", s)
		}
	}
	fill("8")
	after := askLoch(ctx, t, loch, `SELECT count(*) FROM "`+id+`"`)[0]
	if got := ask(`SELECT count(*) FROM loch."us-east-1".audit_logs`)[0]; got != after || after == before {
		t.Errorf("after another import Trino counts %s, Loch %s, before it was %s", got, after, before)
	}
	var disabled model.DisableFederationResponse
	if err := loch.Call(ctx, "DisableFederation", model.DisableFederationRequest{EventDataStore: &arn}, &disabled); err != nil {
		t.Fatal(err)
	}
	if _, err := trino.Query(ctx, `SELECT count(*) FROM loch."us-east-1".audit_logs`); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("Trino reads a table that is not federated any more: %v", err)
	}
}

// texts joins the cells of each row.
func texts(rows [][]*string) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		cells := make([]string, len(row))
		for j, c := range row {
			if cells[j] = "NULL"; c != nil {
				cells[j] = *c
			}
		}
		out[i] = strings.Join(cells, " | ")
	}
	return out
}

func askLoch(ctx context.Context, t *testing.T, c *client.Client, sql string) []string {
	t.Helper()
	var rows [][]*string
	_, err := c.Query(ctx, sql, nil, func([]string) error { return nil }, func(cells []client.Cell) error {
		row := make([]*string, len(cells))
		for i := range cells {
			if !cells[i].Null {
				row[i] = &cells[i].Text
			}
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		t.Fatalf("Loch: %s: %v", sql, err)
	}
	return texts(rows)
}

// differing gives the first rows of a that b does not have.
func differing(a, b []string) []string {
	var out []string
	for _, row := range a {
		if _, ok := slices.BinarySearch(b, row); !ok && len(out) < 3 {
			out = append(out, row)
		}
	}
	return out
}
