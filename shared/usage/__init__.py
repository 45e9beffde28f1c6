"""What tenants use: a ledger of our own, and what Stripe is told of it."""
