-- Keys for clients that know RS256 alone. A table of their own: a version that does not know them must not try to open
-- them.
CREATE TABLE signing_keys_rs256 (
  kid        TEXT PRIMARY KEY,
  sealed     BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  signs_at   INTEGER NOT NULL,
  retires_at INTEGER NOT NULL
) STRICT;
