"""What places are to come to, how far they are, and how much of it each place within them is to bring."""
