"""Which memories are meant: by an id or the beginning of one, or by what they are."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from litellm_memory.client.sidecar import Row, Sidecar
from litellm_memory.errors import CommandError
from litellm_memory.terminal.dates import rfc3339
from litellm_memory.terminal.print import short

WHOLE_ID: Final = re.compile(r"[0-9a-f]{40}")
PART_OF_ID: Final = re.compile(r"[0-9a-f]{4,39}")
MOST_NAMED: Final = 10
"""Memories that are named when the beginning of an id fits several."""
PAGE: Final = 200
"""Memories per request: the API's limit."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the memories of a list have in common; None or empty is no condition."""

    project: str | None = None
    kinds: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    since: str | None = None
    until: str | None = None
    grep: str | None = None
    state: str | None = None

    def __bool__(self) -> bool:
        return bool(self.project or self.kinds or self.tags or self.since or self.until or self.grep or self.state)

    def asked(self, user: str | None) -> dict[str, Any]:
        """The body of a request to look through memories. Raises DateError."""
        body = {
            "user": user,
            "project": self.project,
            "kinds": self.kinds,
            "tag": next(iter(self.tags), None),
            "since": rfc3339(self.since),
            "until": rfc3339(self.until),
            "state": self.state or "any",
            "limit": PAGE,
        }
        return {name: value for name, value in body.items() if value not in (None, [])}

    def admits(self, memory: Mapping[str, Any]) -> bool:
        """What the API does not look at by itself."""
        text = f"{memory['text']}\n{memory['reply'] or ''}"
        found = self.grep is None or self.grep.casefold() in text.casefold()
        return found and set(self.tags) <= set(memory["tags"])


async def picked(answering: Sidecar, filters: Filters, user: str | None) -> AsyncIterator[dict[str, Any]]:
    """The memories that fit, newest first. Raises CommandError and DateError."""
    asked, cursor = filters.asked(user), None
    while True:
        page = await answering.ask("POST", "/v1/browse", json={**asked, **({"cursor": cursor} if cursor else {})})
        for row in page["data"]:
            if filters.admits(row["memory"]):
                yield row["memory"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


async def located(answering: Sidecar, given: str) -> tuple[Sidecar, str]:
    """The partition of a memory, and its whole id, for the id or the beginning of one that no other has.

    Raises CommandError, with those that it fits when they are several.
    """
    if not answering.is_everywhere and not PART_OF_ID.fullmatch(given):
        return answering, given

    async def fitting(one: Sidecar) -> list[Row]:
        asked = {"id": given, "state": "any", "limit": MOST_NAMED}
        return [row["memory"] for row in (await one.ask("POST", "/v1/browse", json=asked))["data"]]

    found = await answering.gathered(fitting, by=said)
    if not found:
        raise CommandError(f"There is no memory whose id begins with {given}.")
    if len(found) > 1:
        named = "\n".join(f"  {short(one['id'])}  {' '.join(one['text'].split())[:60]}" for one in found)
        raise CommandError(f"{given} begins several ids: give more digits.\n{named}")
    return answering.within(found[0]["partition"]), str(found[0]["id"])


async def whole_id(answering: Sidecar, given: str) -> str:
    """The id that ``given`` is, or that it alone begins. Raises CommandError, with those that it fits when several."""
    return (await located(answering, given))[1]


def said(memory: Mapping[str, Any]) -> datetime:
    """When a memory was said: the order of lists."""
    return datetime.fromisoformat(memory["created"])
