-- Where a login at the issuer happened: the hash of its browser's cookie, and the client. Whoever logs out in that
-- browser is shown what ends.
ALTER TABLE sessions ADD COLUMN browser_sha256 BLOB;
ALTER TABLE sessions ADD COLUMN client TEXT;
CREATE INDEX sessions_by_browser ON sessions (browser_sha256) WHERE browser_sha256 IS NOT NULL;
