"""The wire's shapes of identity."""
