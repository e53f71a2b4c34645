"""Files of this host that several processes use: locks, and salvage of damaged ones."""
