"""The wire's shapes of what was measured in stores."""
