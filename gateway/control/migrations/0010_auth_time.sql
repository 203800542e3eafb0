-- When the person proved at their identity system who they are, which may be earlier than the login here. A row of an
-- older version says nothing of it.
ALTER TABLE sessions ADD COLUMN auth_time INTEGER;
