"""From a file's bytes to pieces of rows, in bounded memory and the same whoever cuts them."""
