"""The kernel every function shares."""
