"""Images that lie one behind the other in an array: NumPy's files, and tables with a column for each pixel."""
