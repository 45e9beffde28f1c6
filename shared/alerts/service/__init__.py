"""Rules and alerts, as functions use them."""
