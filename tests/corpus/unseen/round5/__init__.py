"""The third round: updates, wishes about memory, and attacks."""
