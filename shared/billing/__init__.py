"""A tenant's subscription with Stripe: set up at sign-up, followed by Stripe's events."""
