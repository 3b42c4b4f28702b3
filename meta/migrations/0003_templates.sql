-- The values of a query template's parameters, and what is asked of queries by their template and by deliveries that are not over.
ALTER TABLE queries ADD COLUMN parameters TEXT NOT NULL DEFAULT '[]'; -- a JSON array of strings
CREATE INDEX queries_alias ON queries (account, region, alias, created) WHERE alias <> '';
CREATE INDEX queries_pending ON queries (ended, id) WHERE delivery = 'PENDING' AND status = 'FINISHED';
