"""Finishes sign-ups with Stripe."""
