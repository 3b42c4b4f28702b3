"""LookupEvents over what live events left in event history: the run's server has been given a generated organisation's logs as live events."""
import concurrent.futures
import datetime
import json
import os
import time
import unittest

import botocore.exceptions

from harness import Case, client


class Lookup(Case):
    def lookup(self, **kw):
        """Two calls a second are let through; a caller that is throttled waits, as the SDKs do."""
        while True:
            try:
                return self.ct.lookup_events(**kw)
            except botocore.exceptions.ClientError as e:
                if e.response["Error"]["Code"] != "ThrottlingException":
                    raise
                time.sleep(0.3)

    def all(self, **kw):
        out, token = [], {}
        while True:
            page = self.lookup(**kw, **token)
            self.assertLessEqual(len(page["Events"]), kw.get("MaxResults", 50))
            out += page["Events"]
            if "NextToken" not in page or len(out) >= 200:
                return out
            token = {"NextToken": page["NextToken"]}

    def test_newest_first_and_paging(self):
        events = self.all(MaxResults=50)
        self.assertGreater(len(events), 100)
        times = [e["EventTime"] for e in events]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertEqual(len({e["EventId"] for e in events}), len(events))
        for e in events:
            text = json.loads(e["CloudTrailEvent"])
            self.assertEqual((text["eventID"], text["eventName"], text["awsRegion"], text["recipientAccountId"]), (e["EventId"], e["EventName"], "us-east-1", os.environ["LOCH_ACCOUNT"]))
            self.assertTrue(text["managementEvent"])

    def test_attributes(self):
        one = next(e for e in self.all() if "AccessKeyId" in e and "Username" in e)
        text = json.loads(one["CloudTrailEvent"])
        for key, value, of in [("EventId", one["EventId"], lambda t: t["eventID"]), ("EventName", one["EventName"], lambda t: t["eventName"]), ("EventSource", one["EventSource"], lambda t: t["eventSource"]),
                               ("ReadOnly", one["ReadOnly"], lambda t: json.dumps(t["readOnly"])), ("AccessKeyId", one["AccessKeyId"], lambda t: t["userIdentity"]["accessKeyId"])]:
            with self.subTest(key):
                found = self.lookup(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])["Events"]
                self.assertTrue(found)
                self.assertEqual({of(json.loads(e["CloudTrailEvent"])) for e in found}, {of(text)})
        self.assertTrue(self.lookup(LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": one["Username"]}])["Events"])
        named = next(e for e in self.all(LookupAttributes=[{"AttributeKey": "EventSource", "AttributeValue": "kms.amazonaws.com"}]) if e.get("Resources"))
        for key, value in (("ResourceType", named["Resources"][0]["ResourceType"]), ("ResourceName", named["Resources"][0]["ResourceName"])):
            self.assertTrue(self.lookup(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])["Events"])
        self.assertEqual(self.lookup(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Nobody' OR '1'='1"}])["Events"], [])

    def test_time_range(self):
        newest = self.lookup()["Events"]
        mid = newest[len(newest) // 2]["EventTime"]
        for e in self.lookup(EndTime=mid)["Events"]:
            self.assertLessEqual(e["EventTime"], mid)
        for e in self.lookup(StartTime=mid)["Events"]:
            self.assertGreaterEqual(e["EventTime"], mid)
        self.fails("InvalidTimeRangeException", self.lookup, StartTime=mid, EndTime=mid - datetime.timedelta(days=1))

    def test_refused(self):
        two = [{"AttributeKey": "EventName", "AttributeValue": "a"}, {"AttributeKey": "EventId", "AttributeValue": "b"}]
        self.fails("InvalidLookupAttributesException", self.lookup, LookupAttributes=two)
        self.fails("InvalidNextTokenException", self.lookup, NextToken="not-a-token")

    def test_rate(self):
        west = client(region="ap-southeast-2")

        def one(_):
            try:
                west.lookup_events(MaxResults=1)
                return ""
            except botocore.exceptions.ClientError as e:
                return e.response["Error"]["Code"]
        with concurrent.futures.ThreadPoolExecutor(24) as pool:  # many more at once than two a second
            codes = list(pool.map(one, range(24)))
        self.assertIn("", codes)
        self.assertIn("ThrottlingException", codes)


if __name__ == "__main__":
    unittest.main()
