"""The doors of a function: HTTP, queue, schedule."""
