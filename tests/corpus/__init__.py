"""Texts by the hundred for tests: made from templates and chance with a fixed seed, so that they stay the same."""
