"""Timed work: started by a schedule or by hand, done tenant by tenant."""
