"""The strangers themselves."""
