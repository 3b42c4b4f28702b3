import gzip
import json
import os
import unittest
import uuid

import boto3
from botocore.config import Config

from harness import Case, id_of

S3 = os.environ.get("LOCH_S3_ENDPOINT")


def record(**kw):
    r = {"eventVersion": "1.11", "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana", "accessKeyId": "AKIAEXAMPLE", "sessionContext": {"attributes": {"creationDate": "2026-10-01T00:00:00Z", "mfaAuthenticated": "false"}}},
         "eventTime": "2026-10-10T12:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.1", "userAgent": "test",
         "requestParameters": {"userName": "bob", "tags": [{"key": "a"}]}, "responseElements": None, "requestID": str(uuid.uuid4()), "eventID": str(uuid.uuid4()), "readOnly": False,
         "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": "111122223333", "eventCategory": "Management"}
    r.update(kw)
    return r


@unittest.skipUnless(S3, "no S3 server: LOCH_S3_ENDPOINT is not set")
class Imports(Case):
    @classmethod
    def setUpClass(cls):
        cls.s3 = boto3.client("s3", endpoint_url=S3, region_name="us-east-1", aws_access_key_id=os.environ["LOCH_S3_ACCESS_KEY"], aws_secret_access_key=os.environ["LOCH_S3_SECRET_KEY"],
                              config=Config(s3={"addressing_style": "path"}))

    def bucket(self):
        name = "logs-" + uuid.uuid4().hex[:12]
        self.s3.create_bucket(Bucket=name)
        return name

    def put(self, bucket, day, records, name=None, body=None):
        key = name or f"AWSLogs/111122223333/CloudTrail/us-east-1/2026/10/{day:02d}/111122223333_CloudTrail_us-east-1_202610{day:02d}T1205Z_{uuid.uuid4().hex[:16]}.json.gz"
        self.s3.put_object(Bucket=bucket, Key=key, Body=body if body is not None else gzip.compress(json.dumps({"Records": records}).encode()))
        return key

    def run_import(self, store, bucket, **kw):
        out = self.ct.start_import(Destinations=[store], ImportSource={"S3": {"S3LocationUri": f"s3://{bucket}/AWSLogs/", "S3BucketRegion": "us-east-1", "S3BucketAccessRoleArn": "arn:aws:iam::111122223333:role/import"}}, **kw)
        return self.wait(lambda: self.ct.get_import(ImportId=out["ImportId"]), lambda i: i["ImportStatus"] in ("COMPLETED", "FAILED", "STOPPED"))

    def test_import(self):
        bucket, store = self.bucket(), self.store(RetentionPeriod=2557)
        texts = [record(eventName="CreateUser"), record(eventName="DeleteUser", errorCode="AccessDenied"), record(eventName="GetUser", readOnly=True, recipientAccountId="999999999999")]
        self.put(bucket, 10, texts[:2])
        self.put(bucket, 11, texts[2:] + texts[:1])
        done = self.run_import(store, bucket)
        self.assertEqual(done["ImportStatus"], "COMPLETED")
        stats = done["ImportStatistics"]
        self.assertEqual((stats["FilesCompleted"], stats["FailedEntries"]), (2, 0))
        s = id_of(store)
        self.wait(lambda: self.scalar(f"SELECT count(*) FROM {s}"), lambda n: n == "3")
        rows = self.query(f"SELECT eventJson, eventJsonChecksum, requestParameters['userName'], element_at(requestParameters, 'tags'), userIdentity.sessionContext.attributes.mfaAuthenticated FROM {s} WHERE eventName = 'CreateUser'")
        values = [v for _, v in rows[0]]
        self.assertEqual(json.loads(values[0]), texts[0])
        import base64
        import hashlib
        self.assertEqual(values[1], base64.b64encode(hashlib.sha256(values[0].encode()).digest()).decode())
        self.assertEqual(json.loads(values[3]), [{"key": "a"}])
        self.assertEqual([values[2], values[4]], ["bob", "false"])
        again = self.run_import(store, bucket)
        self.assertEqual(again["ImportStatus"], "COMPLETED")
        self.assertEqual(self.scalar(f"SELECT count(*) FROM {s}"), "3")
        listed = self.ct.list_imports(Destination=store)["Imports"]
        self.assertEqual({i["ImportId"] for i in listed}, {done["ImportId"], again["ImportId"]})
        self.assertEqual(self.ct.list_imports(Destination=store, ImportStatus="FAILED")["Imports"], [])

    def test_time_range(self):
        bucket, store = self.bucket(), self.store(RetentionPeriod=2557)
        for day in (5, 10, 20):
            self.put(bucket, day, [record(eventTime=f"2026-10-{day:02d}T12:00:00Z")])
        import datetime
        done = self.run_import(store, bucket, StartEventTime=datetime.datetime(2026, 10, 9, tzinfo=datetime.timezone.utc), EndEventTime=datetime.datetime(2026, 10, 11, tzinfo=datetime.timezone.utc))
        self.assertEqual((done["ImportStatus"], done["ImportStatistics"]["FilesCompleted"]), ("COMPLETED", 1))
        self.wait(lambda: self.scalar(f"SELECT count(*) FROM {id_of(store)}"), lambda n: n == "1")

    def test_bad_files(self):
        bucket, store = self.bucket(), self.store(RetentionPeriod=2557)
        self.put(bucket, 10, [record(), "no object", {k: v for k, v in record().items() if k != "eventTime"}, record()])
        whole = gzip.compress(json.dumps({"Records": [record() for _ in range(50)]}).encode())
        cut = self.put(bucket, 10, None, body=whole[: len(whole) * 2 // 3])
        done = self.run_import(store, bucket)
        self.assertEqual(done["ImportStatus"], "COMPLETED")
        failures = self.ct.list_import_failures(ImportId=done["ImportId"])["Failures"]
        self.assertEqual(len(failures), 3, failures)
        self.assertEqual(done["ImportStatistics"]["FailedEntries"], 3)
        self.assertEqual(len([f for f in failures if cut in f["Location"]]), 1)
        kept = self.wait(lambda: int(self.scalar(f"SELECT count(*) FROM {id_of(store)}")), lambda n: n > 2)
        self.assertLess(kept, 52)

    def test_refused(self):
        source = {"S3": {"S3LocationUri": "s3://nowhere-at-all/", "S3BucketRegion": "us-east-1", "S3BucketAccessRoleArn": "arn:aws:iam::111122223333:role/import"}}
        store = self.store()
        gone = store[:-12] + "000000000000"
        self.fails("EventDataStoreNotFoundException", self.ct.start_import, Destinations=[gone], ImportSource=source)
        for call in (self.ct.get_import, self.ct.stop_import, self.ct.list_import_failures):
            self.fails("ImportNotFoundException", call, ImportId=str(uuid.uuid4()))
        self.fails("InvalidEventDataStoreCategoryException", self.ct.start_import, Destinations=[self.activity_store()], ImportSource=source)

    def test_stop(self):
        bucket, store = self.bucket(), self.store(RetentionPeriod=2557)
        for day in range(1, 29):
            for _ in range(8):
                self.put(bucket, day, [record(eventTime=f"2026-10-{day:02d}T12:00:00Z")])
        out = self.ct.start_import(Destinations=[store], ImportSource={"S3": {"S3LocationUri": f"s3://{bucket}/AWSLogs/", "S3BucketRegion": "us-east-1", "S3BucketAccessRoleArn": "arn:aws:iam::111122223333:role/import"}})
        self.quietly(self.ct.stop_import, ImportId=out["ImportId"])  # it may have ended already
        state = self.wait(lambda: self.ct.get_import(ImportId=out["ImportId"]), lambda i: i["ImportStatus"] in ("COMPLETED", "STOPPED"))
        if state["ImportStatus"] == "STOPPED":
            self.ct.start_import(ImportId=out["ImportId"])
            state = self.wait(lambda: self.ct.get_import(ImportId=out["ImportId"]), lambda i: i["ImportStatus"] in ("COMPLETED", "FAILED"))
        self.assertEqual(state["ImportStatus"], "COMPLETED")
        self.wait(lambda: self.scalar(f"SELECT count(*) FROM {id_of(store)}"), lambda n: n == "224")


if __name__ == "__main__":
    unittest.main()
