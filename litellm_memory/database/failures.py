"""A database's errors for the operator: a name without URL or password, and what to do."""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import DatabaseError, InternalError, OperationalError

from litellm_memory.errors import LedgerError

BROKEN: Final = (DatabaseError, InternalError, OperationalError)
"""What SQLAlchemy raises when a database is locked, full, damaged or unreachable; a rejected row is a subclass of
DatabaseError."""
REMEDIES: Final = {
    "SQLITE_FULL": "free space on its disk",
    "SQLITE_READONLY": "let this user write to its directory",
    "SQLITE_CANTOPEN": "let this user write to its directory",
    "SQLITE_NOTADB": "restore a backup, or stop the proxy and run `litellm-memory check --rebuild`",
    "SQLITE_CORRUPT": "restore a backup, or stop the proxy and run `litellm-memory check --rebuild`",
}
"""What the operator can do, by the prefix of SQLite's error name."""


def kind_of(error: Exception) -> str:
    """The kind of error, without a URL or a password: ``SQLITE_FULL``, or the class name."""
    original = getattr(error, "orig", None) or error
    return str(getattr(original, "sqlite_errorname", type(original).__name__))


def failed(problem: str, error: Exception, *, remedy: str = "") -> LedgerError:
    """An error with ``problem`` and its kind; given a ``remedy``, also what to do: REMEDIES' entry, or else this
    one."""
    known = next((known for name, known in REMEDIES.items() if kind_of(error).startswith(name)), remedy)
    return LedgerError(f"{problem} ({kind_of(error)}){f'; {known}' if remedy else ''}.")
