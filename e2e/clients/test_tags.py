import unittest

from harness import Case, id_of


class Tags(Case):
    def tags(self, arn):
        (entry,) = self.ct.list_tags(ResourceIdList=[arn])["ResourceTagList"]
        self.assertEqual(entry["ResourceId"], arn)
        return {t["Key"]: t.get("Value", "") for t in entry["TagsList"]}

    def test_stores_and_channels(self):
        store = self.activity_store()
        for arn in (store, self.channel(store)):
            self.ct.add_tags(ResourceId=arn, TagsList=[{"Key": "team", "Value": "ir"}, {"Key": "cost", "Value": "42"}])
            self.ct.add_tags(ResourceId=arn, TagsList=[{"Key": "team", "Value": "soc"}])
            self.assertEqual(self.tags(arn), {"team": "soc", "cost": "42"})
            self.ct.remove_tags(ResourceId=arn, TagsList=[{"Key": "cost"}])
            self.assertEqual(self.tags(arn), {"team": "soc"})

    def test_refused(self):
        store = self.store()
        self.fails("TagsLimitExceededException", self.ct.add_tags, ResourceId=store, TagsList=[{"Key": f"k{i}", "Value": "v"} for i in range(51)])
        self.assertEqual(self.tags(store), {})
        gone = store[:-12] + "000000000000"
        for call in (self.ct.add_tags, self.ct.remove_tags):
            with self.assertRaises(Exception) as e:
                call(ResourceId=gone, TagsList=[{"Key": "a"}])
            self.assertIn("NotFound", str(e.exception))


if __name__ == "__main__":
    unittest.main()
