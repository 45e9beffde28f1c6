"""The rules of webhooks: signatures, addresses, URLs, retries. No module here does input or output."""
