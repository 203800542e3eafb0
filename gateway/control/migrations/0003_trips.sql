-- A login that is on its way to an outside identity system. The memo is sealed, for one use.
ALTER TABLE authorizations ADD COLUMN trip_provider TEXT;
ALTER TABLE authorizations ADD COLUMN trip_sha256 BLOB;
ALTER TABLE authorizations ADD COLUMN trip_memo BLOB;
CREATE UNIQUE INDEX authorizations_by_trip ON authorizations (trip_sha256);

-- What the provider wants back at the next refetch. Sealed.
ALTER TABLE sessions ADD COLUMN secret BLOB;
