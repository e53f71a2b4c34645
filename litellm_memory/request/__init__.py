"""The path of a request: which kind it is, which blocks its conversation had, and what memory does to it."""
