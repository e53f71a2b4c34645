"""From an exchange to memories kept: extracted, screened, held against what is known, stored."""
