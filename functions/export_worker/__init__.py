"""Makes archives of tenants, and fills tenants from them."""
