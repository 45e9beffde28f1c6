"""The wire's shapes of stores."""
