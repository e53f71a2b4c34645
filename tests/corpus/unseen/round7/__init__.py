"""The seventh round: updates, wishes about memory, attacks and facts."""
