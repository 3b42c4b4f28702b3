import unittest
import uuid

from harness import Case, client, id_of
from test_channels import audit_event


class Queries(Case):
    def filled(self, n=25):
        store = self.activity_store()
        channel = self.channel(store)
        events = [audit_event("Rule%02d" % i) for i in range(n)]
        out = client("cloudtrail-data").put_audit_events(channelArn=channel, auditEvents=events)
        self.assertEqual(len(out["successful"]), n)
        self.wait(lambda: self.scalar(f"SELECT count(*) FROM {id_of(store)}"), lambda c: c == str(n))
        return store

    def test_life(self):
        store = self.filled()
        s = id_of(store)
        qid = self.ct.start_query(QueryStatement=f"SELECT eventID, eventdata.eventName AS name FROM {s} ORDER BY 2")["QueryId"]
        done = self.wait(lambda: self.ct.describe_query(QueryId=qid), lambda d: d["QueryStatus"] not in ("QUEUED", "RUNNING"))
        self.assertEqual(done["QueryStatus"], "FINISHED")
        self.assertEqual(done["QueryString"], f"SELECT eventID, eventdata.eventName AS name FROM {s} ORDER BY 2")
        stats = done["QueryStatistics"]
        self.assertEqual((stats["EventsScanned"], stats["EventsMatched"]), (25, 25))
        self.assertGreater(stats["BytesScanned"], 0)
        self.assertIn("CreationTime", stats)
        pages, token = [], {}
        while True:
            page = self.ct.get_query_results(QueryId=qid, MaxQueryResults=10, **token)
            self.assertEqual(page["QueryStatistics"]["TotalResultsCount"], 25)
            self.assertEqual(page["QueryStatistics"]["ResultsCount"], len(page["QueryResultRows"]))
            pages.append(page["QueryResultRows"])
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        self.assertEqual([len(p) for p in pages], [10, 10, 5])
        rows = [r for p in pages for r in p]
        self.assertEqual([list(c)[0] for c in rows[0]], ["eventID", "name"])
        self.assertEqual([r[1]["name"] for r in rows], ["Rule%02d" % i for i in range(25)])
        self.fails("InvalidNextTokenException", self.ct.get_query_results, QueryId=qid, NextToken=token["NextToken"][:-6] + "AAAAAA")
        listed = self.ct.list_queries(EventDataStore=store)["Queries"]
        self.assertIn(qid, [q["QueryId"] for q in listed])
        self.assertEqual(self.ct.list_queries(EventDataStore=store, QueryStatus="FAILED")["Queries"], [])
        self.fails("InactiveQueryException", self.ct.cancel_query, QueryId=qid)

    def test_refused(self):
        s = id_of(self.activity_store())
        start = self.ct.start_query
        self.assertIn("line 1:8", self.fails("InvalidQueryStatementException", start, QueryStatement=f"SELECT evntname FROM {s}"))
        for sql in (f"DELETE FROM {s}", f"SELECT 1 FROM {s}; SELECT 2", "SELECT * FROM read_csv('/etc/passwd')", f"COPY {s} TO '/tmp/x'", "PRAGMA version", f"SELECT read_text('/etc/passwd') FROM {s}", "SELECT '"):
            with self.subTest(sql):
                self.assertRegex(self.fails("InvalidQueryStatementException", start, QueryStatement=sql), r"line \d+:\d+")
        self.fails("EventDataStoreNotFoundException", start, QueryStatement="SELECT 1 FROM 00000000-0000-0000-0000-000000000000")
        missing = str(uuid.uuid4())
        for call in (self.ct.describe_query, self.ct.get_query_results, self.ct.cancel_query):
            self.fails("QueryIdNotFoundException", call, QueryId=missing)

    def test_failed(self):
        s = id_of(self.filled(3))
        for expression, why in (("eventdata.requestparameters['nothing']", "Key not present in map: nothing"), ("1 / (length(eventid) - length(eventid))", "Division by zero")):
            qid = self.ct.start_query(QueryStatement=f"SELECT {expression} FROM {s}")["QueryId"]
            end = self.wait(lambda: self.ct.describe_query(QueryId=qid), lambda d: d["QueryStatus"] not in ("QUEUED", "RUNNING"))
            self.assertEqual((end["QueryStatus"], end["ErrorMessage"]), ("FAILED", why))

    def test_template(self):
        """A statement with parameters, and a sample query by its alias: both answer what the values ask for."""
        s = id_of(self.filled(5))
        sql = "SELECT eventdata.eventname AS name FROM ? WHERE eventdata.eventname > '?' ORDER BY 1 LIMIT ?"
        qid = self.ct.start_query(QueryStatement=sql, QueryParameters=[s, "Rule01", "2"])["QueryId"]
        end = self.wait(lambda: self.ct.describe_query(QueryId=qid), lambda d: d["QueryStatus"] not in ("QUEUED", "RUNNING"))
        self.assertEqual((end["QueryStatus"], end["QueryString"]), ("FINISHED", sql))
        self.assertEqual(self.ct.get_query_results(QueryId=qid)["QueryResultRows"], [[{"name": "Rule02"}], [{"name": "Rule03"}]])
        # Whatever a value holds, it is one literal.
        qid = self.ct.start_query(QueryStatement="SELECT count(*) AS n FROM ? WHERE eventdata.eventname = '?'", QueryParameters=[s, "' OR 1 = 1 --"])["QueryId"]
        self.wait(lambda: self.ct.describe_query(QueryId=qid), lambda d: d["QueryStatus"] == "FINISHED")
        self.assertEqual(self.ct.get_query_results(QueryId=qid)["QueryResultRows"], [[{"n": "0"}]])
        for parameters in ([s], [s, "a", "b"]):
            self.assertRegex(self.fails("InvalidQueryStatementException", self.ct.start_query, QueryStatement="SELECT 1 FROM ? WHERE eventid = '?'", QueryParameters=parameters), "Incorrect number of parameters")

        found = self.ct.search_sample_queries(SearchPhrase="what people did in Wiz", MaxResults=3)["SearchResults"]
        alias = "outside.wiz-activity"
        self.assertIn(alias, [f["Name"] for f in found])
        self.fails("QueryIdNotFoundException", self.ct.describe_query, QueryAlias="outside.wiz-connector-changes")
        qid = self.ct.start_query(QueryAlias=alias, QueryParameters=[s, "2026-11-01", "2026-11-02"])["QueryId"]
        last = self.wait(lambda: self.ct.describe_query(QueryAlias=alias), lambda d: d["QueryStatus"] not in ("QUEUED", "RUNNING"))
        self.assertEqual((last["QueryId"], last["QueryStatus"]), (qid, "FINISHED"))
        self.assertEqual(len(self.ct.get_query_results(QueryId=qid)["QueryResultRows"]), 5)
        self.fails("InvalidParameterException", self.ct.start_query, QueryAlias="no.such-query", QueryParameters=["x"])

    def test_cancel(self):
        s = id_of(self.filled(100))
        # A hundred rows joined with themselves four times over: far too much to end by itself.
        qid = self.ct.start_query(QueryStatement=f"SELECT count(*) FROM {s} a, {s} b, {s} c, {s} d, {s} e WHERE a.eventID || b.eventID || c.eventID || d.eventID < e.eventID || 'x'")["QueryId"]
        self.assertEqual(self.ct.cancel_query(QueryId=qid)["QueryStatus"], "CANCELLED")
        self.assertEqual(self.ct.describe_query(QueryId=qid)["QueryStatus"], "CANCELLED")

    def test_several_stores(self):
        a, b = id_of(self.filled(3)), id_of(self.filled(4))
        self.assertEqual(self.scalar(f"SELECT count(*) FROM (SELECT eventid FROM {a} UNION ALL SELECT eventid FROM {b}) t"), "7")
        self.assertEqual(self.scalar(f"SELECT count(*) FROM {a} x JOIN \"{b}\" y ON x.eventdata.eventname = y.eventdata.eventname"), "3")

    def test_checksum_of_text(self):
        pass_through = self.store()
        self.assertEqual(self.query(f"SELECT eventJson, eventJsonChecksum FROM {id_of(pass_through)}"), [])


if __name__ == "__main__":
    unittest.main()
