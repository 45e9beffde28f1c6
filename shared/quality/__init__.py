"""How good what sensors say is: a score for each of their days, and what is wrong with it in words."""
