"""Text analysis without memory logic: words, sentences, and cues such as questions and times."""
