-- Where a login came from and how: whoever lists their sessions shall know which of them is which. A row of an older
-- version says nothing of it. `approved_from` is the address of the browser, where a device without one asked.
ALTER TABLE sessions ADD COLUMN flow TEXT;
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN agent TEXT;
ALTER TABLE sessions ADD COLUMN approved_from TEXT;
ALTER TABLE sessions ADD COLUMN amr TEXT;

-- When a session was last used, to some minutes: it is written in batches, beside the requests.
ALTER TABLE sessions ADD COLUMN used_at INTEGER;

-- The one token of a login that is not used yet: by it a login knows how long it may go unused.
CREATE INDEX refresh_tokens_unused ON refresh_tokens (session_id, expires_at) WHERE used_at IS NULL;
