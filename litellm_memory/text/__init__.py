"""What a text says: its words, and the signs of what it is about. Language only."""
