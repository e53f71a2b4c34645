"""Where each message was said and whether what it told was forgotten since: keyed hashes, and no text.

What was forgotten is learned again only when the person says it anew: neither a message that a client sends again, nor
one before which something was edited.
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, or_, select, update

from litellm_memory.database.database import Database
from litellm_memory.database.said import sayings
from litellm_memory.database.tables import aware, insert_all_new, learned
from litellm_memory.models import Exchange

Saying: TypeAlias = Literal["new", "over", "repeated", "unclear", "paused"]
"""``over``: it was forgotten after it was said. ``repeated``: it was forgotten, and a client sends it again.
``unclear``: repeated or said anew, for nothing names the conversation. ``paused``: its conversation is not to be
remembered."""


class Sayings:
    """The sayings in one ledger. ``key`` returns the key of the keyed hashes."""

    def __init__(self, database: Database, key: Callable[[], bytes]) -> None:
        self._database = database
        self._key = key

    async def judged(self, exchanges: Sequence[Exchange]) -> list[Saying]:
        """Of each exchange, whether what it tells is said anew, and to be remembered."""
        rows = [self._row(exchange) for exchange in exchanges]
        known = await self._database.read(lambda c: _known(c, rows))
        return [_judged(row, known) for row in rows]

    async def heard(self, marks: Sequence[str]) -> set[str]:
        """Those of these messages that were learned from."""
        return set(
            await self._database.read(
                lambda c: list(c.scalars(select(learned.c.mark).where(learned.c.mark.in_(marks))))
            )
        )

    async def said(self, exchanges: Sequence[Exchange], *, paused: Sequence[bool]) -> None:
        """Records that these were said; ``paused``: from there on their conversations are not to be remembered."""
        rows = [self._row(exchange, paused=pause) for exchange, pause in zip(exchanges, paused, strict=True)]
        await self._database.write(lambda c: insert_all_new(c, sayings, [_stored(row) for row in rows]))

    async def forgot(self, marks: Sequence[str], *, forgotten: bool = True) -> None:
        """Records that what these messages told is forgotten now, or with ``forgotten=False`` that it is not."""
        at = datetime.now(UTC) if forgotten else None
        if marks:
            of_marks = update(sayings).where(sayings.c.mark.in_(marks)).values(forgotten=at)
            await self._database.write(lambda c: c.execute(of_marks).rowcount)

    async def erased(self, namespace: str, session: str | None, until: datetime | None) -> None:
        """Records that all is forgotten that was said in a namespace, or in one of its sessions, up to a time."""
        owner, at = self._hash("owner", namespace), until or datetime.now(UTC)
        of_owner = [sayings.c.owner == owner, sayings.c.said <= at]
        if session is not None:
            of_owner.append(sayings.c.conversation == self._hash("session", namespace, session))
        of_owner.append(or_(sayings.c.forgotten.is_(None), sayings.c.forgotten < at))
        await self._database.write(lambda c: c.execute(update(sayings).where(*of_owner).values(forgotten=at)).rowcount)

    def _row(self, exchange: Exchange, *, paused: bool = False) -> dict[str, Any]:
        space, session = exchange.scope.namespace, exchange.scope.session
        words = " ".join(unicodedata.normalize("NFKC", exchange.text).casefold().split())
        return {
            "mark": exchange.mark,
            "owner": self._hash("owner", space),
            "words": self._hash("words", space, words),
            "conversation": self._hash("session", space, session) if session else None,
            "place": exchange.place,
            "said": exchange.said,
            "paused": paused,
            "before": exchange.before,
        }

    def _hash(self, *parts: str) -> str:
        named = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.digest(self._key(), named.encode("utf-8", "surrogatepass"), "sha256").hex()[:40]


def _stored(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "before"}


def _known(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The sayings that have these marks or words, or that may have paused these conversations."""
    asked = {name: {row[name] for row in rows if row[name]} for name in ("mark", "words", "conversation", "before")}
    paused = or_(sayings.c.conversation.in_(asked["conversation"]), sayings.c.mark.in_(asked["before"]))
    found = select(sayings).where(
        or_(sayings.c.mark.in_(asked["mark"]), sayings.c.words.in_(asked["words"]), sayings.c.paused & paused)
    )
    return list(connection.execute(found))


def _judged(row: Mapping[str, Any], known: Sequence[Any]) -> Saying:
    if any(_pauses(one, row) for one in known if one.paused):
        return "paused"
    alike = [one for one in known if one.words == row["words"] and one.owner == row["owner"]]
    gone = [one for one in alike if one.forgotten is not None]
    if any(row["said"] <= aware(one.forgotten) for one in gone):
        return "over"
    again = any(one.mark == row["mark"] for one in gone)
    if row["conversation"] is None:
        before = any(one.conversation is None and one.place >= row["place"] for one in gone)
        return "unclear" if again or before else "new"
    before = any(one.conversation == row["conversation"] and one.place >= row["place"] for one in gone)
    return "repeated" if again or before else "new"


def _pauses(saying: Any, row: Mapping[str, Any]) -> bool:
    in_session = saying.conversation is not None and saying.conversation == row["conversation"]
    return in_session or saying.mark in (row["before"], row["mark"])
