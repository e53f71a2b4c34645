"""Who holds a partition: names of its keys as LiteLLM verified them, for people to read. No right follows from one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, or_, select

from litellm_memory.database.people import LONGEST_LABEL, holders
from litellm_memory.database.tables import aware, listed, traces, upsert_all
from litellm_memory.models import Caller

NAMES: Final = ("user", "email", "alias", "team", "team_alias")
"""The columns with words that an operator chose in LiteLLM, or an identity provider."""
_SHOWN: Final[Mapping[str, Sequence[str]]] = {
    "user": ("email", "user", "alias"),
    "key": ("alias", "email", "user"),
    "team": ("team_alias", "team"),
}
"""By what the partition is derived from: the names that tell it best, the best first."""


@dataclass(frozen=True, slots=True)
class Holder:
    """One key of a partition."""

    partition: str
    key: str
    """32 hex digits, a hash of LiteLLM's hash; empty where LiteLLM verified something else than a key."""
    bound: str
    """What the partition is derived from: ``user``, ``team`` or ``key``."""
    namespace: str
    """The namespace of the key's own user inside a team's partition; else empty."""
    seen: datetime
    user: str | None = None
    email: str | None = None
    alias: str | None = None
    team: str | None = None
    team_alias: str | None = None

    @property
    def label(self) -> str | None:
        """The name by which people know the partition; None when its key has none."""
        return next((name for field in _SHOWN[self.bound] if (name := getattr(self, field))), None)

    @property
    def person(self) -> str | None:
        """The name by which people know the key's own user."""
        return next((name for field in _SHOWN["user"] if (name := getattr(self, field))), None)

    @property
    def names(self) -> frozenset[str]:
        """Every name that means the partition, as ``folded``."""
        meant = _SHOWN[self.bound]
        return frozenset(folded(name) for field in meant if (name := getattr(self, field)))

    @property
    def names_of_person(self) -> frozenset[str]:
        """Every name that means the key's own user, as ``folded``."""
        return frozenset(folded(name) for field in _SHOWN["user"] if (name := getattr(self, field)))


def folded(name: str) -> str:
    """``name`` for comparing: letters of either case mean the same person."""
    return " ".join(name.split()).casefold()


def readable(name: str | None, clean: Callable[[str], str]) -> str | None:
    """``name`` as ``clean`` leaves it, on one line, at most LONGEST_LABEL characters; None when nothing is left."""
    if not name:
        return None
    # Redaction reads all of it: a secret that is cut in two is none any more.
    line = " ".join(clean(name).split())
    return line[:LONGEST_LABEL] or None


def holder_row(holder: Holder) -> dict[str, Any]:
    """The fields of a holder, as the journal has them."""
    return {name: getattr(holder, name) for name in Holder.__slots__}


def named_by(caller: Caller, clean: Callable[[str], str]) -> dict[str, str | None]:
    """The names that a verified key has, as they are kept."""
    named = (caller.user, caller.email, caller.key_alias, caller.team, caller.team_alias)
    return {field: readable(name, clean) for field, name in zip(NAMES, named, strict=True)}


def note_holders(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keeps the newest names of these keys."""
    newest = {(row["partition"], row["key"]): row for row in rows}
    if newest:
        kept = [{**row, "seen": datetime.fromisoformat(row["seen"])} for row in newest.values()]
        upsert_all(connection, holders, kept)


def erase_holders(connection: Connection, partition: str, space: str) -> int:
    """Deletes the names of this user's keys; returns how many keys had some.

    Inside a team they are the user's own. Any other partition has one holder, whose names go with the last user in it.
    """
    own = holders.c.partition == partition
    others = [
        connection.scalar(select(table.c.namespace).where(table.c.partition == partition, table.c.namespace != space))
        for table in (listed, traces)
    ]
    whose = (
        holders.c.namespace == space if any(others) else or_(holders.c.bound != "team", holders.c.namespace == space)
    )
    return connection.execute(delete(holders).where(own, whose)).rowcount


def holder_of(row: Any) -> Holder:
    """A row as a Holder."""
    return Holder(**{**row._mapping, "seen": aware(row.seen)})
