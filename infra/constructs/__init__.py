"""Building blocks of the stacks, one thought each."""
