"""Which rows need a request."""
