"""Where webhooks are kept: endpoints in PostgreSQL, messages, deliveries and attempts in DynamoDB."""
