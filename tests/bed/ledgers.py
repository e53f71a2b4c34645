"""Empty databases for a ledger: a file of SQLite's, and PostgreSQL where the environment names one."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import create_engine

from litellm_memory.database.tables import metadata

POSTGRES = os.environ.get("LITELLM_MEMORY_TEST_POSTGRES")
"""SQLAlchemy URL of a PostgreSQL database of which tests may drop every table of the ledger."""
DATABASES = ("sqlite", "postgresql") if POSTGRES else ("sqlite",)
"""The kinds that are at hand."""


def empty_database(kind: str, directory: Path) -> str:
    """The SQLAlchemy URL of an empty database of this kind; a file lies in ``directory``."""
    if kind == "sqlite":
        return f"sqlite:///{directory / 'ledger.db'}"
    assert POSTGRES is not None
    engine = create_engine(POSTGRES)
    metadata.drop_all(engine)
    engine.dispose()
    return POSTGRES
