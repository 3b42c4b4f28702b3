"""What is true of every call: signatures, ids, unknown operations, validation by the model."""
import datetime
import json
import unittest
import urllib.error
import urllib.request

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials

from harness import ENDPOINT, REGION, Case, client

# Operations of the model that come with later issues; the API table of the documentation says so too.
MISSING = {
    "create_trail": dict(Name="main", S3BucketName="logs"), "list_trails": {}, "describe_trails": {}, "create_dashboard": dict(Name="main"), "list_dashboards": {},
    "get_resource_policy": dict(ResourceArn="arn:aws:cloudtrail:us-east-1:111122223333:channel/x"), "generate_query": dict(EventDataStores=["abc"], Prompt="all of it"),
    "get_event_configuration": {},
}


class Wire(Case):
    def test_missing_operations_are_named(self):
        for name, kw in MISSING.items():
            with self.subTest(name):
                message = self.fails("UnsupportedOperationException", getattr(self.ct, name), **kw)
                self.assertIn(name.replace("_", ""), message.lower())

    def send(self, body=b"{}", target="CloudTrail_20131101.ListEventDataStores", secret=None, at=None, tamper=None, headers=None):
        creds = boto3.Session().get_credentials().get_frozen_credentials()
        creds = botocore.credentials.Credentials(creds.access_key, secret or creds.secret_key)
        req = botocore.awsrequest.AWSRequest("POST", ENDPOINT + "/", data=body, headers={"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1", **(headers or {})})
        signer = botocore.auth.SigV4Auth(creds, "cloudtrail", REGION)
        signer.add_auth(req)
        raw = urllib.request.Request(ENDPOINT + "/", data=tamper or body, headers=dict(req.headers.items()), method="POST")
        try:
            with urllib.request.urlopen(raw) as r:
                return r.status, json.load(r), dict(r.headers)
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read() or b"{}"), dict(e.headers)

    def code(self, answer):
        return answer[1]["__type"].rsplit("#", 1)[-1]

    def test_signatures(self):
        self.assertEqual(self.send()[0], 200)
        self.assertEqual(self.send(target="com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListEventDataStores")[0], 200)
        for what, kw in {"wrong secret": dict(secret="x" * 40), "changed body": dict(body=b"{}", tamper=b"{ }")}.items():
            with self.subTest(what):
                self.assertEqual(self.code(self.send(**kw)), "InvalidSignatureException")
        other = boto3.client("cloudtrail", endpoint_url=ENDPOINT, region_name=REGION, aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="y" * 40)
        self.fails("UnrecognizedClientException", other.list_event_data_stores, status=403)
        status, body, _ = self.send_unsigned()
        self.assertEqual((status, body["__type"].rsplit("#", 1)[-1]), (403, "MissingAuthenticationTokenException"))

    def send_unsigned(self):
        raw = urllib.request.Request(ENDPOINT + "/", data=b"{}", headers={"X-Amz-Target": "CloudTrail_20131101.ListEventDataStores", "Content-Type": "application/x-amz-json-1.1"}, method="POST")
        try:
            with urllib.request.urlopen(raw) as r:
                return r.status, json.load(r), dict(r.headers)
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read()), dict(e.headers)

    def test_bad_requests(self):
        self.assertEqual(self.code(self.send(body=b"{")), "SerializationException")
        self.assertEqual(self.code(self.send(body=b'{"MaxResults":"ten"}')), "SerializationException")
        self.assertEqual(self.code(self.send(target="CloudTrail_20131101.NoSuchThing")), "UnknownOperationException")
        status, _, headers = self.send()
        self.assertTrue({k.lower() for k in headers} >= {"x-amzn-requestid", "content-type", "date"})

    def test_health_and_metrics(self):
        with urllib.request.urlopen(ENDPOINT + "/healthz") as r:
            self.assertEqual(r.status, 200)
        self.ct.list_event_data_stores()
        with urllib.request.urlopen(ENDPOINT + "/metrics") as r:
            self.assertIn("loch_", r.read().decode())

    def test_validation(self):
        quiet = boto3.client("cloudtrail", endpoint_url=ENDPOINT, region_name=REGION, config=botocore.config.Config(parameter_validation=False))
        for call, kw in [("get_event_data_store", {}), ("list_event_data_stores", dict(MaxResults=1001)), ("create_event_data_store", dict(Name="x")), ("create_channel", dict(Name="abc")),
                         ("start_query", dict(QueryStatement="")), ("list_import_failures", dict(ImportId="short")), ("update_event_data_store", dict(EventDataStore="a" * 300))]:
            with self.subTest(call):
                with self.assertRaises(botocore.exceptions.ClientError) as e:
                    getattr(quiet, call)(**kw)
                self.assertEqual(e.exception.response["ResponseMetadata"]["HTTPStatusCode"], 400)
                self.assertIn(e.exception.response["Error"]["Code"], ("ValidationException", "InvalidParameterException", "InvalidMaxResultsException", "EventDataStoreARNInvalidException", "InvalidQueryStatementException"))


if __name__ == "__main__":

    unittest.main()
