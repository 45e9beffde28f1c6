"""What every benchmark is made of: rounds, meters, reports."""
