"""The ninth round: updates, wishes about memory, attacks, facts, and questions in four scripts."""
