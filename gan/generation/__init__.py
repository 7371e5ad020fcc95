"""Images from seeds: drawn, exported as a program, read back from one, laid out as grids."""
