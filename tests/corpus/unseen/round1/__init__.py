"""The first round: updates, wishes about memory, attacks, facts, and two sessions of agents."""
