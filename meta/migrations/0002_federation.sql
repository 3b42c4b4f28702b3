-- Whether other engines see a store's table through the Iceberg catalog, and the role that EnableFederation named ('' while it is disabled).
ALTER TABLE stores ADD COLUMN federation_status TEXT NOT NULL DEFAULT 'DISABLED';
ALTER TABLE stores ADD COLUMN federation_role TEXT NOT NULL DEFAULT '';
