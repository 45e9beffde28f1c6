"""What makes a range, a value and an answer."""
