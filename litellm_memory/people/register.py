"""Partitions and people by name: who is there, and which one a name means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select, union

from litellm_memory.database.database import Database
from litellm_memory.database.people import holders
from litellm_memory.database.tables import aware, calls, days, jobs, listed, partitions, traces
from litellm_memory.errors import LiteLLMMemoryError, NotFoundError
from litellm_memory.people.holders import Holder, folded, holder_of

SHORTEST_PREFIX: Final = 6
"""Digits from which the beginning of a partition's id is taken for it."""
MOST_TOLD: Final = 20
"""Candidates that a refusal lists."""
MASTER: Final = "default"
"""The partition of the master key, which is there before anything is in it."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_HOLDING: Final = (partitions, holders, days, jobs, traces, listed)
"""Tables that know partitions, those with few rows first."""


class AmbiguousNameError(LiteLLMMemoryError):
    """A name means several; the message lists them with their ids."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person's memory is: a whole partition, or one user inside a team's."""

    id: str
    """By which the place is confirmed: the partition's id, or the namespace of the user."""
    partition: str
    user: str | None
    label: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """A partition: who holds it, and how much is in it."""

    partition: str
    label: str | None
    teams: tuple[str, ...]
    keys: tuple[str, ...]
    memories: int
    waiting: int
    """Memories that wait for review."""
    users: int
    last_seen: datetime | None
    """When its latest call ended, or its key was last verified; None when neither is known any more."""


class Register:
    """The names in one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def labels(self) -> dict[str, str]:
        """The label of every partition that has one. Raises LedgerError."""
        return {partition: told.label for partition, told in _told(await self._all()).items() if told.label}

    async def of_groups(self) -> dict[str, dict[str, str]]:
        """Labels for groups of calls: of partitions, of keys, and of teams."""
        found = await self._all()
        keys = {one.key: one.alias or one.person or one.key for one in found if one.key}
        teams = {one.team: one.team_alias or one.team for one in found if one.team}
        return {"partition": await self.labels(), "key": keys, "team": teams}

    async def held(self, own: str | None = None) -> list[Held]:
        """Every partition, or only ``own``; those seen last come first. Raises LedgerError."""
        told = _told(await self._all())
        rows = await self._database.read(lambda c: _counted(c, _ids(c) if own is None else {own}))
        found = [_held(row, told.get(row.partition, _Told())) for row in rows]
        return sorted(found, key=lambda one: (one.last_seen or _NEVER, one.partition), reverse=True)

    async def partition(self, name: str) -> str:
        """The partition with this id, the beginning of one, or a name of its holder.

        Raises NotFoundError, or AmbiguousNameError for a name of several.
        """
        ids = await self._database.read(_ids)
        if name in ids or name == MASTER:
            return name
        known = await self._all()
        fits = {one.partition for one in known if folded(name) in one.names}
        if not fits and len(name) >= SHORTEST_PREFIX:
            fits = {one for one in ids if one.startswith(name)}
        if len(fits) > 1:
            told = _told(known)
            raise _ambiguous({one: told.get(one, _Told()).label for one in fits})
        if not fits:
            raise NotFoundError("There is no such partition: GET /v1/partitions lists those that there are.")
        return fits.pop()

    async def team(self, name: str) -> str:
        """The id of the team with this id or alias; ``name`` itself for an unknown one. Raises AmbiguousNameError."""
        known = {one.team: one.team_alias for one in await self._all() if one.team}
        fits = {team: alias for team, alias in known.items() if alias and folded(alias) == folded(name)}
        if name in known or not fits:
            return name
        if len(fits) > 1:
            raise _ambiguous(fits)
        return next(iter(fits))

    async def places(self, name: str) -> list[Place]:
        """Where the memory of the person with this name, or this partition id, is.

        Raises NotFoundError, or AmbiguousNameError when keys of several users have this name.
        """
        known = await self._all()
        fits = [one for one in known if name == one.partition or folded(name) in one.names_of_person]
        if not fits:
            partition = await self.partition(name)
            return [Place(partition, partition, None, None)]
        people = {(one.user or one.partition): one.person for one in fits}
        if len(people) > 1:
            raise _ambiguous(people)
        users = {one.user for one in fits if one.user}
        places = [_place(one) for one in known if one in fits or one.user in users]
        return sorted({place.id: place for place in places}.values(), key=lambda place: place.id)

    async def erase(self, partition: str) -> int:
        """Deletes all names of a partition; returns how many keys had some. Raises LedgerError."""
        gone = delete(holders).where(holders.c.partition == partition)
        return await self._database.write(lambda c: c.execute(gone).rowcount)

    async def _all(self) -> list[Holder]:
        """All holders, those seen last come first."""
        query = select(holders).order_by(holders.c.seen.desc(), holders.c.key)
        return await self._database.read(lambda c: [holder_of(row) for row in c.execute(query)])


def _place(one: Holder) -> Place:
    if one.bound == "team" and one.user:
        return Place(one.namespace, one.partition, one.user, one.person)
    return Place(one.partition, one.partition, None, one.label)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the keys of a partition tell of it."""

    label: str | None = None
    teams: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    verified: datetime | None = None


def _told(known: Iterable[Holder]) -> dict[str, _Told]:
    """What is told of each partition; ``known`` begins with the holder seen last."""
    grouped: dict[str, list[Holder]] = {}
    for one in known:
        grouped.setdefault(one.partition, []).append(one)
    return {partition: _together(those) for partition, those in grouped.items()}


def _together(those: Sequence[Holder]) -> _Told:
    label = next((one.label for one in those if one.label), None)
    teams = dict.fromkeys(name for one in those if (name := one.team_alias or one.team))
    keys = dict.fromkeys(one.alias for one in those if one.alias)
    return _Told(label, tuple(teams), tuple(keys), those[0].seen)


def _ambiguous(fits: Mapping[str, str | None]) -> AmbiguousNameError:
    told = [f"{label or 'no name'} ({one})" for one, label in sorted(fits.items())]
    more = f", and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
    return AmbiguousNameError(
        f"This name means several: {', '.join(told[:MOST_TOLD])}{more}. Name one of them by what stands in brackets."
    )


def _ids(connection: Connection) -> set[str]:
    return set(connection.scalars(union(*(select(table.c.partition) for table in _HOLDING))))


@dataclass(frozen=True, slots=True)
class _Counted:
    partition: str
    called: datetime | None
    memories: int = 0
    waiting: int = 0
    users: int = 0


def _counted(connection: Connection, ids: set[str]) -> list[_Counted]:
    sums = (func.count(), func.count(listed.c.waits), func.count(func.distinct(listed.c.namespace)))
    query = select(listed.c.partition, *sums).group_by(listed.c.partition)
    if len(ids) == 1:
        query = query.where(listed.c.partition.in_(ids))
    counts = {partition: counted for partition, *counted in connection.execute(query)}
    # The newest call of each by the index of (partition, at).
    newest = select(calls.c.at).where(calls.c.partition == bindparam("one")).order_by(calls.c.at.desc()).limit(1)
    called = {one: connection.scalar(newest, {"one": one}) for one in ids}
    return [_Counted(one, aware(at) if at else None, *counts.get(one, ())) for one, at in called.items()]


def _held(counted: _Counted, told: _Told) -> Held:
    return Held(
        counted.partition,
        told.label,
        told.teams,
        told.keys,
        counted.memories,
        counted.waiting,
        counted.users,
        max(filter(None, (counted.called, told.verified)), default=None),
    )
