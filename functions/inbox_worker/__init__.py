"""Works on what is in the inbox."""
