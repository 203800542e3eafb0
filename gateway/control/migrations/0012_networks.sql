-- Logins under way are bounded by network: of IPv6, an address is anybody's to choose.
ALTER TABLE authorizations ADD COLUMN network TEXT;
DROP INDEX authorizations_by_address;
CREATE INDEX authorizations_under_way ON authorizations (network, expires_at) WHERE session_id IS NULL;
