"""Files of this host that several processes use: locks, and what can be read of damaged ones."""
