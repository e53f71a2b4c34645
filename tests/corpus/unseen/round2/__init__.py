"""The second round: updates, wishes, attacks, facts, a day of mixed talk, recall in other scripts, and two agents."""
