"""A client of the sidecar that loads nothing heavy, and where a config says that the sidecar is."""
