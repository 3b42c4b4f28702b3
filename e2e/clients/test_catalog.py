"""The Iceberg catalog, read by PyIceberg as a user's notebook reads it."""
import datetime
import json
import os
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid

import botocore.session
from harness import ENDPOINT, Case, client, id_of
from test_channels import audit_event

try:
    from pyiceberg.catalog import load_catalog
    from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError, OAuthError
except ImportError:
    load_catalog = None

ACCOUNT = os.environ["LOCH_ACCOUNT"]
REGION = "us-east-1"
TOKENS = ENDPOINT + "/iceberg/v1/oauth/tokens"


def credential():
    c = botocore.session.get_session().get_credentials().get_frozen_credentials()
    return c.access_key + ":" + c.secret_key


def catalog(**kw):
    return load_catalog("loch", **{"type": "rest", "uri": ENDPOINT + "/iceberg", "oauth2-server-uri": TOKENS, "credential": credential(), **kw})


@unittest.skipIf(load_catalog is None, "PyIceberg is not installed: run `make tools`")
class Catalog(Case):
    def federate(self, store):
        role = f"arn:aws:iam::{ACCOUNT}:role/federation"
        out = self.ct.enable_federation(EventDataStore=store, FederationRoleArn=role)
        self.assertEqual(out, {**out, "EventDataStoreArn": store, "FederationStatus": "ENABLED", "FederationRoleArn": role})
        self.addCleanup(lambda: self.quietly(self.ct.disable_federation, EventDataStore=store))

    def tearDown(self):
        for arn in self.made:
            self.quietly(self.ct.disable_federation, EventDataStore=arn)
        super().tearDown()

    def test_federation(self):
        store = self.store()
        described = self.ct.get_event_data_store(EventDataStore=store)
        self.assertEqual(described["FederationStatus"], "DISABLED")
        self.assertNotIn("FederationRoleArn", described)
        self.federate(store)
        self.assertEqual(self.ct.get_event_data_store(EventDataStore=store)["FederationStatus"], "ENABLED")
        changed = self.ct.update_event_data_store(EventDataStore=store, RetentionPeriod=30)
        self.assertEqual((changed["FederationStatus"], changed["FederationRoleArn"]), ("ENABLED", f"arn:aws:iam::{ACCOUNT}:role/federation"))
        self.fails("EventDataStoreFederationEnabledException", self.ct.enable_federation, EventDataStore=store, FederationRoleArn=changed["FederationRoleArn"])
        self.fails("EventDataStoreFederationEnabledException", self.ct.delete_event_data_store, EventDataStore=store)
        self.assertEqual(self.ct.disable_federation(EventDataStore=store)["FederationStatus"], "DISABLED")
        self.fails("InvalidParameterException", self.ct.enable_federation, EventDataStore=store, FederationRoleArn="arn:aws:iam::999999999999:role/other")
        self.ct.delete_event_data_store(EventDataStore=store)

    def test_what_shows(self):
        seen, hidden = self.store(), self.store()
        self.federate(seen)
        c = catalog(warehouse=ACCOUNT)
        self.assertIn((REGION,), c.list_namespaces())
        tables = [t[1] for t in c.list_tables(REGION)]
        self.assertIn(id_of(seen), tables)
        self.assertNotIn(id_of(hidden), tables)
        self.assertTrue(c.table_exists((REGION, id_of(seen))))
        for name in (id_of(hidden), "event-history", "nothing"):
            self.assertFalse(c.table_exists((REGION, name)))
            self.assertRaises(NoSuchTableError, c.load_table, (REGION, name))
        self.assertRaises(NoSuchNamespaceError, c.list_tables, "mars-north-1")
        self.assertEqual(c.list_views(REGION), [])
        self.ct.disable_federation(EventDataStore=seen)
        self.assertRaises(NoSuchTableError, c.load_table, (REGION, id_of(seen)))

    def test_rows(self):
        name = "catalog_" + uuid.uuid4().hex[:12]
        store = self.activity_store(Name=name)
        channel = self.channel(store)
        n = 25
        events = [audit_event("Rule%02d" % i) for i in range(n)]
        out = client("cloudtrail-data").put_audit_events(channelArn=channel, auditEvents=events)
        self.assertEqual(out["failed"], [])
        s = id_of(store)
        self.wait(lambda: self.scalar(f"SELECT count(*) FROM {s}"), lambda v: v == str(n))
        self.federate(store)
        table = catalog().load_table((REGION, name))
        self.assertEqual(table.metadata.location, catalog().load_table((REGION, s)).metadata.location)
        self.assertTrue(table.metadata_location.startswith("file:///"))
        self.assertEqual(table.config, {})
        self.assertEqual(table.scan().count(), n)
        mine = {r["eventid"]: r for r in table.scan().to_arrow().to_pylist()}
        rows = self.query(f"SELECT eventid, eventdata.eventname, eventdata.useridentity.principalid, CAST(_position AS varchar), _provenance, _received, CAST(eventtime AS varchar) FROM {s}")
        self.assertEqual(len(rows), n)
        for row in rows:
            cells = [v for _, v in row]
            r = mine[cells[0]]
            self.assertEqual([r["eventdata"]["eventname"], r["eventdata"]["useridentity"]["principalid"], str(r["_position"]), r["_provenance"], r["_received"]], cells[1:6])
            self.assertEqual(r["eventtime"], datetime.datetime.fromisoformat(cells[6]))
            received = json.loads(r["_received"])
            self.assertEqual(r["eventdata"]["eventname"], received["eventName"])
            if isinstance(received.get("requestParameters"), dict):
                self.assertEqual(set(dict(r["eventdata"]["requestparameters"])), set(received["requestParameters"]))
        one = table.scan(row_filter="eventdata.eventname == 'Rule07'", selected_fields=("eventid",)).to_arrow()
        self.assertEqual(one.num_rows, 1)
        with self.assertRaises(NotImplementedError), table.transaction() as tx:
            tx.set_properties({"a": "b"})

    def test_tokens(self):
        key, secret = credential().split(":", 1)
        self.assertRaises(OAuthError, catalog, credential=key + ":" + "x" * 40)
        self.assertRaises(OAuthError, catalog, credential="AKIANOBODYNOBODYNOBO:" + secret)
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": key, "client_secret": secret}).encode()
        with urllib.request.urlopen(TOKENS, form) as answer:
            token = json.load(answer)["access_token"]
        catalog(credential=None, token=token).list_namespaces()
        self.assertNotIn(secret, token)
        with self.assertRaises(urllib.error.HTTPError) as e:
            urllib.request.urlopen(ENDPOINT + "/iceberg/v1/namespaces")
        self.assertEqual(e.exception.code, 401)
        self.assertEqual(json.load(e.exception)["error"]["type"], "NotAuthorizedException")
        e.exception.close()


if __name__ == "__main__":
    unittest.main()
