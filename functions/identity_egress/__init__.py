"""Asks strangers on identity's behalf; the only part of identity that reaches the internet."""
