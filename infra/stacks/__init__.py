"""The stacks of a stage, from what is kept longest to what changes most."""
