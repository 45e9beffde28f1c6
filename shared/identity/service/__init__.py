"""Identity, as the auth function uses it: log-in, sessions, keys."""
