"""The later life of memories: import, review, retention, rollback, audit, erasure, new vectors, traces in words."""
