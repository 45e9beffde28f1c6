"""What webhooks talk to: the key service, and receivers on the internet."""
