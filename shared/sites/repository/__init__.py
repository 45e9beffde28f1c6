"""Sites, the tree they are in, and sensors in PostgreSQL."""
