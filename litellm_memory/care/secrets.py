"""Secrets that were stored before a rule covered them: where they are, and their redaction after the fact."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from litellm_memory.errors import NotFoundError
from litellm_memory.ledger import Ledger
from litellm_memory.memories import Memories
from litellm_memory.models import Memory
from litellm_memory.redact import Redactor

_MARK: Final = re.compile(r"\[REDACTED:([\w-]+)\]")


@dataclass(frozen=True, slots=True)
class Kept:
    """A place with secrets: the ids of the items with secrets, and how many of each kind."""

    place: str
    ids: tuple[str, ...]
    kinds: Mapping[str, int]


async def audit_secrets(
    memories: Memories, ledger: Ledger, partition: str, *, redactor: Redactor, fix: bool = False
) -> list[Kept]:
    """What ``redactor`` would redact in a partition, by place; with ``fix``, it is redacted once this returns.

    The old bytes stay in free pages of files until these are scrubbed.
    """
    held = await memories.all(partition, None)
    secret = await asyncio.to_thread(lambda: [memory for memory in held if redactor.memory(memory) != memory])
    users = {memory.user for memory in held} | await ledger.erasures.users(partition)
    rows = await ledger.redaction.find(partition, users, redactor.text)
    if fix:
        await ledger.redaction.apply(rows)
        if rows:
            await ledger.erasures.corrected(partition)
        for memory in secret:
            with suppress(NotFoundError):  # It may have been forgotten meanwhile, and stays so.
                await memories.correct(partition, memory.id, redactor.memory)
    places = sorted({row.place for row in rows})
    found = [_kept("memories", [(memory.id, _said(memory), _said(redactor.memory(memory))) for memory in secret])]
    found += [_kept(name, [(row.mark, row.before, row.after) for row in rows if row.place == name]) for name in places]
    return [kept for kept in found if kept.ids]


def _kept(place: str, changed: Sequence[tuple[str, str, str]]) -> Kept:
    kinds: Counter[str] = Counter()
    for _, before, after in changed:
        kinds += Counter(_MARK.findall(after)) - Counter(_MARK.findall(before))
    return Kept(place, tuple(mark for mark, _, _ in changed), dict(sorted(kinds.items())))


def _said(memory: Memory) -> str:
    parts: Iterable[str] = (memory.text, memory.reply or "", memory.review or "", *memory.tags)
    return "\n".join(parts)
