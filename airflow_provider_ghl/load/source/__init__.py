"""A table of any kind becomes batches of columns."""
