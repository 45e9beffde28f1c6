"""Archives of everything a tenant has, and tenants filled from them."""
