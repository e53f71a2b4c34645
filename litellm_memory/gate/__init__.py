"""What every request to the sidecar passes first: who asks, from which page, how often, and how large it may be."""
