-- A session that tokens of an outside issuer carry: the hash of the identity that they gave. Nobody is asked again about
-- it, for each of its tokens is proof by itself until its end.
ALTER TABLE sessions ADD COLUMN bearer_sha256 BLOB;
CREATE INDEX sessions_by_bearer ON sessions (principal, bearer_sha256) WHERE bearer_sha256 IS NOT NULL;
