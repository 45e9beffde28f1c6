"""Where identity is kept: people and places in PostgreSQL, sessions and keys in DynamoDB."""
