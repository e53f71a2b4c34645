"""The sixth round: updates, wishes about memory, attacks, facts, scripts, and a day of mixed talk."""
