"""An embedding model that LiteLLM calls: batched, redacted, remembered for a while, and left alone while it fails."""

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
"""Most texts of one call: below every provider's limit but Vertex's for Gemini. A refusal is answered by halves."""
AT_ONCE = 4
"""Calls under way at the same time for one list of texts."""
MAX_CHARACTERS = 2000
"""Of one text. Cohere on Bedrock takes no more, and a passage is seldom longer."""
RECENT = 1024
"""Vectors of queries that are kept with their texts, in RAM alone."""
QUERY_SECONDS = 5.0
"""How long a query's call may go on after nobody waits for it any more: its vector serves who asks again."""
BATCH_SECONDS = 30.0
PAUSE_SECONDS = 10.0
"""After a failure queries go by words at once for so long: no request waits for a model that is down."""

_LAST_WORD = re.compile(r"[!-~]+\Z")
"""Of signs that secrets are made of: scripts without spaces lose nothing."""


class EmbeddingModels(Protocol):
    """The embedding models that LiteLLM can call."""

    def behind(self, model: str) -> str:
        """The provider and its own name of the model that is configured as ``model``. Raises ModelCallError."""

    async def vectors(
        self, model: str, texts: Sequence[str], *, asking: bool, dimensions: int | None, seconds: float
    ) -> list[list[float]]:
        """A vector each; ``asking``: the texts are queries. Raises RefusedTextError, else ModelCallError."""


class RemoteModel:
    """One of LiteLLM's models as an embedder. ``clean`` takes secrets out of all that it is sent."""

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
        """How long the model's vectors are. Raises ModelCallError."""
        [vector] = await self._called(["length"], asking=False, seconds=BATCH_SECONDS)
        return len(vector)

    async def query(self, text: str) -> Floats | None:
        """The vector of what is searched for; None for a while after a failure. Raises ModelCallError.

        A caller that gives up waiting does not stop the call: whoever asks the same next finds its vector.
        """
        if (known := self._recent.get(text)) is not None:
            self._recent.move_to_end(text)
            return known
        if text not in self._asked:
            if asyncio.get_running_loop().time() < self._paused_until:
                return None
            self._asked[text] = task = asyncio.create_task(self._ask(text))
            # A failure that nobody waits for any more is still looked at.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._asked[text])

    async def documents(self, texts: Sequence[str]) -> list[Floats | None]:
        """A vector each; None for a text that the model refuses. Raises ModelCallError when a call fails."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def embedded(batch: Sequence[str]) -> list[Floats | None]:
            async with gate:
                return await self._accepted(await asyncio.to_thread(lambda: [self._sendable(text) for text in batch]))

        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        return list(chain.from_iterable(await asyncio.gather(*map(embedded, batches))))

    def close(self) -> None:
        """Gives up the calls under way."""
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
        """The vectors of a batch; a refused one is halved until it is known which texts the model refuses."""
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
            # Not numbers, or not of one length.
            vectors = np.empty(0, np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise ModelCallError(f"{self._model} did not answer with a vector for each text.")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-12))
        return list(unit)

    def _sendable(self, text: str) -> str:
        """The beginning of ``text`` without secrets, which may be older than the rule that knows them."""
        if len(text) >= MAX_CHARACTERS:
            # It is cut, here or before, and half a secret at the cut would not be recognised.
            text = _LAST_WORD.sub("", text[:MAX_CHARACTERS])
        # JSON may carry half a surrogate pair; providers refuse an empty text.
        return self._clean(text)[:MAX_CHARACTERS].encode("utf-8", "replace").decode() or "-"
