-- The keys by which the issuer signs. The private half is sealed by the key file.
CREATE TABLE signing_keys (
  kid        TEXT PRIMARY KEY,
  sealed     BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  signs_at   INTEGER NOT NULL,
  retires_at INTEGER NOT NULL
) STRICT;

-- A login at the issuer, from the request of a client to the tokens that it gets. `redirect_uri` for the code flow,
-- `user_code` for the device flow. Secrets are kept as SHA-256.
CREATE TABLE authorizations (
  id             TEXT PRIMARY KEY,
  client         TEXT NOT NULL,
  scope          TEXT NOT NULL,
  redirect_uri   TEXT,
  state          TEXT,
  nonce          TEXT,
  challenge      TEXT,
  user_code      TEXT UNIQUE,
  device_sha256  BLOB UNIQUE,
  browser_sha256 BLOB,
  address        TEXT,
  agent          TEXT,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  polled_at      INTEGER,
  session_id     TEXT REFERENCES sessions (id),
  denied_at      INTEGER,
  code_sha256    BLOB UNIQUE,
  redeemed_at    INTEGER
) STRICT;
CREATE INDEX authorizations_by_session ON authorizations (session_id);
CREATE INDEX authorizations_by_address ON authorizations (address, expires_at);
CREATE INDEX authorizations_by_end ON authorizations (expires_at);

-- One row per refresh token; those of one login are a family, which ends as one.
CREATE TABLE refresh_tokens (
  name       TEXT PRIMARY KEY,
  sha256     BLOB NOT NULL,
  session_id TEXT NOT NULL REFERENCES sessions (id),
  client     TEXT NOT NULL,
  scope      TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at    INTEGER
) STRICT;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
