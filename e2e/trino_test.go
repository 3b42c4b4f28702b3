package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/differential/trinotest"
	"github.com/lochlake/loch/objstore/s3test"
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

// federatedStore is a store of a running Loch that the catalog shows.
type federatedStore struct {
	*running
	bin      string
	key      access.Key
	client   *client.Client
	name     string
	arn, id  string
	catalog  string   // its name in Trino
	reaching []string // how Trino comes at the files
}

// federate makes a store in a new server and federates it.
func federate(t *testing.T, bin, catalog string, reaching, env []string, args ...string) *federatedStore {
	t.Helper()
	f := &federatedStore{running: serve(t, bin, t.TempDir(), env, args...), bin: bin, name: "audit_logs", catalog: catalog, reaching: reaching}
	var err error
	if f.key, err = access.OpenCredentials(f.dir, "", ""); err != nil {
		t.Fatal(err)
	}
	if f.client, err = client.WithCredentials(f.endpoint, "us-east-1", credentials.NewStaticCredentialsProvider(f.key.ID, f.key.Secret, "")); err != nil {
		t.Fatal(err)
	}
	yes, role := true, "arn:aws:iam::"+account+":role/federation"
	var made model.CreateEventDataStoreResponse
	var federated model.EnableFederationResponse
	if err := f.client.Call(t.Context(), "CreateEventDataStore", model.CreateEventDataStoreRequest{Name: &f.name, OrganizationEnabled: &yes}, &made); err != nil {
		t.Fatal(err)
	}
	f.arn = *made.EventDataStoreArn
	f.id = f.arn[strings.LastIndex(f.arn, "/")+1:]
	if err := f.client.Call(t.Context(), "EnableFederation", model.EnableFederationRequest{EventDataStore: &f.arn, FederationRoleArn: &role}, &federated); err != nil {
		t.Fatal(err)
	}
	f.fill(t, "7")
	return f
}

// fill imports a generated organisation's six days.
func (f *federatedStore) fill(t *testing.T, seed string) {
	t.Helper()
	logs := t.TempDir()
	run(t, nil, f.bin, "generate", "--events", "2000", "--seed", seed, "--days", "6", "--start", "2026-03-01", logs)
	run(t, f.env(), f.bin, "import", "--endpoint", f.endpoint, "--store", f.name, logs)
}

// properties are the catalog's in Trino, as docs/catalog.md has them.
func (f *federatedStore) properties() []string {
	return append([]string{
		"connector.name=iceberg", "iceberg.catalog.type=rest", "iceberg.rest-catalog.uri=" + f.endpoint + "/iceberg", "iceberg.rest-catalog.warehouse=" + account,
		"iceberg.rest-catalog.security=OAUTH2", "iceberg.rest-catalog.oauth2.credential=" + f.key.ID + ":" + f.key.Secret,
	}, f.reaching...)
}

// TestTrinoCatalog lets real Trino read stores' tables through the catalog, in a folder and in S3, and holds its answers against Loch's own. It runs where
// LOCH_TRINO is set, which also allows it to fetch Trino and its Iceberg plug-in (540 MB, once).
func TestTrinoCatalog(t *testing.T) {
	if os.Getenv("LOCH_TRINO") == "" {
		t.Skip("LOCH_TRINO is not set: it fetches and starts a Trino")
	}
	bin, s3 := build(t), s3test.Start(t)
	if err := os.Mkdir(filepath.Join(s3.Dir, "lake"), 0o755); err != nil {
		t.Fatal(err)
	}
	stores := []*federatedStore{
		federate(t, bin, "folder", []string{"fs.native-local.enabled=true", "local.location=/"}, nil),
		federate(t, bin, "bucket", []string{"fs.native-s3.enabled=true", "s3.endpoint=" + s3.Endpoint, "s3.region=" + s3.Region, "s3.path-style-access=true",
			"s3.aws-access-key=" + s3.AccessKey, "s3.aws-secret-key=" + s3.SecretKey},
			[]string{"LOCH_S3_ENDPOINT=" + s3.Endpoint, "LOCH_S3_PATH_STYLE=true", "LOCH_S3_ACCESS_KEY=" + s3.AccessKey, "LOCH_S3_SECRET_KEY=" + s3.SecretKey, "LOCH_S3_REGION=" + s3.Region},
			"--store-url", "s3://lake/tables"),
	}
	stores[0].chill(t)
	var catalogs []trinotest.Catalog
	for _, f := range stores {
		catalogs = append(catalogs, trinotest.Catalog{Name: f.catalog, Plugin: "iceberg", Properties: f.properties()})
	}
	trino, err := trinotest.Open(t.Context(), "../build/trino", true, catalogs...)
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
	for _, f := range stores {
		t.Run(f.catalog, func(t *testing.T) {
			f.reads(t, trino)
			f.refuses(t, trino)
			f.follows(t, trino)
		})
	}
}

