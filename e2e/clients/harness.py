"""What every client test needs: boto3 clients for the running server, a check of answers against the service model, and waiting."""
import os
import time
import unittest
import uuid

import boto3
import botocore.exceptions
from botocore.config import Config

ENDPOINT = os.environ["LOCH_ENDPOINT"]
REGION = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")


def client(service="cloudtrail", region=REGION, **config):
    c = boto3.client(service, endpoint_url=ENDPOINT, region_name=region, config=Config(retries={"max_attempts": 1, "mode": "standard"}, **config))
    c.meta.events.register("after-call.*.*", check_answer)
    return c


def check_answer(http_response, parsed, model, **_):
    """botocore drops what it cannot parse without a word; here a required member that is missing, or one of a wrong type, is a failure."""
    if http_response.status_code < 300 and model.output_shape is not None:
        body = {k: v for k, v in parsed.items() if k != "ResponseMetadata"}
        walk(model.output_shape, body, model.name)
    assert parsed["ResponseMetadata"].get("RequestId"), f"{model.name}: no request id"


def walk(shape, value, where):
    if shape.type_name == "structure":
        assert isinstance(value, dict), f"{where}: not a structure: {value!r}"
        for m in shape.required_members:
            assert m in value, f"{where}: required member {m} is missing"
        for name, v in value.items():
            assert name in shape.members, f"{where}: {name} is not in the model"
            walk(shape.members[name], v, f"{where}.{name}")
    elif shape.type_name == "list":
        for i, v in enumerate(value):
            walk(shape.member, v, f"{where}[{i}]")
    elif shape.type_name == "map":
        for k, v in value.items():
            walk(shape.value, v, f"{where}[{k}]")
    elif shape.type_name == "string":
        assert isinstance(value, str), f"{where}: not a string: {value!r}"
        if shape.enum:
            assert value in shape.enum, f"{where}: {value!r} is not of the enum {shape.enum}"
    elif shape.type_name in ("integer", "long"):
        assert isinstance(value, int) and not isinstance(value, bool), f"{where}: not a number: {value!r}"
    elif shape.type_name == "boolean":
        assert isinstance(value, bool), f"{where}: not a boolean: {value!r}"


class Case(unittest.TestCase):
    def setUp(self):
        self.ct = client()
        self.made = []

    def tearDown(self):
        for arn in self.made:
            try:
                self.ct.update_event_data_store(EventDataStore=arn, TerminationProtectionEnabled=False)
                self.ct.delete_event_data_store(EventDataStore=arn)
            except botocore.exceptions.ClientError:
                pass

    def store(self, **kw):
        kw.setdefault("Name", "store-" + uuid.uuid4().hex[:12])
        kw.setdefault("TerminationProtectionEnabled", False)
        out = self.ct.create_event_data_store(**kw)
        self.made.append(out["EventDataStoreArn"])
        return out["EventDataStoreArn"]

    def activity_store(self, **kw):
        return self.store(AdvancedEventSelectors=[{"Name": "outside", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["ActivityAuditLog"]}]}], **kw)

    def channel(self, store, **kw):
        kw.setdefault("Name", "channel-" + uuid.uuid4().hex[:12])
        out = self.ct.create_channel(Source="Custom", Destinations=[{"Type": "EVENT_DATA_STORE", "Location": store}], **kw)
        self.addCleanup(lambda: self.quietly(self.ct.delete_channel, Channel=out["ChannelArn"]))
        return out["ChannelArn"]

    def quietly(self, call, **kw):
        try:
            call(**kw)
        except botocore.exceptions.ClientError:
            pass

    def fails(self, code, call, status=400, **kw):
        """The call fails with that error, by the name that clients switch on."""
        with self.assertRaises(botocore.exceptions.ClientError) as e:
            call(**kw)
        self.assertEqual(e.exception.response["Error"]["Code"], code, e.exception.response)
        self.assertEqual(e.exception.response["ResponseMetadata"]["HTTPStatusCode"], status)
        self.assertTrue(e.exception.response["Error"]["Message"])
        return e.exception.response["Error"]["Message"]

    def query(self, sql, **kw):
        """Runs a query to its end and gives its rows as a list of lists of (column, value)."""
        qid = self.ct.start_query(QueryStatement=sql)["QueryId"]
        state = self.wait(lambda: self.ct.describe_query(QueryId=qid), lambda d: d["QueryStatus"] not in ("QUEUED", "RUNNING"))
        self.assertEqual(state["QueryStatus"], "FINISHED", state.get("ErrorMessage"))
        rows, token = [], {}
        while True:
            page = self.ct.get_query_results(QueryId=qid, **kw, **token)
            rows += [[next(iter(cell.items())) for cell in row] for row in page.get("QueryResultRows", [])]
            if "NextToken" not in page:
                return rows
            token = {"NextToken": page["NextToken"]}

    def scalar(self, sql):
        return self.query(sql)[0][0][1]

    def wait(self, look, done, seconds=300):
        """Looks until done says so. The bound only keeps a broken server from hanging the run."""
        end = time.monotonic() + seconds
        while True:
            seen = look()
            if done(seen):
                return seen
            self.assertLess(time.monotonic(), end, f"still {seen}")
            time.sleep(0.05)


def id_of(arn):
    return arn.rsplit("/", 1)[1]
