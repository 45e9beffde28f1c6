"""Users, their sessions and tokens, and the keys of programs and devices."""
