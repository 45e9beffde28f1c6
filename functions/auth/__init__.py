"""Sign-up, log-in, tokens, sessions and API keys."""
