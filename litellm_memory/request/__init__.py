"""The story of a request: what sort it is, what it said before, and what memory does to it."""
