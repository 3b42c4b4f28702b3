-- Several stores in one statement
SELECT 'aws' AS source, eventname, count(*) FROM trail GROUP BY 1, 2 UNION ALL SELECT 'wiz', eventname, count(*) FROM wiz GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2 LIMIT 30;
SELECT count(*) FROM trail t JOIN wiz w ON date(t.eventtime) = date(w.eventtime) AND hour(t.eventtime) = hour(w.eventtime);
SELECT t.sourceipaddress, w.sourceipaddress FROM trail t FULL JOIN wiz w ON t.sourceipaddress = w.sourceipaddress GROUP BY 1, 2 ORDER BY 1, 2;
SELECT eventid FROM trail WHERE sourceipaddress IN (SELECT sourceipaddress FROM wiz) ORDER BY 1 LIMIT 10;
SELECT w.eventname, i.insighttype FROM wiz w LEFT JOIN insights i ON date_trunc('hour', w.eventtime) = date_trunc('hour', i.eventtime) AND i.insightstate = 'Start' ORDER BY w.eventid, i.eventid LIMIT 20;
SELECT eventcategory, count(*), min(eventtime) FROM (SELECT eventcategory, eventtime FROM trail UNION ALL SELECT eventcategory, eventtime FROM wiz UNION ALL SELECT eventcategory, eventtime FROM insights UNION ALL SELECT eventcategory, eventtime FROM items UNION ALL SELECT eventcategory, eventtime FROM evidence) GROUP BY 1 ORDER BY 1;
WITH a AS (SELECT eventname AS n FROM trail), b AS (SELECT eventname AS n FROM evidence) SELECT a.n FROM a EXCEPT SELECT n FROM b ORDER BY 1;
SELECT e.eventname, count(*) FROM evidence e JOIN trail t USING (recipientaccountid) WHERE t.errorcode IS NOT NULL AND e.eventtime > '2026-03-02' GROUP BY 1 ORDER BY 1;
SELECT (SELECT count(*) FROM wiz), (SELECT max(eventtime) FROM items) > '2026-03-05', count(*) FROM insights;
SELECT i.eventdata.arn, (SELECT count(*) FROM evidence e WHERE e.eventdata.awsaccountid = i.eventdata.accountid) FROM items i ORDER BY i.eventid LIMIT 10;
SELECT t.eventname FROM trail t WHERE EXISTS (SELECT 1 FROM evidence WHERE evidence.eventname = t.eventname) GROUP BY 1 ORDER BY 1;
SELECT l.c, r.c FROM (SELECT awsregion, count(*) c FROM items GROUP BY 1) l JOIN (SELECT awsregion, count(*) c FROM evidence GROUP BY 1) r ON l.awsregion = r.awsregion ORDER BY 1;
SELECT eventname, k FROM wiz CROSS JOIN LATERAL (SELECT max(controlid) AS k FROM (SELECT eventdata.controlid FROM evidence WHERE evidence.eventtime < wiz.eventtime)) ORDER BY wiz.eventid LIMIT 5;
SELECT CAST(ROW(w.eventid, w.eventname) AS row(id varchar, name varchar)), a.eventid FROM wiz w, insights a WHERE w.eventid < a.eventid ORDER BY w.eventid, a.eventid LIMIT 5;
SELECT count(*) FROM trail t, wiz w, items i WHERE t.eventtime > '2026-03-05 20:00:00' AND w.eventtime > '2026-03-06' AND i.eventtime > '2026-03-06';
