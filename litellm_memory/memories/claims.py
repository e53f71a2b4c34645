"""Deduplication: two workers that learn the same text at the same time keep one memory."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from litellm_memory.ledger import Ledger
from litellm_memory.models import CONFIRMED, Memory
from litellm_memory.store import Store
from litellm_memory.text.words import same_text


class TextClaims:
    """Claims in the ledger: which memory owns a text. ``store`` returns the open store."""

    def __init__(self, ledger: Ledger, store: Callable[[], Store]) -> None:
        self._ledger = ledger
        self._store = store

    async def merged(self, memory: Memory, *, across_sessions: bool) -> Memory:
        """``memory``, or the memory in force with the same text in the same scope, with its confidence raised.

        What waits changes nothing that is in force, and what a model says lets nothing go on that waits.
        """
        mark = self._text_mark(replace(memory, session=None) if across_sessions else memory)
        holder = await self._ledger.texts.claim(mark, memory.id, namespace=memory.namespace)
        fresh = replace(memory, id=holder)
        if holder == memory.id:
            return fresh
        before = await self._store().get(memory.partition, [holder], vectors=False)
        if not before:
            return fresh
        known = before[0].memory
        if known.review is not None and memory.origin.role == "assistant":
            return known
        if not known.in_force(memory.created):
            return fresh
        if memory.review is not None:
            return known
        return replace(
            known,
            confidence=min(1.0, known.confidence + CONFIRMED),
            tags=tuple(dict.fromkeys((*known.tags, *memory.tags))),
        )

    async def is_first(self, memory: Memory, now: datetime) -> bool:
        """True when no other memory in force has the same text in the same scope, or ``memory`` is not in force."""
        if not memory.in_force(now):
            return True
        holder = await self._ledger.texts.claim(self._text_mark(memory), memory.id, namespace=memory.namespace)
        if holder == memory.id:
            return True
        found = await self._store().get(memory.partition, [holder], vectors=False)
        return not found or not found[0].memory.in_force(now)

    async def move(self, memory: Memory) -> None:
        """Moves the claim of ``memory`` to its current text."""
        await self._ledger.texts.move(self._text_mark(memory), memory.id, namespace=memory.namespace)

    def one_each(self, memories: list[Memory], now: datetime) -> list[Memory]:
        """``memories`` without duplicates: of those in force with the same text, the last."""
        said = {self._text_mark(memory) if memory.in_force(now) else memory.id: memory for memory in memories}
        return list(said.values())

    def _text_mark(self, memory: Memory) -> str:
        """A keyed hash of a memory's scope and text: memories with the same mark are merged."""
        text = f"{memory.namespace}:{memory.project or ''}:{memory.session or ''}:{same_text(memory.text)}"
        return hmac.digest(self._ledger.key, text.encode("utf-8", "surrogatepass"), "sha256").hex()
