"""What a day is worth, what is wrong with it, and for how long."""
