"""The life of a tenant: its states, and how it goes from one to another."""
