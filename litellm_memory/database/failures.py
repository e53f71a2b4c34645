"""What a database's error means to the operator: a name that holds no URL and no password, and what to do about it."""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import DatabaseError, InternalError, OperationalError

from litellm_memory.errors import LedgerError

BROKEN: Final = (DatabaseError, InternalError, OperationalError)
"""What a database raises that is locked, full, damaged or away. A row that it refuses is a subclass of the first."""
REMEDIES: Final = {
    "SQLITE_FULL": "free space on its disk",
    "SQLITE_READONLY": "let this user write to its directory",
    "SQLITE_CANTOPEN": "let this user write to its directory",
    "SQLITE_NOTADB": "restore a backup, or stop the proxy and run `litellm-memory check --rebuild`",
    "SQLITE_CORRUPT": "restore a backup, or stop the proxy and run `litellm-memory check --rebuild`",
}


def kind_of(error: Exception) -> str:
    """What went wrong, without a URL or a password in it: ``SQLITE_FULL``, or the name of the error."""
    original = getattr(error, "orig", None) or error
    return str(getattr(original, "sqlite_errorname", type(original).__name__))


def failed(problem: str, error: Exception, *, remedy: str = "") -> LedgerError:
    """An error that says ``problem`` and its kind; with ``remedy`` also what to do, by REMEDIES where they know it."""
    known = next((known for name, known in REMEDIES.items() if kind_of(error).startswith(name)), remedy)
    return LedgerError(f"{problem} ({kind_of(error)}){f'; {known}' if remedy else ''}.")
