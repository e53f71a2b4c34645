"""What happens to memories afterwards: retention, review, rollback, audit, erasure, new vectors."""
