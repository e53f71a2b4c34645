"""What people paused or agreed to for themselves, and the one answer to "may this request recall, and teach?"."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy import Connection, delete, func, select

from litellm_memory.database.database import Database
from litellm_memory.database.people import switches
from litellm_memory.database.tables import aware, upsert_all
from litellm_memory.errors import LedgerError, TooManySwitchesError
from litellm_memory.models import Caller, Scope, namespace
from litellm_memory.people.policies import Ruling, ruling_of
from litellm_memory.settings import Settings

Switch: TypeAlias = Literal["recall", "learn", "shared"]
SWITCHES: Final[tuple[Switch, ...]] = get_args(Switch)
FOLLOW_SECONDS: Final = 2.0
"""How often a worker looks for what was switched elsewhere."""
OPEN_END: Final = datetime.max.replace(tzinfo=UTC)
MOST_SET: Final = 100_000
"""Of one partition: all of them are held in RAM by every worker."""
_AGREED: Final = "+"
"""Before the name of a switch: what the person agreed to."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether something may be done, and who says so.

    ``default``, ``settings``, ``policy``, ``key`` (or its team) or ``person``, who paused it or agreed to it.
    """

    allowed: bool = True
    by: str = "default"
    until: datetime | None = None
    """When a pause ends by itself."""
    ruling: Ruling | None = None
    """The policy that holds; None when none was set."""
    agreed: bool = False
    """The person said yes, which counts where the policy is ``opt_in``."""


_ALLOWED: Final = Allowance()
"""Where nobody said anything."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What memory may do for the requests of a scope, as far as people decide it."""

    recall: Allowance = field(default_factory=Allowance)
    learn: Allowance = field(default_factory=Allowance)
    shared: Allowance = field(default_factory=Allowance)
    """Whether they are given what their team shares, if it shares anything."""

    @property
    def told(self) -> Mapping[str, Mapping[str, Any]]:
        """For a trace: who said what; nothing where nobody said anything."""
        each = {name: getattr(self, name) for name in SWITCHES}
        return {name: _told(one) for name, one in each.items() if one.by != "default" or one.ruling}


