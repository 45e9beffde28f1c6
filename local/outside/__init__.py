"""A stand-in for two strangers: DNS (by UDP) and the list of breached passwords (by HTTP), on one port."""
