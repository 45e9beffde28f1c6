"""Where archives go, and what of a tenant is in DynamoDB."""
