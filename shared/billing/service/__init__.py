"""What billing does for a tenant."""
