"""The embedder as memories use it: fails open. Without a vector, words alone are searched."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from litellm_memory.embedding import Embedder, LocalModel, memory_vectors
from litellm_memory.errors import ModelCallError

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

Needed: TypeAlias = Callable[[str, Sequence[str]], Floats]
"""Tells of each text how probably a message needs it, in any language. It blocks the calling thread."""

ALONE: Final = timedelta(milliseconds=10)
"""A question that is younger has met no others before it: nobody waits while the event loop reads it by itself."""
PAUSE_SECONDS = 5.0
"""Backoff after a failure of the model, before memories without a vector are embedded again."""


class MemoryVectors:
    """Vectors of queries and of memories; None when the embedder is missing, times out or fails."""

    def __init__(self) -> None:
        self.query_vector_timeout_s = 0.1
        """Timeout of a query's vector; after it, words alone are searched."""
        self.mode: Literal["auto", "static", "full"] = "full"
        """The setting `embedding.query`."""
        self.has_loop = False
        """True where the event loop does nothing but search, so that it may read a question itself: to wake a thread
        for it and to be woken by it takes a millisecond on a virtual machine."""
        self.needed: Needed | None = None
        """Judges what the local model cannot read; None where nothing does."""
        self.failing = False
        """True from a failure of the model until its next answer."""
        self._embedder: Embedder | None = None
        self._retry_at = 0.0

    def use(self, embedder: Embedder | None) -> None:
        """Sets the embedder; None: there are no vectors."""
        self._embedder = embedder

    async def warm_up(self) -> None:
        """Loads a local model now, which the first question would otherwise wait for."""
        if isinstance(self._embedder, LocalModel):
            with suppress(ModelCallError):
                await self._embedder.query("warm")

    @property
    def available(self) -> bool:
        """True when there is an embedder that has not failed within PAUSE_SECONDS."""
        return self._embedder is not None and time.monotonic() >= self._retry_at

    @property
    def read_any_language(self) -> bool:
        """False without a model, and for the local one, whose vectors of texts in other languages are all similar."""
        return self._embedder is not None and not isinstance(self._embedder, LocalModel)

    def static_query(self, text: str) -> Floats | None:
        """An approximate vector of a query at once, from the local model's table; None where that is not to be used."""
        if self.mode == "full" or not isinstance(self._embedder, LocalModel):
            return None
        return self._embedder.static_query(text)

    async def query(self, text: str, *, asked: datetime | None = None) -> Floats | None:
        """The vector of a query that was asked then; None when the model is missing, times out or fails."""
        if self._embedder is None:
            return None
        try:
            async with asyncio.timeout(self.query_vector_timeout_s):
                vector = await self._asked(self._embedder, text, asked)
        except TimeoutError:
            return None
        except ModelCallError as error:
            self._failed(error)
            return None
        self.failing = self.failing and vector is None
        return vector

    async def _asked(self, embedder: Embedder, text: str, asked: datetime | None) -> Floats | None:
        if self.has_loop and isinstance(embedder, LocalModel):
            return await embedder.query(text, here=asked is not None and datetime.now(UTC) - asked < ALONE)
        return await embedder.query(text)

    async def documents(self, texts: Sequence[str]) -> list[Floats | None]:
        """One vector per text; None for all when the model is missing or fails, and for a text that it refuses."""
        if self._embedder is None or not texts:
            return [None] * len(texts)
        try:
            vectors = await memory_vectors(self._embedder, texts)
        except ModelCallError as error:
            self._failed(error)
            return [None] * len(texts)
        self.failing = False
        return vectors

    def _failed(self, error: ModelCallError) -> None:
        if not self.failing:
            logger.warning("The embedding model failed, so words alone are searched: %s", error)
        self.failing = True
        self._retry_at = time.monotonic() + PAUSE_SECONDS
