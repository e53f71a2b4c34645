"""Who holds which partition, by name; what people switched off; and all that the ledger holds on one of them."""
