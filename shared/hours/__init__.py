"""When a place is open: spans by weekday, and on dates of their own."""
