-- Who of several processes asks a provider about a person just now, and until when the others leave them alone.
ALTER TABLE sessions ADD COLUMN claimed_by TEXT;
ALTER TABLE sessions ADD COLUMN claimed_until INTEGER;
