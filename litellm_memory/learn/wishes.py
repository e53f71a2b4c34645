"""Carries out what a person wishes of memory: at once where that is clear, else its owner is asked in review."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from litellm_memory.errors import NotFoundError
from litellm_memory.extract import Candidate, MemoryCommand
from litellm_memory.extract.commands import (
    ASKS_TO_FORGET,
    MAX_TARGETS,
    broad,
    is_plain,
    likeliest,
    named_by,
    wishes_in,
)
from litellm_memory.extract.pairs import MOST_KNOWN
from litellm_memory.learn.making import memory_from
from litellm_memory.ledger import Learned, Ledger
from litellm_memory.memories import Memories
from litellm_memory.models import Exchange, Memory

COMMANDED: Final = "the person wished it"
UNDOABLE: Final = f"{COMMANDED}; it can be undone for ten minutes"
NOTHING_KNOWN: Final = "it wishes to be forgotten what is not known"
PAUSED: Final = "the person wished that nothing is remembered for a day"
PAUSED_FOR: Final = timedelta(days=1)
"""A day from then on: where the person is, and when their day ends, is not known."""
MOST_NAMED: Final = 150
"""Memories that one question to the owner names, the newest: as many ids as a memory keeps beside its text."""


class Wishes:
    """Carries out wishes about the memories of a person."""

    def __init__(self, ledger: Ledger, memories: Memories) -> None:
        self._ledger = ledger
        self._memories = memories

    async def obey(self, exchange: Exchange) -> tuple[list[Learned], list[Memory]]:
        """What became of the memories that the wishes of an exchange concern, and the questions to their owner."""
        outcomes: list[Learned] = []
        questions: list[Memory] = []
        for ordinal, (sentence, wish) in enumerate(wishes_in(exchange.text)):
            if wish.action == "pause":
                outcomes += await self._paused(exchange) if wish.all_day else ()
                continue
            meant, sure = await self._meant(wish, sentence, exchange)
            if not meant:
                outcomes.append(Learned("dropped", NOTHING_KNOWN))
            elif sure:
                outcomes += await self._carried_out(wish, meant, exchange)
            else:
                questions.append(self._question(sentence, f"wish {ordinal}", meant, exchange))
        return outcomes, questions

    async def _paused(self, exchange: Exchange) -> list[Learned]:
        """Turns the person's own switch, which they see and turn back as if they had turned it themselves."""
        until, scope = exchange.said + PAUSED_FOR, exchange.scope
        if until <= datetime.now(UTC):
            return []
        await self._ledger.people.switches.pause(scope.partition, scope.user, "learn", until)
        return [Learned("dropped", PAUSED)]

    async def _meant(self, wish: MemoryCommand, sentence: str, exchange: Exchange) -> tuple[list[Memory], bool]:
        """The memories that a wish names, and whether it names them clearly enough to be carried out."""
        index = await self._memories.index(exchange.scope.partition, exchange.scope.user)
        known = _concerned(index.all(), exchange)
        texts = [memory.text for memory in known[-MOST_KNOWN:]]
        if wish.action == "forget" and (most := await asyncio.to_thread(broad, sentence, wish, texts)) is not None:
            return _those(known, most), False
        meant = _those(known, named_by(wish, [memory.text for memory in known]))
        if meant or wish.action == "end":
            return meant, wish.sure and is_plain(wish) and len(meant) <= MAX_TARGETS
        return _those(known, await asyncio.to_thread(likeliest, wish, texts)), False

    async def _carried_out(self, wish: MemoryCommand, meant: Sequence[Memory], exchange: Exchange) -> list[Learned]:
        done: list[Learned] = []
        if wish.action == "forget":
            await self._ledger.removed.keep(meant)
            await self._memories.forget_all(meant)
            return [Learned("forgotten", UNDOABLE, memory.id, memory.kind) for memory in meant]
        for memory in meant:
            with suppress(NotFoundError):
                await self._memories.correct(
                    memory.partition, memory.id, lambda known: replace(known, valid_until=exchange.said)
                )
                done.append(Learned("ended", COMMANDED, memory.id, memory.kind))
        return done

    def _question(self, sentence: str, name: str, meant: Sequence[Memory], exchange: Exchange) -> Memory:
        ids = ", ".join(memory.id for memory in meant[-MOST_NAMED:])
        asked = Candidate(sentence, "instruction", 1.0, review=f"{ASKS_TO_FORGET}{ids}")
        return memory_from(exchange, asked, name, self._ledger.key)


def _concerned(known: Iterable[Memory], exchange: Exchange) -> list[Memory]:
    """The known memories in force, of the project and session in which a wish was said."""
    scope = exchange.scope
    return [
        memory
        for memory in known
        if memory.in_force(exchange.said)
        and memory.message != exchange.mark
        and memory.project in (None, scope.project)
        and (not scope.only_session or memory.session == scope.session)
    ]


def _those(known: Sequence[Memory], texts: Iterable[str]) -> list[Memory]:
    """The known memories with these texts."""
    wanted = set(texts)
    return [memory for memory in known if memory.text in wanted]
