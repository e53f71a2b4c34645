"""The eighth round: updates, denials and their look-alikes."""
