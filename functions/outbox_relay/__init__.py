"""Publishes events that a function committed but could not publish itself."""
