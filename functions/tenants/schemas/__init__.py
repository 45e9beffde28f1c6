"""The wire's shapes of organizations."""
