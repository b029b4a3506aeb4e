"""A result for every row, and a verdict for the load."""
