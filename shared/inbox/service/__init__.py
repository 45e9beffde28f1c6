"""What is done with deliveries: taken, worked on, replayed."""
