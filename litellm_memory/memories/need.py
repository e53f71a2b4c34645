"""What a message needs of the memories, in the languages that the local model does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Final, TypeAlias, TypeVar

import numpy as np

from litellm_memory.index.beside import IndexBeside
from litellm_memory.index.ranking import Signals
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.memories.vectors import MemoryVectors, Needed
from litellm_memory.text.chinese import simplified
from litellm_memory.text.cues import plain
from litellm_memory.text.words import is_english, read_by_encoder

T = TypeVar("T")
Index: TypeAlias = ScopeIndex | IndexBeside

PARTLY_ENGLISH: Final = 0.5
"""From this share of words in English letters on, the local model reads an English query, whoever it names."""
MOST_CHARACTERS: Final = 400
"""Of a text that is read: one vector says little of a longer one."""
MOST_JUDGED: Final = 2000
"""Memories of a scope that are judged, the newest: all of them are read once, 1.3 ms each."""
MOST_WAITING: Final = 8
"""Queries that may wait for the thread; another is answered by words at once."""
READABLE: Final = 50_000
"""Texts that are kept as the encoder reads them."""
NEEDED: Final = 0.8
"""The cosine that a need of probability 1 is worth. With it the default threshold lies at 0.44: of made-up blocks in 16
languages that the net has not seen, by folds, 81 % of the messages that need a memory then find it, and 0.4 % of
those about something else (docs/decisions/questions.md)."""


def english_share(text: str) -> float:
    """The share of the words of ``text`` in English letters; 0 when it is in another language."""
    return plain(text) if is_english(text) else 0.0


def by_need(signals: Signals, index: Index, text: str, needed: Needed) -> Signals:
    """The signals with the probability that ``text`` needs a memory in place of the cosine of its vector."""
    rows = signals.positions[-MOST_JUDGED:].tolist()
    memories = map(index.at, rows)
    texts = [_readable(memory.text[:MOST_CHARACTERS]) if memory is not None else "" for memory in memories]
    likely = np.zeros(len(signals.positions), np.float32)
    judged = needed(simplified(text[:MOST_CHARACTERS]), texts)
    likely[len(likely) - len(rows) :] = np.where([*map(bool, texts)], judged, np.float32(0))
    return replace(signals, dense=np.float32(NEEDED) * likely)


@lru_cache(maxsize=READABLE)
def _readable(text: str) -> str:
    """What the encoder reads of a memory's text; nothing of one in a script that it does not read."""
    return simplified(text) if read_by_encoder(text) else ""


class Judging:
    """Searches by need, in a thread of their own: reading what is new takes longer than a request waits."""

    def __init__(self, vectors: MemoryVectors) -> None:
        self._vectors = vectors
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="litellm-memory-need")
        self._waiting = 0
        self._is_ready = False

    def close(self) -> None:
        """Ends the thread after its current search."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def judges(self, text: str) -> bool:
        """True for a query that the local model cannot read, where something else does."""
        return (
            self._vectors.needed is not None
            and not self._vectors.read_any_language
            and english_share(text) < PARTLY_ENGLISH
            and read_by_encoder(text[:MOST_CHARACTERS])
        )

    def make_ready(self, text: str) -> None:
        """Loads what judges the queries of somebody of whom nothing is known yet: the next one may need what they say
        now."""
        if not self._is_ready and self._vectors.needed is not None and self.judges(text):
            self._is_ready = True
            self._thread.submit(self._vectors.needed, text[:MOST_CHARACTERS], [])

    async def __call__(self, search: Callable[[Needed], T]) -> T | None:
        """What ``search`` finds, given what judges a need.

        None when that is not there in time, or when many wait: what is read meanwhile is known the next time.
        """
        needed = self._vectors.needed
        if needed is None or self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        judging = asyncio.get_running_loop().run_in_executor(self._thread, search, needed)
        # Asked for its exception, it logs none later: whatever the encoder raises, words alone find something too.
        judging.add_done_callback(self._done)
        await asyncio.wait([judging], timeout=self._vectors.query_vector_timeout_s)
        if not judging.done():
            judging.cancel()  # One that has not begun never does.
            return None
        return None if _failed(judging) else judging.result()

    def _done(self, judging: asyncio.Future[T]) -> None:
        self._waiting -= 1
        _failed(judging)


def _failed(done: asyncio.Future[T]) -> bool:
    return done.cancelled() or done.exception() is not None
