-- When its person agreed that a client of somebody else's may learn what it asks for.
ALTER TABLE authorizations ADD COLUMN consented_at INTEGER;
