-- Times are milliseconds since 1970. What may be computed (is this session valid?) is never stored.

CREATE TABLE users (
  id           TEXT PRIMARY KEY,
  login        TEXT NOT NULL,
  display_name TEXT,
  disabled_at  INTEGER,
  created_at   INTEGER NOT NULL
) STRICT;

-- A person may come by several principals; each belongs to one user for good.
CREATE TABLE principals (
  id           TEXT PRIMARY KEY,
  user_id      TEXT NOT NULL REFERENCES users (id),
  provider     TEXT NOT NULL,
  login        TEXT,
  last_seen_at INTEGER
) STRICT;
CREATE INDEX principals_by_user ON principals (user_id);

-- What the gateway itself keeps about its own people, behind the provider `local`.
CREATE TABLE local_users (
  id            TEXT PRIMARY KEY,
  user_id       TEXT NOT NULL UNIQUE REFERENCES users (id),
  login         TEXT NOT NULL UNIQUE COLLATE NOCASE,
  password_hash TEXT,
  must_change   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE local_groups (
  id   TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE local_members (
  group_id TEXT NOT NULL REFERENCES local_groups (id),
  user_id  TEXT NOT NULL REFERENCES local_users (id),
  PRIMARY KEY (group_id, user_id)
) STRICT;

CREATE TABLE sessions (
  id           TEXT PRIMARY KEY,
  user_id      TEXT NOT NULL REFERENCES users (id),
  provider     TEXT NOT NULL,
  principal    TEXT NOT NULL,
  identity     TEXT NOT NULL,
  groups       TEXT NOT NULL,
  incomplete   TEXT,
  created_at   INTEGER NOT NULL,
  refreshed_at INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  ended_at     INTEGER,
  ended_why    TEXT
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_principal ON sessions (principal);

CREATE TABLE tokens (
  name       TEXT PRIMARY KEY,
  sha256     BLOB NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('session', 'machine')),
  session_id TEXT NOT NULL REFERENCES sessions (id),
  scope      TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;
CREATE INDEX tokens_by_session ON tokens (session_id);

-- A name that clusters see belongs to the first principal that got it.
CREATE TABLE names (
  kind       TEXT NOT NULL CHECK (kind IN ('user', 'group')),
  name       TEXT NOT NULL,
  principal  TEXT NOT NULL,
  claimed_at INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT;

CREATE TABLE refreshes (
  id           TEXT PRIMARY KEY,
  user_id      TEXT NOT NULL REFERENCES users (id),
  requested_at INTEGER NOT NULL,
  answered_at  INTEGER,
  answer       TEXT
) STRICT;

-- Every write adds its row here, in the same transaction. AUTOINCREMENT: a number is never given twice.
CREATE TABLE changes (
  seq  INTEGER PRIMARY KEY AUTOINCREMENT,
  at   INTEGER NOT NULL,
  kind TEXT NOT NULL,
  key  TEXT NOT NULL
) STRICT;
