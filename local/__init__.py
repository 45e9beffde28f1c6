"""The local cloud: PostgreSQL, the AWS endpoint, a Stripe stand-in and a webhook receiver on one machine."""
