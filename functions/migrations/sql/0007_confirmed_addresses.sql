-- When a user showed that the mail address is theirs.
ALTER TABLE users ADD COLUMN email_verified_at timestamptz;
GRANT SELECT (email_verified_at), UPDATE (email_verified_at) ON users TO rmap_app;
