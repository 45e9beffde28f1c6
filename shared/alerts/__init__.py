"""What is to be told of places as it happens: rules, and alerts that open once and resolve by themselves."""
