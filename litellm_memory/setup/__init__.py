"""Setting memory up: what is wrong with a config, its files and its host, and configs that are written or joined."""
