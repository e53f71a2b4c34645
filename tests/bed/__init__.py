"""The test bed: a provider that remembers what it was sent, LiteLLM's own proxy, and the table of routes."""
