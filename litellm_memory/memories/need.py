"""What a message needs of the memories, in the languages that the local model does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import lru_cache
from typing import Final, TypeAlias, TypeVar

import numpy as np

from litellm_memory.index.beside import IndexBeside
from litellm_memory.index.ranking import Signals
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.memories.query import Query
from litellm_memory.memories.vectors import MemoryVectors, Needed
from litellm_memory.text.chinese import simplified
from litellm_memory.text.cues import plain
from litellm_memory.text.words import is_english, read_by_encoder

T = TypeVar("T")
Index: TypeAlias = ScopeIndex | IndexBeside

PARTLY_ENGLISH: Final = 0.5
"""From this share of words in English letters on, the local model reads an English query, whoever it names."""
MOST_READ: Final = 400
"""Characters of a text that are read: one vector says little of a longer one."""
READABLE: Final = 50_000
"""Texts that are kept as the encoder reads them."""

NEEDED: Final = 0.8
"""The cosine that a need of probability 1 is worth. With it the default threshold lies at 0.44: of made-up blocks in 16
languages that the net has not seen, by folds, 83 % of the messages that need a memory then find it, and 0.4 % of
those about something else (docs/decisions/questions.md)."""
MOSTLY_ENGLISH: Final = 0.9
"""From this share of words in English letters on, the local model's table of token vectors is used."""


def english_share(text: str) -> float:
    """The share of the words of ``text`` in English letters; 0 when it is in another language."""
    return plain(text) if is_english(text) else 0.0


def by_need(signals: Signals, index: Index, text: str, needed: Needed) -> Signals | None:
    """The signals with the probability that ``text`` needs a memory in place of the cosine of its vector; None for a
    text that is not read."""
    if not read_by_encoder(text):
        return None
    memories = map(index.at, signals.positions.tolist())
    texts = [_readable(memory.text) if memory is not None else "" for memory in memories]
    likely = np.where([*map(bool, texts)], needed(simplified(text), texts), np.float32(0))
    return replace(signals, dense=np.float32(NEEDED) * likely)


@lru_cache(maxsize=READABLE)
def _readable(text: str) -> str:
    """What the encoder reads of a memory's text; nothing of one in a script that it does not read."""
    return simplified(text[:MOST_READ]) if read_by_encoder(text[:MOST_READ]) else ""


class Judging:
    """Searches by need, in threads: reading what is new takes longer than a request waits."""

    def __init__(self, vectors: MemoryVectors, threads: Executor) -> None:
        self._vectors = vectors
        self._threads = threads
        self._is_ready = False

    def make_ready(self, query: Query) -> None:
        """Loads what judges the queries of somebody of whom nothing is known yet: the next one may need what they say
        now."""
        needed = None if self._is_ready else self._needed(query)
        if needed is not None:
            self._is_ready = True
            self._threads.submit(needed, query.text[:MOST_READ], [])

    async def __call__(self, query: Query, search: Callable[[Needed], T]) -> T | None:
        """What ``search`` finds for a query that the local model cannot read, given what judges it.

        None where nothing judges that, or not in time: what is read meanwhile is known the next time.
        """
        needed = self._needed(query)
        if needed is None:
            return None
        judging = asyncio.get_running_loop().run_in_executor(self._threads, search, needed)
        # Asked for its exception, it logs none later: whatever the encoder raises, words alone find something too.
        judging.add_done_callback(_failed)
        await asyncio.wait([judging], timeout=self._vectors.query_vector_timeout_s)
        return judging.result() if judging.done() and not _failed(judging) else None

    def _needed(self, query: Query) -> Needed | None:
        if query.any_language or english_share(query.text) >= PARTLY_ENGLISH:
            return None
        return self._vectors.needed


def _failed(done: asyncio.Future[T]) -> bool:
    return done.cancelled() or done.exception() is not None
