"""What identity asks of others: KMS signs tokens, Argon2 guards passwords."""
