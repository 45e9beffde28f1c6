"""Takes Stripe's webhooks."""
