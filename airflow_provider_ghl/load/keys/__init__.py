"""From the keys of rows to the records that they name."""
