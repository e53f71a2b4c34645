"""From an exchange to stored memories: extracted, screened, reconciled with what is known, stored."""
