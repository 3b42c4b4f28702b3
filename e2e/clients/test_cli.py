"""The aws CLI as it is, with nothing but --endpoint-url and the credentials file that loch serve wrote."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
import uuid

AWS = os.path.join(os.path.dirname(sys.executable), "aws")


class CLI(unittest.TestCase):
    def aws(self, *args, fails=False):
        env = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), "AWS_SHARED_CREDENTIALS_FILE": os.environ["AWS_SHARED_CREDENTIALS_FILE"], "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true"}
        run = subprocess.run([sys.executable, AWS, "--endpoint-url", os.environ["LOCH_ENDPOINT"], *args], env=env, capture_output=True, text=True)
        self.assertEqual(run.returncode != 0, fails, run.stderr)
        return run.stderr if fails else (json.loads(run.stdout) if run.stdout.strip() else None)

    def test_whole_life(self):
        self.assertIn("EventDataStores", self.aws("cloudtrail", "list-event-data-stores"))
        name = "cli-" + uuid.uuid4().hex[:8]
        selectors = json.dumps([{"Name": "wiz", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["ActivityAuditLog"]}]}])
        store = self.aws("cloudtrail", "create-event-data-store", "--name", name, "--no-termination-protection-enabled", "--retention-period", "90", "--advanced-event-selectors", selectors)["EventDataStoreArn"]
        channel = self.aws("cloudtrail", "create-channel", "--name", name, "--source", "Custom", "--destinations", f"Type=EVENT_DATA_STORE,Location={store}")["ChannelArn"]
        uid = str(uuid.uuid4())
        data = json.dumps({"version": "1.0", "userIdentity": {"type": "u", "principalId": "p", "details": {"a": "b"}}, "eventSource": "app.example.com", "eventName": "Export", "eventTime": "2026-11-01T00:00:00Z", "UID": uid, "recipientAccountId": "111122223333"})
        put = self.aws("cloudtrail-data", "put-audit-events", "--channel-arn", channel, "--audit-events", json.dumps([{"id": uid, "eventData": data}]))
        self.assertEqual((put["successful"][0]["id"], put["failed"]), (uid, []))
        query = f"SELECT eventID, eventName FROM {store.rsplit('/', 1)[1]} WHERE eventTime > '2026-01-01 00:00:00'"
        for _ in range(100):
            qid = self.aws("cloudtrail", "start-query", "--query-statement", query)["QueryId"]
            while self.aws("cloudtrail", "describe-query", "--query-id", qid)["QueryStatus"] in ("QUEUED", "RUNNING"):
                pass
            rows = self.aws("cloudtrail", "get-query-results", "--query-id", qid)["QueryResultRows"]
            if rows:
                break
        self.assertEqual(rows, [[{"eventID": put["successful"][0]["eventID"]}, {"eventName": "Export"}]])
        self.aws("cloudtrail", "add-tags", "--resource-id", store, "--tags-list", "Key=team,Value=ir")
        self.assertEqual(self.aws("cloudtrail", "list-tags", "--resource-id-list", store)["ResourceTagList"][0]["TagsList"], [{"Key": "team", "Value": "ir"}])
        self.aws("cloudtrail", "delete-channel", "--channel", channel)
        self.aws("cloudtrail", "delete-event-data-store", "--event-data-store", store)
        self.assertIn("InactiveEventDataStoreException", self.aws("cloudtrail", "start-query", "--query-statement", query, fails=True))
        self.assertIn("EventDataStoreNotFoundException", self.aws("cloudtrail", "get-event-data-store", "--event-data-store", "00000000-0000-0000-0000-000000000000", fails=True))


if __name__ == "__main__":
    unittest.main()
