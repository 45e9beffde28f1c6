"""Archives of everything a tenant has."""
