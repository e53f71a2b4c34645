"""SQLAlchemy's engine for a URL, an SQLite file that is private to its user, and scrubbing."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

import orjson
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import QueuePool

from litellm_memory.database.failures import kind_of
from litellm_memory.errors import SettingsError

LIBPQ: Final = frozenset({"psycopg", "psycopg2"})
NOTICED_GONE: Final = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Parameters of libpq with which a host that is gone is noticed within some ten seconds; by default it takes hours.
The URL may name others."""


def _dumped(value: Any) -> str:
    try:
        told = orjson.dumps(value)
        # Other signs are escaped, as in all rows so far: forgetting looks for ids in the text of blocks.
        return told.decode() if told.isascii() else json.dumps(value)
    except TypeError:
        # A lone surrogate, or a number of any size.
        return json.dumps(value)


# A trace is some kilobytes of JSON, for which Python's own takes ten times as long.
_JSON: Final[dict[str, Any]] = {"json_serializer": _dumped, "json_deserializer": orjson.loads}


def engine_for(url: str) -> Engine:
    """An engine that has not connected yet. Raises SettingsError for a URL that names no database."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_size=4, pool_pre_ping=True, connect_args=_patience(parsed), **_JSON)
        engine = create_engine(parsed, poolclass=QueuePool, pool_size=4, **_JSON)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        # SQLAlchemy's message would show the URL, which may hold a password.
        raise SettingsError(
            f"litellm_memory.ledger.url: SQLAlchemy cannot use it ({kind_of(error)}): "
            "see whether it is written rightly and its driver is installed."
        ) from None
    event.listen(engine, "connect", _configure)
    return engine


def _patience(url: URL) -> dict[str, Any]:
    if url.get_driver_name() not in LIBPQ:
        return {}
    return {name: value for name, value in NOTICED_GONE.items() if name not in url.query}


class Connections:
    """An engine's open connections to a server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: WeakSet[Any] = WeakSet()
        if engine.dialect.driver in LIBPQ:
            event.listen(engine, "connect", lambda connection, _: self._open.add(connection))

    def hang_up(self) -> None:
        """Ends all of them: threads that wait for an answer get an error, and the engine connects anew."""
        for connection in list(self._open):
            closed = self._engine.dialect.loaded_dbapi.Error
            with suppress(OSError, closed), socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)


def scrub(engine: Engine) -> None:
    """Vacuums an SQLite file and truncates its WAL, so that deleted data is gone.

    Raises SQLAlchemyError, also when readers keep the WAL from being truncated within SQLite's timeout.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM"))
        busy = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).scalar()
    if busy:
        raise OperationalError("wal_checkpoint", None, sqlite3.OperationalError("database is locked"))


def _configure(connection: Any, _: object) -> None:
    # WAL lets readers go on while one process writes; NORMAL survives a killed process, but not every power cut.
    for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def make_file(engine: Engine) -> None:
    """Creates the file of an SQLite ledger, private to its user, and its directory."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        path = Path(engine.url.database)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
