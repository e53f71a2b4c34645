"""An embedding model that LiteLLM calls: batched, redacted, cached, and with a circuit breaker."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from litellm_memory.embedding.embedder import RECIPE, Floats
from litellm_memory.errors import ModelCallError, RefusedTextError

logger = logging.getLogger(__name__)

BATCH = 64
"""Texts per call: below every provider's limit except Vertex's for Gemini. A rejected batch is halved."""
MAX_CONCURRENT = 4
"""Concurrency limit of the calls for one list of texts."""
MAX_CHARACTERS = 2000
"""Longest text in characters. Cohere on Bedrock takes no more, and a passage is seldom longer."""
RECENT = 1024
"""Size of the cache of query vectors by text, in RAM only."""
QUERY_SECONDS = 5.0
"""Timeout of a query's call, which continues after its caller gave up: the next one who asks the same gets its
vector."""
BATCH_SECONDS = 30.0
"""Timeout of a batch; no request waits for it."""
PAUSE_SECONDS = 10.0
"""Circuit breaker: for this long after a failure, queries use words only, so that no request waits for a model that is
down."""

_LAST_WORD = re.compile(r"(?<![!-~])[!-~]+\Z")
"""Only characters of which secrets are made: scripts without spaces lose nothing."""


class EmbeddingModels(Protocol):
    """The embedding models that LiteLLM can call."""

    def behind(self, model: str) -> str:
        """The provider and its own name of the model that is configured as ``model``. Raises ModelCallError."""

    async def vectors(
        self, model: str, texts: Sequence[str], *, asking: bool, dimensions: int | None, seconds: float
    ) -> list[list[float]]:
        """One vector per text; ``asking``: the texts are queries. Raises RefusedTextError, else ModelCallError."""


class RemoteModel:
    """One of LiteLLM's models as an embedder. ``clean`` removes secrets from everything it is sent."""

    def __init__(
        self, models: EmbeddingModels, model: str, *, clean: Callable[[str], str], dimensions: int | None = None
    ) -> None:
        self._models = models
        self._model = model
        self._clean = clean
        self._dimensions = dimensions
        self._recent: OrderedDict[str, Floats] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Floats]] = {}
        self._paused_until = 0.0

    @property
    def identity(self) -> str:
        """The provider's model, the chosen length, and the recipe."""
        length = f"@{self._dimensions}" if self._dimensions else ""
        return f"{self._models.behind(self._model)}{length}-{RECIPE}"

    async def measure(self) -> int:
        """The length of the model's vectors. Raises ModelCallError."""
        [vector] = await self._called(["length"], asking=False, seconds=BATCH_SECONDS)
        return len(vector)

    async def query(self, text: str) -> Floats | None:
        """The vector of a query; None while the circuit breaker is open. Raises ModelCallError.

        A caller that gives up does not cancel the call: the next one who asks the same gets its vector.
        """
        if (known := self._recent.get(text)) is not None:
            self._recent.move_to_end(text)
            return known
        if text not in self._asked:
            if asyncio.get_running_loop().time() < self._paused_until:
                return None
            self._asked[text] = task = asyncio.create_task(self._ask(text))
            # Retrieve the exception even when no caller waits any more: asyncio would log it as never retrieved.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._asked[text])

    async def documents(self, texts: Sequence[str]) -> list[Floats | None]:
        """One vector per text; None for a text that the model rejects. Raises ModelCallError when a call fails."""
        gate = asyncio.Semaphore(MAX_CONCURRENT)

        async def embedded(batch: Sequence[str]) -> list[Floats | None]:
            async with gate:
                return await self._accepted(await asyncio.to_thread(lambda: [self._sendable(text) for text in batch]))

        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        return list(chain.from_iterable(await asyncio.gather(*map(embedded, batches))))

    def close(self) -> None:
        """Cancels the calls in flight."""
        for task in list(self._asked.values()):
            task.cancel()

    async def _ask(self, text: str) -> Floats:
        try:
            [vector] = await self._called([self._sendable(text)], asking=True, seconds=QUERY_SECONDS)
        except ModelCallError:
            self._paused_until = asyncio.get_running_loop().time() + PAUSE_SECONDS
            raise
        finally:
            del self._asked[text]
        self._recent[text] = vector
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return vector

    async def _accepted(self, texts: Sequence[str]) -> list[Floats | None]:
        """The vectors of a batch; a rejected one is halved until the rejected texts are found."""
        try:
            return [*await self._called(texts, asking=False, seconds=BATCH_SECONDS)]
        except RefusedTextError:
            if len(texts) == 1:
                logger.warning("%s refuses a text; it is found by its words alone.", self._model)
                return [None]
            half = len(texts) // 2
            return [*await self._accepted(texts[:half]), *await self._accepted(texts[half:])]

    async def _called(self, texts: Sequence[str], *, asking: bool, seconds: float) -> list[Floats]:
        found = await self._models.vectors(
            self._model, texts, asking=asking, dimensions=self._dimensions, seconds=seconds
        )
        try:
            vectors = np.asarray(found, np.float32)
        except (TypeError, ValueError):
            # Not numbers, or of different lengths.
            vectors = np.empty(0, np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise ModelCallError(f"{self._model} did not answer with a vector for each text.")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-12))
        return list(unit)

    def _sendable(self, text: str) -> str:
        """The beginning of ``text`` without secrets; the text may be older than the rule that recognises them."""
        if len(text) >= MAX_CHARACTERS:
            # Drop the last word of a truncated text: half a secret would not be recognised.
            text = _LAST_WORD.sub("", text[:MAX_CHARACTERS])
        # JSON may carry a lone surrogate; providers reject an empty text.
        return self._clean(text)[:MAX_CHARACTERS].encode("utf-8", "replace").decode() or "-"
