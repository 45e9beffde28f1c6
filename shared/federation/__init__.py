"""What identity asks of strangers: identity providers, DNS, the list of breached passwords."""
