"""Which directories are checkouts of which git remote, per user.

A client that names both makes the path an alias of the remote, so that a client that names only the path means the same
project. A path that was seen with two remotes is an alias of neither, for good.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, select, update

from litellm_memory.database.database import Database
from litellm_memory.database.tables import insert_new, paths

Checkout: TypeAlias = tuple[str, str, str]
"""A namespace, a path in it, and the remote that a client named together with it."""

FRESH: Final = timedelta(seconds=2)
"""TTL of cached aliases; after that, changes by other workers are seen."""
ALIASES: Final = 200
"""At most this many aliases per project, the oldest first: some agents make a checkout for every task."""
IN_RAM: Final = 4096
"""Size of the LRU caches of aliases and of noted checkouts, per process."""


@dataclass(frozen=True, slots=True)
class Names:
    """A project by the name that all clients of a user share, and the paths that are its aliases."""

    project: str
    aliases: frozenset[str] = frozenset()


class Paths:
    """The aliases of all users, with a cache."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[tuple[str, str, str | None], tuple[datetime, int, Names]] = OrderedDict()
        self._noted: OrderedDict[Checkout, None] = OrderedDict()
        self._changes = 0

    def fresh(self, namespace: str, project: str, path: str | None = None, *, now: datetime) -> Names | None:
        """As ``names``, from the cache; None when it has none that are fresh."""
        known = self._known.get((namespace, project, path))
        is_fresh = known is not None and known[1] == self._changes and timedelta() <= now - known[0] < FRESH
        return known[2] if known is not None and is_fresh else None

    async def names(self, namespace: str, project: str, path: str | None = None, *, now: datetime) -> Names:
        """The names of the project that a client named: by its remote or name, and by its path if it gave one.

        Served from the cache if it is fresh. Raises LedgerError.
        """
        if (fresh := self.fresh(namespace, project, path, now=now)) is not None:
            return fresh
        changes = self._changes
        names = await self._database.read(lambda connection: _names(connection, namespace, project, path))
        for named in (project, names.project):
            _keep(self._known, (namespace, named, path), (now, changes, names))
        return names

    def note(self, namespace: str, checkouts: Mapping[str, str]) -> None:
        """Records that a client named these paths together with these remotes; writes only what is new, and does not
        wait."""
        for path, remote in checkouts.items():
            checkout = (namespace, path, remote)
            if checkout not in self._noted:
                _keep(self._noted, checkout, None)
                written = self._database.submit(partial(_note, checkout))
                written.add_done_callback(partial(self._written, checkout))

    def drop(self, namespace: str) -> None:
        """Removes a namespace, whose aliases were erased, from the cache."""
        for known in [known for known in self._known if known[0] == namespace]:
            del self._known[known]
        for noted in [noted for noted in self._noted if noted[0] == namespace]:
            del self._noted[noted]

    def _written(self, checkout: Checkout, written: Future[None]) -> None:
        self._changes += 1
        if written.exception() is not None:
            self._noted.pop(checkout, None)


def _names(connection: Connection, namespace: str, project: str, path: str | None) -> Names:
    asked = path or project
    row = connection.execute(
        select(paths.c.remote, paths.c.ambiguous).where(paths.c.namespace == namespace, paths.c.path == asked)
    ).first()
    if row is not None and not row.ambiguous and asked == project:
        project = row.remote
    aliases = connection.scalars(
        select(paths.c.path)
        .where(paths.c.namespace == namespace, paths.c.remote == project, paths.c.ambiguous.is_(False))
        .order_by(paths.c.at)
        .limit(ALIASES)
    )
    # A path that comes with its remote for the first time is an alias before that is durable.
    own = {asked} if row is None or (row.remote == project and not row.ambiguous) else set()
    return Names(project, frozenset({*aliases, *own} - {project}))


def _note(checkout: Checkout, connection: Connection) -> None:
    namespace, path, remote = checkout
    row = {"namespace": namespace, "path": path, "remote": remote, "ambiguous": False, "at": datetime.now(UTC)}
    if not insert_new(connection, paths, row):
        connection.execute(
            update(paths)
            .where(paths.c.namespace == namespace, paths.c.path == path, paths.c.remote != remote)
            .values(ambiguous=True)
        )


def _keep(entries: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    entries[key] = value
    while len(entries) > IN_RAM:
        entries.popitem(last=False)