func askTrino(t *testing.T, trino *trinotest.Server, sql string) []string {
	t.Helper()
	a, err := trino.Query(t.Context(), sql)
	if err != nil {
		t.Fatalf("Trino: %s: %v", sql, err)
	}
	return texts(a.Rows)
}

// reads: the table shows, and every statement has the same answer in both engines, by the table's ID and by its name.
func (f *federatedStore) reads(t *testing.T, trino *trinotest.Server) {
	if got := askTrino(t, trino, `SHOW SCHEMAS FROM `+f.catalog); !slices.Contains(got, "us-east-1") {
		t.Errorf("schemas: %q", got)
	}
	if got := askTrino(t, trino, `SHOW TABLES FROM `+f.catalog+`."us-east-1"`); !slices.Equal(got, []string{f.id}) {
		t.Errorf("tables: %q", got)
	}
	for _, table := range []string{f.catalog + `."us-east-1"."` + f.id + `"`, f.catalog + `."us-east-1".AUDIT_LOGS`} {
		for _, s := range lakeStatements {
			want := askLoch(t, f.client, strings.ReplaceAll(s, "TABLE", `"`+f.id+`"`))
			got := askTrino(t, trino, strings.ReplaceAll(s, "TABLE", table))
			slices.Sort(want)
			slices.Sort(got)
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s:\nTrino (%d) %.400q\nLoch  (%d) %.400q", s, len(got), differing(got, want), len(want), differing(want, got))
			}
		}
	}
}

// refuses: nothing can be written from Trino.
func (f *federatedStore) refuses(t *testing.T, trino *trinotest.Server) {
	schema := f.catalog + `."us-east-1"`
	for _, s := range []string{
		`DROP TABLE ` + schema + `.audit_logs`, `CREATE SCHEMA ` + f.catalog + `.new`, `CREATE TABLE ` + schema + `.other (a integer)`, `CREATE VIEW ` + schema + `.v AS SELECT 1 AS one`,
		`INSERT INTO ` + schema + `.audit_logs (eventid) VALUES ('forged')`, `DELETE FROM ` + schema + `.audit_logs WHERE eventtime < TIMESTAMP '2026-03-03 00:00:00'`,
		`ALTER TABLE ` + schema + `.audit_logs RENAME TO gone`, `ALTER TABLE ` + schema + `.audit_logs DROP COLUMN eventjson`,
	} {
		_, err := trino.Query(t.Context(), s)
		if err == nil {
			t.Errorf("Trino may write: %s", s)
		}
		t.Logf("%s: %v", s, err)
	}
}

// follows: what another import brings shows at once, and nothing once the store is not federated.
func (f *federatedStore) follows(t *testing.T, trino *trinotest.Server) {
	count := func() string { return askLoch(t, f.client, `SELECT count(*) FROM "`+f.id+`"`)[0] }
	before := count()
	f.fill(t, "8")
	after := count()
	if got := askTrino(t, trino, `SELECT count(*) FROM `+f.catalog+`."us-east-1".audit_logs`)[0]; got != after || after == before {
		t.Errorf("after another import Trino counts %s, Loch %s, before it was %s", got, after, before)
	}
	var disabled model.DisableFederationResponse
	if err := f.client.Call(t.Context(), "DisableFederation", model.DisableFederationRequest{EventDataStore: &f.arn}, &disabled); err != nil {
		t.Fatal(err)
	}
	if _, err := trino.Query(t.Context(), `SELECT count(*) FROM `+f.catalog+`."us-east-1".audit_logs`); err == nil || !strings.Contains(err.Error(), "does not exist") {
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

func askLoch(t *testing.T, c *client.Client, sql string) []string {
	t.Helper()
	var rows [][]*string
	_, err := c.Query(t.Context(), model.StartQueryRequest{QueryStatement: &sql}, nil, func([]string) error { return nil }, func(cells []client.Cell) error {
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
