import base64
import hashlib
import json
import unittest
import uuid

from harness import Case, client, id_of


def audit_event(name="CloudConfigurationRuleCreation", **kw):
    uid = str(uuid.uuid4())
    data = {"version": "1.0", "userIdentity": {"type": "USER", "principalId": "wiz|ana", "details": {"name": "ana"}}, "eventSource": "wiz.io", "eventName": name,
            "eventTime": "2026-11-01T10:00:00Z", "UID": uid, "recipientAccountId": "111122223333", "sourceIPAddress": "198.51.100.7", "requestParameters": {"ruleId": "r-1", "n": 3}}
    data.update(kw)
    return {"id": uid, "eventData": json.dumps(data)}


class Channels(Case):
    def test_life(self):
        store = self.activity_store()
        name = "wiz-" + uuid.uuid4().hex[:8]
        made = self.ct.create_channel(Name=name, Source="Custom", Destinations=[{"Type": "EVENT_DATA_STORE", "Location": store}], Tags=[{"Key": "vendor", "Value": "wiz"}])
        arn = made["ChannelArn"]
        self.assertRegex(arn, r"^arn:aws:cloudtrail:us-east-1:\d{12}:channel/[0-9a-f-]{36}$")
        self.assertEqual(self.ct.get_channel(Channel=arn)["Destinations"], [{"Type": "EVENT_DATA_STORE", "Location": store}])
        self.assertEqual(self.ct.get_channel(Channel=id_of(arn))["Name"], name)
        self.assertIn({"ChannelArn": arn, "Name": name}, self.ct.list_channels()["Channels"])
        self.fails("ChannelAlreadyExistsException", self.ct.create_channel, Name=name, Source="Custom", Destinations=made["Destinations"])
        self.fails("ChannelExistsForEDSException", self.ct.delete_event_data_store, EventDataStore=store)
        other = self.activity_store()
        self.assertEqual(self.ct.update_channel(Channel=arn, Name=name + "-2", Destinations=[{"Type": "EVENT_DATA_STORE", "Location": other}])["Name"], name + "-2")
        self.ct.delete_channel(Channel=arn)
        self.fails("ChannelNotFoundException", self.ct.get_channel, Channel=arn)
        self.fails("InvalidEventDataStoreCategoryException", self.ct.create_channel, Name=name, Source="Custom", Destinations=[{"Type": "EVENT_DATA_STORE", "Location": self.store()}])

    def test_put_audit_events(self):
        store = self.activity_store()
        channel = self.channel(store)
        data = client("cloudtrail-data")
        good, signed, bad_sum, bad_json, lacking = audit_event(), audit_event("Login"), audit_event(), audit_event(), audit_event()
        signed["eventDataChecksum"] = base64.b64encode(hashlib.sha256(signed["eventData"].encode()).digest()).decode()
        bad_sum["eventDataChecksum"] = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
        bad_json["eventData"] = '{"version":'
        lacking["eventData"] = json.dumps({k: v for k, v in json.loads(lacking["eventData"]).items() if k != "eventName"})
        out = data.put_audit_events(channelArn=channel, auditEvents=[good, signed, bad_sum, bad_json, lacking])
        self.assertEqual([e["id"] for e in out["successful"]], [good["id"], signed["id"]])
        self.assertEqual({e["id"]: e["errorCode"] for e in out["failed"]}, {bad_sum["id"]: "InvalidChecksum", bad_json["id"]: "InvalidData", lacking["id"]: "FieldNotFound"})
        again = data.put_audit_events(channelArn=channel, auditEvents=[good])
        self.assertEqual(again["successful"][0]["eventID"], out["successful"][0]["eventID"])

        s = id_of(store)
        self.wait(lambda: self.scalar(f"SELECT count(*) FROM {s}"), lambda n: n == "2")
        for where in ("eventName LIKE 'CloudConfigurationRuleCreation'", "eventdata.eventname = 'CloudConfigurationRuleCreation'"):
            rows = self.query(f"SELECT eventID, eventTime, eventData.userIdentity.principalId, element_at(eventData.requestParameters, 'n') FROM {s} WHERE {where}")
            self.assertEqual([[v for _, v in r] for r in rows], [[out["successful"][0]["eventID"], "2026-11-01 10:00:00.000", "wiz|ana", "3"]])
        self.assertEqual(self.scalar(f"SELECT metadata.channelarn FROM {s} LIMIT 1"), channel)

    def test_put_audit_events_refused(self):
        data = client("cloudtrail-data")
        channel = self.channel(self.activity_store())
        e = audit_event()
        self.fails("DuplicatedAuditEventId", data.put_audit_events, channelArn=channel, auditEvents=[e, e])
        self.fails("ChannelNotFound", data.put_audit_events, channelArn=channel[:-12] + "000000000000", auditEvents=[e])
        self.fails("InvalidChannelARN", data.put_audit_events, channelArn="arn:aws:cloudtrail:us-east-1:111122223333:trail/x", auditEvents=[e])


if __name__ == "__main__":
    unittest.main()
