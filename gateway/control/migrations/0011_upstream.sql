-- The login at the identity system that a session rests on, in that system's words: when it is over there, so is the
-- session. A row of an older version says nothing of it.
ALTER TABLE sessions ADD COLUMN upstream_subject TEXT;
ALTER TABLE sessions ADD COLUMN upstream_session TEXT;
CREATE INDEX sessions_by_upstream_subject ON sessions (provider, upstream_subject) WHERE upstream_subject IS NOT NULL;
CREATE INDEX sessions_by_upstream_session ON sessions (provider, upstream_session) WHERE upstream_session IS NOT NULL;

-- What identity systems told of logins that are over. Each notice is believed once, by the hash of its name; and whoever
-- was on the way here when it came does not get in.
CREATE TABLE logouts (
  provider    TEXT NOT NULL,
  name_sha256 BLOB NOT NULL,
  subject     TEXT,
  session     TEXT,
  made_at     INTEGER NOT NULL,
  kept_until  INTEGER NOT NULL,
  PRIMARY KEY (provider, name_sha256)
) STRICT;
CREATE INDEX logouts_by_end ON logouts (kept_until);
