import unittest
import uuid

from harness import Case, client, id_of


class Stores(Case):
    def test_life(self):
        name = "life-" + uuid.uuid4().hex[:8]
        made = self.ct.create_event_data_store(Name=name, TagsList=[{"Key": "team", "Value": "ir"}])
        arn = made["EventDataStoreArn"]
        self.made.append(arn)
        self.assertRegex(arn, r"^arn:aws:cloudtrail:us-east-1:\d{12}:eventdatastore/[0-9a-f-]{36}$")
        self.assertEqual((made["MultiRegionEnabled"], made["OrganizationEnabled"], made["TerminationProtectionEnabled"], made["RetentionPeriod"], made["BillingMode"]),
                         (True, False, True, 366, "EXTENDABLE_RETENTION_PRICING"))
        self.assertIn(made["Status"], ("CREATED", "ENABLED"))
        self.assertEqual([s["FieldSelectors"][0] for s in made["AdvancedEventSelectors"]], [{"Field": "eventCategory", "Equals": ["Management"]}])
        self.assertEqual(made["TagsList"], [{"Key": "team", "Value": "ir"}])

        got = self.ct.get_event_data_store(EventDataStore=arn)
        self.assertEqual((got["Name"], got["Status"]), (name, "ENABLED"))
        self.assertEqual(self.ct.get_event_data_store(EventDataStore=id_of(arn))["EventDataStoreArn"], arn)
        self.assertIn(arn, self.arns())

        self.fails("EventDataStoreTerminationProtectedException", self.ct.delete_event_data_store, EventDataStore=arn)
        self.fails("EventDataStoreAlreadyExistsException", self.ct.create_event_data_store, Name=name)
        changed = self.ct.update_event_data_store(EventDataStore=arn, Name=name + "-2", RetentionPeriod=500, MultiRegionEnabled=False, TerminationProtectionEnabled=False)
        self.assertEqual((changed["Name"], changed["RetentionPeriod"], changed["MultiRegionEnabled"], changed["TerminationProtectionEnabled"]), (name + "-2", 500, False, False))

        self.ct.stop_event_data_store_ingestion(EventDataStore=arn)
        self.assertEqual(self.ct.get_event_data_store(EventDataStore=arn)["Status"], "STOPPED_INGESTION")
        self.ct.start_event_data_store_ingestion(EventDataStore=arn)
        self.assertEqual(self.ct.get_event_data_store(EventDataStore=arn)["Status"], "ENABLED")

        self.ct.delete_event_data_store(EventDataStore=arn)
        self.assertEqual(self.ct.get_event_data_store(EventDataStore=arn)["Status"], "PENDING_DELETION")
        self.fails("InactiveEventDataStoreException", self.ct.update_event_data_store, EventDataStore=arn, RetentionPeriod=600)
        self.fails("InactiveEventDataStoreException", self.ct.start_query, QueryStatement=f"SELECT 1 FROM {id_of(arn)}")
        back = self.ct.restore_event_data_store(EventDataStore=arn)
        self.assertEqual(back["Status"], "ENABLED")
        self.fails("InvalidEventDataStoreStatusException", self.ct.restore_event_data_store, EventDataStore=arn)

    def arns(self):
        return [s["EventDataStoreArn"] for page in self.ct.get_paginator("list_event_data_stores").paginate(PaginationConfig={"PageSize": 2}) for s in page["EventDataStores"]] \
            if self.ct.can_paginate("list_event_data_stores") else self.pages()

    def pages(self):
        out, token = [], {}
        while True:
            page = self.ct.list_event_data_stores(MaxResults=2, **token)
            self.assertLessEqual(len(page["EventDataStores"]), 2)
            out += [s["EventDataStoreArn"] for s in page["EventDataStores"]]
            if "NextToken" not in page:
                return out
            token = {"NextToken": page["NextToken"]}

    def test_paging(self):
        mine = {self.store() for _ in range(3)}
        seen = self.pages()
        self.assertTrue(mine <= set(seen))
        self.assertEqual(len(seen), len(set(seen)))
        token = self.ct.list_event_data_stores(MaxResults=1)["NextToken"]
        self.fails("InvalidNextTokenException", self.ct.list_event_data_stores, NextToken=token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"))

    def test_rules(self):
        make = client(parameter_validation=False).create_event_data_store
        for code, kw in [
            ("InvalidParameterException", dict(Name="retention-low", RetentionPeriod=6)),
            ("InvalidParameterException", dict(Name="retention-high", RetentionPeriod=3654)),
            ("InvalidParameterException", dict(Name="retention-fixed", RetentionPeriod=2558, BillingMode="FIXED_RETENTION_PRICING")),
            ("InvalidEventSelectorsException", dict(Name="no-category", AdvancedEventSelectors=[{"FieldSelectors": [{"Field": "eventName", "Equals": ["x"]}]}])),
            ("InvalidEventSelectorsException", dict(Name="bad-field", AdvancedEventSelectors=[{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "colour", "Equals": ["red"]}]}])),
        ]:
            with self.subTest(kw["Name"]):
                self.fails(code, make, **kw)
        self.assertEqual(self.ct.get_event_data_store(EventDataStore=self.store(BillingMode="FIXED_RETENTION_PRICING"))["RetentionPeriod"], 2557)
        with self.assertRaises(Exception) as e:
            make(Name="with-key", KmsKeyId="alias/audit")
        self.assertIn("KmsKeyId", str(e.exception))

    def test_other_regions_and_missing(self):
        arn = self.store()
        west = client(region="eu-west-1")
        self.assertNotIn(arn, [s["EventDataStoreArn"] for s in west.list_event_data_stores()["EventDataStores"]])
        gone = arn[:-12] + "000000000000"
        for call in (self.ct.get_event_data_store, self.ct.delete_event_data_store, self.ct.restore_event_data_store, self.ct.update_event_data_store,
                     self.ct.start_event_data_store_ingestion, self.ct.stop_event_data_store_ingestion):
            self.fails("EventDataStoreNotFoundException", call, EventDataStore=gone)
        self.fails("EventDataStoreARNInvalidException", self.ct.get_event_data_store, EventDataStore="arn:aws:s3:::bucket")


if __name__ == "__main__":
    unittest.main()
