"""The models that LiteLLM can call, as the keeper reaches them: through a worker, which has the router and its keys."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from litellm_memory.errors import ModelCallError, RefusedTextError, StoreError
from litellm_memory.store.peer import CallFailedError, Peer

RETRY_SECONDS: Final = 1.0
"""Pause before a worker is asked again for the name of a model: its router is created after its callbacks."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A chat model's answer, as in ``llm.Completion``."""

    text: str
    sent: int | None
    answered: int | None
    cost: float | None


class WorkersModels:
    """Asks the worker that was here first; a worker that leaves is asked no more."""

    def __init__(self) -> None:
        self._workers: dict[Peer, None] = {}
        self._behind: dict[str, str] = {}

    def add(self, worker: Peer) -> None:
        """From now on this worker may be asked."""
        self._workers[worker] = None

    def drop(self, worker: Peer) -> None:
        """It has left."""
        self._workers.pop(worker, None)

    async def learn_names(self, model: str) -> None:
        """Asks what is behind the name of an embedder, until a worker knows."""
        while model != "local" and model not in self._behind:
            try:
                self._behind[model] = cast(str, await self._ask("behind", model))
            except ModelCallError:
                await asyncio.sleep(RETRY_SECONDS)

    def behind(self, model: str) -> str:
        """The provider and its name for ``model``. Raises ModelCallError for one that no worker told."""
        if model not in self._behind:
            raise ModelCallError(f"What is behind {model} is not known yet.")
        return self._behind[model]

    async def vectors(
        self, model: str, texts: Sequence[str], *, asking: bool, dimensions: int | None, seconds: float
    ) -> list[list[float]]:
        """As ``llm.Models.vectors``."""
        found = await self._ask("vectors", model, list(texts), asking, dimensions, seconds)
        return cast(list[list[float]], found)

    async def complete(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        *,
        schema: Mapping[str, Any] | None,
        most_tokens: int,
        seconds: float,
    ) -> Answered:
        """As ``llm.Models.complete``."""
        found = await self._ask("complete", model, [dict(one) for one in messages], schema, most_tokens, seconds)
        return Answered(*cast(tuple[str, int | None, int | None, float | None], found))

    async def prices(self, model: str) -> tuple[float, float]:
        """As ``llm.Models.prices``."""
        sent, answered = cast(tuple[float, float], await self._ask("prices", model))
        return sent, answered

    async def _ask(self, call: str, *arguments: object) -> object:
        worker = next(iter(self._workers), None)
        if worker is None:
            raise ModelCallError("No worker is here that could call a model.")
        try:
            return await worker.ask(call, *arguments)
        except CallFailedError as error:
            failed = RefusedTextError if error.kind == RefusedTextError.__name__ else ModelCallError
            raise failed(str(error) or f"The model cannot be asked ({error.kind}).") from None
        except (StoreError, ConnectionError):
            raise ModelCallError("The worker that was to call a model is gone.") from None


async def known_at_once(model: str) -> None:
    """For models of this process."""


async def answer(models: Any, call: str, *arguments: Any) -> object:
    """A worker's answer to one of these calls, from ``models``, which are LiteLLM's."""
    if call == "behind":
        return models.behind(*arguments)
    if call == "vectors":
        model, texts, asking, dimensions, seconds = arguments
        return await models.vectors(model, texts, asking=asking, dimensions=dimensions, seconds=seconds)
    if call == "complete":
        model, messages, schema, most_tokens, seconds = arguments
        done = await models.complete(model, messages, schema=schema, most_tokens=most_tokens, seconds=seconds)
        return done.text, done.sent, done.answered, done.cost
    if call == "prices":
        return await models.prices(*arguments)
    raise StoreError(f"This worker does not know {call!r}: restart the proxy.")