class Switches:
    """The pauses and agreements in one ledger, all of them in RAM: asking takes a look into a dict."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watch = database.watch()
        self._set: Mapping[tuple[str, str], datetime] = {}
        self._seen: object = None

    def standing(self, scope: Scope, caller: Caller, now: datetime, settings: Settings) -> Standing:
        """What holds for a scope and who says so.

        Whoever comes first and says no is named: settings, policy, key, person. Nobody lifts another's no. Nothing is
        read.
        """
        policies = settings.policies
        return Standing(
            self._allowance(scope, "recall", now, settings.inject, ruling_of(caller, policies.recall), caller.inject),
            self._allowance(scope, "learn", now, settings.remember, ruling_of(caller, policies.learn), caller.remember),
            self._allowance(scope, "shared", now, True, ruling_of(caller, policies.shared), True),
        )

    def _allowance(
        self, scope: Scope, name: Switch, now: datetime, settings: bool, ruling: Ruling | None, key: bool
    ) -> Allowance:
        if settings and key and ruling is None and not self._set:
            return _ALLOWED
        policy, agreed = ruling.policy if ruling else "on", self._holds(scope, _AGREED + name, now) is not None
        if not settings:
            return Allowance(False, "settings", None, ruling, agreed)
        if policy == "off" or (policy == "opt_in" and not agreed):
            return Allowance(False, "policy", None, ruling, agreed)
        if not key:
            return Allowance(False, "key", None, ruling, agreed)
        if (until := self._holds(scope, name, now)) is not None:
            return Allowance(False, "person", None if until == OPEN_END else until, ruling, agreed)
        by = "person" if policy == "opt_in" else "policy" if ruling else "default"
        return Allowance(True, by, None, ruling, agreed)

    def _holds(self, scope: Scope, name: str, now: datetime) -> datetime | None:
        """Until when this person's switch holds; None when it does not."""
        until = self._set.get((scope.namespace, name)) if self._set else None
        return until if until is not None and until > now else None

    async def pause(self, partition: str, user: str, name: Switch, until: datetime | None) -> None:
        """Pauses this for a user, until a time or until it is resumed; durable, and in force here, on return.

        Other workers follow within FOLLOW_SECONDS. Raises LedgerError, and TooManySwitchesError.
        """
        await self._turn_on(partition, user, name, until)

    async def resume(self, partition: str, user: str, name: Switch) -> None:
        """Ends a pause; the same with none. Raises LedgerError."""
        await self._turn_off(partition, user, name)

    async def agree(self, partition: str, user: str, name: Switch) -> None:
        """Records that a person says yes to this, which counts where a policy asks; as durable as a pause."""
        await self._turn_on(partition, user, _AGREED + name, None)

    async def withdraw(self, partition: str, user: str, name: Switch) -> None:
        """Takes back what the person agreed to; the same with nothing. Raises LedgerError."""
        await self._turn_off(partition, user, _AGREED + name)

    async def _turn_on(self, partition: str, user: str, name: str, until: datetime | None) -> None:
        space = namespace(partition, user)
        row = {"namespace": space, "name": name, "partition": partition, "until": until, "at": datetime.now(UTC)}
        if not await self._database.write(lambda c: _turned_on(c, row)):
            raise TooManySwitchesError(f"{MOST_SET} pauses and agreements of this partition hold: end some first.")
        self._set = {**self._set, (space, name): until or OPEN_END}

    async def _turn_off(self, partition: str, user: str, name: str) -> None:
        space = namespace(partition, user)
        ended = delete(switches).where(switches.c.namespace == space, switches.c.name == name)
        await self._database.write(lambda c: c.execute(ended).rowcount)
        self._set = {key: until for key, until in self._set.items() if key != (space, name)}

    def load(self) -> None:
        """Reads all of them. Blocks the calling thread. Raises what SQLAlchemy raises."""
        with self._database.engine.connect() as connection:
            self._seen, self._set = _newest(connection), _all(connection)

    async def follow(self) -> None:
        """Reads what was switched elsewhere since. Raises LedgerError."""
        if not self._watch.has_changed():
            return
        newest = await self._database.read(_newest)
        if newest != self._seen:
            self._set = await self._database.read(_all)
            # What came between the two readings is read again the next time.
            self._seen = newest
        self._watch.read()

    async def run(self) -> None:
        """Follows until cancelled; while the ledger is away, what was known holds."""
        while True:
            with suppress(LedgerError):
                await self.follow()
            await asyncio.sleep(FOLLOW_SECONDS)


def _turned_on(connection: Connection, row: dict[str, Any]) -> bool:
    """False, with nothing changed, when the partition of this row has too many others that hold."""
    own = switches.c.partition == row["partition"]
    connection.execute(delete(switches).where(own, switches.c.until <= row["at"]))
    others = own & ((switches.c.namespace != row["namespace"]) | (switches.c.name != row["name"]))
    if (connection.scalar(select(func.count()).where(others)) or 0) >= MOST_SET:
        return False
    upsert_all(connection, switches, [row])
    return True


def _told(one: Allowance) -> Mapping[str, Any]:
    ruling = {"policy": one.ruling.policy, "from": str(one.ruling)} if one.ruling else {}
    return {"allowed": one.allowed, "by": one.by, **ruling}


def erase_agreed(connection: Connection, space: str, until: datetime | None) -> int:
    """Deletes what this user agreed to, up to that time; returns how many rows. A pause stays: it holds no word."""
    agreed = delete(switches).where(switches.c.namespace == space, switches.c.name.startswith(_AGREED))
    return connection.execute(agreed if until is None else agreed.where(switches.c.at <= until)).rowcount


def _newest(connection: Connection) -> tuple[Any, ...]:
    return tuple(connection.execute(select(func.count(), func.max(switches.c.at))).one())


def _all(connection: Connection) -> dict[tuple[str, str], datetime]:
    rows = connection.execute(select(switches.c.namespace, switches.c.name, switches.c.until))
    return {(space, name): aware(until) if until else OPEN_END for space, name, until in rows}
