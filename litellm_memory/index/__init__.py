"""The in-memory search indexes, one per user, and the arithmetic that ranks what they find."""
