"""The later life of memories: retention, review, rollback, audit, erasure, new vectors."""
