"""Learning by a model from conversations that went quiet: in batches, in the background, within a daily cap."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol

from litellm_memory.errors import LiteLLMMemoryError, ModelCallError, RefusedTextError
from litellm_memory.extract import Candidate, MemoryCommand, commands_in, targets_of
from litellm_memory.extract.answers import restates
from litellm_memory.extract.compare import compare
from litellm_memory.extract.model import SCHEMA, Grounded, MalformedAnswerError, facts_of, grounded, question
from litellm_memory.extract.pastes import own_prose
from litellm_memory.extract.turns import prose_says_enough
from litellm_memory.learn.guard import error_of
from litellm_memory.learn.learner import Learner
from litellm_memory.learn.making import memory_from
from litellm_memory.ledger import CallRecord, Learned, Ledger, QueuedExchange, Spent
from litellm_memory.memories import Memories
from litellm_memory.models import Exchange, Memory, Scope

logger = logging.getLogger(__name__)

CLIENT: Final = "litellm-memory"
"""The client name of the model's own calls in usage figures."""
LOOK_SECONDS: Final = 5.0
"""How often conversations that went quiet are looked for."""
CALL_SECONDS: Final = 90.0
"""Timeout of one call; nobody waits for it."""
BACKOFF_SECONDS: Final = (5.0, 60.0, 900.0)
"""Backoff after the first, second and third failed attempt; after the fourth, the words are dropped."""
MOST_CHARACTERS: Final = 24_000
"""At most this many characters of messages per call; the next call reads the rest."""
ANSWER_TOKENS: Final = 2_000
"""At most this many tokens of answer per call."""
FRAME_TOKENS: Final = 256
"""Allowance for what providers add around messages and a schema."""
CONFIDENCE: Final = 0.8
"""Of a fact that a model found: above 0.7, which a fact found by pattern has."""
UNSUPPORTED: Final = "a model says so, and it is not quite what the person said"


class Answer(Protocol):
    """A chat model's answer, with tokens in, tokens out and dollars; None where unknown."""

    @property
    def text(self) -> str: ...
    @property
    def sent(self) -> int | None: ...
    @property
    def answered(self) -> int | None: ...
    @property
    def cost(self) -> float | None: ...


class ChatModels(Protocol):
    """The chat models that LiteLLM can call."""

    async def complete(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        *,
        schema: Mapping[str, Any] | None,
        most_tokens: int,
        seconds: float,
    ) -> Answer:
        """One answer. Raises RefusedTextError when the model rejects the text, else ModelCallError."""

    async def prices(self, model: str) -> tuple[float, float]:
        """Dollars per input token and per output token, at the highest price."""


@dataclass(frozen=True, slots=True)
class _OverCapError(Exception):
    """The next call could exceed the cap of ``day``."""

    day: date


class ModelLearner:
    """Lets ``learn.model`` read the queue in the ledger; ``learner`` keeps the facts, like those found by pattern."""

    def __init__(self, ledger: Ledger, memories: Memories, learner: Learner, models: ChatModels) -> None:
        self._ledger = ledger
        self._memories = memories
        self._learner = learner
        self._models = models
        self._plain: set[str] = set()
        """Models that reject a schema: they are asked for JSON in the prompt only."""
        self._after = ""
        """The partition that was read last: nobody waits, for the day's cap either, behind all that another said."""
        self._full: date | None = None
        """The day for which the log already says that its cap is reached."""

    async def run(self) -> None:
        """Reads until cancelled. Failures are retried with backoff, and dropped in the end."""
        while True:
            error = await error_of(self._read_all())
            if isinstance(error, LiteLLMMemoryError):
                logger.warning("The model cannot learn: %s", error)
            elif error is not None:
                logger.error("Learning by model failed (%s).", type(error).__name__)
            await asyncio.sleep(min(LOOK_SECONDS, max(0.1, self._learner.settings.quiet_seconds)))

    async def _read_all(self) -> None:
        while self._learner.settings.model is not None and await self.read_one():
            pass

    async def read_one(self) -> bool:
        """Reads a batch of one conversation that went quiet; False when none waits."""
        quiet = timedelta(seconds=self._learner.settings.quiet_seconds)
        taken = await self._ledger.model_queue.take(datetime.now(UTC), quiet=quiet, after=self._after)
        if not taken:
            return False
        self._after = taken[0].exchange.scope.partition
        batch, rest = _first_of(taken)
        if rest:
            await self._ledger.model_queue.later(*_marks(rest), at=datetime.now(UTC), failed=False)
        error = await error_of(self._read([waiting.exchange for waiting in batch]))
        if error is None:
            await self._ledger.model_queue.done(*_marks(batch))
        elif isinstance(error, _OverCapError):
            await self._wait_for_tomorrow(batch, error.day)
        elif isinstance(error, ModelCallError | MalformedAnswerError):
            await self._try_again(batch, str(error))
        elif isinstance(error, LiteLLMMemoryError):
            # The store or the ledger fails for every conversation; this batch is taken again after its lease.
            raise error
        else:
            await self._try_again(batch, f"a defect ({type(error).__name__}).")
        return True

    async def _read(self, exchanges: Sequence[Exchange]) -> None:
        """Lets the model read these exchanges of one conversation, and keeps the facts."""
        told = {exchange.id: own_prose(exchange.text) for exchange in exchanges}
        worth = [exchange for exchange in exchanges if prose_says_enough(told[exchange.id])]
        if not worth:
            return
        said = [told[exchange.id] for exchange in worth]
        answer = await self._ask(question(said), worth[-1].scope)
        found = await asyncio.to_thread(grounded, facts_of(answer), said)
        await self._keep(worth, found)

    # Cost

    async def _ask(self, messages: Sequence[Mapping[str, str]], scope: Scope) -> str:
        """The model's answer. Raises _OverCapError before a call that could exceed the cap, else ModelCallError."""
        settings, day = self._learner.settings, datetime.now(UTC).date()
        model = settings.model
        if model is None:
            raise ModelCallError("learn.model is not set any more.")
        asked = await self._dearest(model, messages)
        most = Spent(
            settings.max_tokens_per_day,
            float("inf") if settings.max_cost_per_day is None else settings.max_cost_per_day,
        )
        if not await self._ledger.model_queue.reserve(day, asked, most=most):
            raise _OverCapError(day)
        begun = datetime.now(UTC)
        # The reservation for a failed call stays: the call may have cost that much, and nobody reports it.
        answer = await self._complete(model, messages)
        if answer.sent is not None and answer.answered is not None:
            cost = asked.cost if answer.cost is None else answer.cost
            await self._ledger.model_queue.settle(day, asked, Spent(answer.sent + answer.answered, cost))
        self._ledger.calls.note(_record(model, scope, answer, begun))
        return answer.text

    async def _dearest(self, model: str, messages: Sequence[Mapping[str, str]]) -> Spent:
        """The highest possible cost of a call: no tokenizer makes more tokens than the text has bytes."""
        sent = len(json.dumps([messages, SCHEMA], ensure_ascii=False).encode()) + FRAME_TOKENS
        for_sent, for_answer = await self._models.prices(model)
        return Spent(sent + ANSWER_TOKENS, sent * for_sent + ANSWER_TOKENS * for_answer)

    async def _complete(self, model: str, messages: Sequence[Mapping[str, str]]) -> Answer:
        schema = None if model in self._plain else SCHEMA
        try:
            return await self._models.complete(
                model, messages, schema=schema, most_tokens=ANSWER_TOKENS, seconds=CALL_SECONDS
            )
        except RefusedTextError:
            self._plain.add(model)
            raise

    async def _wait_for_tomorrow(self, batch: Sequence[QueuedExchange], day: date) -> None:
        if self._full != day:
            logger.warning("The model learns no more today: its cap of tokens or of cost is reached.")
            self._full = day
        tomorrow = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1)
        await self._ledger.model_queue.later(*_marks(batch), at=tomorrow, failed=False)

    async def _try_again(self, batch: Sequence[QueuedExchange], reason: str) -> None:
        """Postpones each exchange with backoff; those that failed too often are dropped."""
        logger.info("The model could not learn: %s", reason)
        spent = [waiting for waiting in batch if waiting.attempts >= len(BACKOFF_SECONDS)]
        if spent:
            logger.warning("%d exchanges are not read by the model: it failed too often: %s", len(spent), reason)
            await self._ledger.model_queue.done(*_marks(spent))
        for attempts, pause in enumerate(BACKOFF_SECONDS):
            waiting = [one for one in batch if one.attempts == attempts]
            at = datetime.now(UTC) + timedelta(seconds=pause)
            await self._ledger.model_queue.later(*_marks(waiting), at=at, failed=True)

    # Facts

    async def _keep(self, exchanges: Sequence[Exchange], found: Sequence[Grounded]) -> None:
        scope = exchanges[0].scope
        index = await self._memories.index(scope.partition, scope.user)
        made, dropped = memories_by_model(exchanges, found, index.all(), self._ledger.key)
        told: dict[str, list[Learned]] = {exchange.id: [] for exchange in exchanges}
        for exchange, learned in dropped:
            told[exchange.id].append(learned)
        for call, learned in await self._learner.keep(made):
            told[call].append(replace(learned, reason=f"by model: {learned.reason}".rstrip(": ")))
        self._ledger.traces.learned(told)


def memories_by_model(
    exchanges: Sequence[Exchange], found: Sequence[Grounded], known: Iterable[Memory], key: bytes
) -> tuple[list[tuple[Exchange, list[Memory]]], list[tuple[Exchange, Learned]]]:
    """The memories from a model's facts about these exchanges, and the facts that are dropped, with the reason."""
    there = [memory for memory in known if memory.kind != "episode"]
    made: list[tuple[Exchange, list[Memory]]] = []
    dropped: list[tuple[Exchange, Learned]] = []
    for place, exchange in enumerate(exchanges):
        commands = [command for later in exchanges[place:] for command in commands_in(later)]
        own = [memory for memory in there if memory.message == exchange.mark]
        memories: dict[str, Memory] = {}
        for fact in (one for one in found if one.place == place):
            reason = _why_dropped(fact, own, commands)
            if reason is None:
                memory = _memory(exchange, fact, key)
                memories[memory.id] = memory
            else:
                dropped.append((exchange, Learned("dropped", f"by model: {reason}", None, fact.fact.kind)))
        made.append((exchange, [*memories.values()]))
    return made, dropped


def _memory(exchange: Exchange, found: Grounded, key: bytes) -> Memory:
    fact = found.fact
    doubt = None if found.ground == "said" else UNSUPPORTED
    candidate = Candidate(fact.text, fact.kind, CONFIDENCE, about_person=fact.about_person, review=doubt)
    return memory_from(exchange, candidate, f"model {found.key}", key)


def _why_dropped(found: Grounded, from_message: Sequence[Memory], commands: Sequence[MemoryCommand]) -> str | None:
    """Why a fact is dropped; None when it is kept. Facts that patterns found in the same message are preferred."""
    if found.ground == "not said":
        return "the person did not say so"
    text = found.fact.text
    if any(restates(text, [memory.text]) or compare(text, memory.text).relation != "other" for memory in from_message):
        return "it is known from the same message"
    if any(targets_of(command, [text]) for command in commands):
        return "the person wished it away"
    return None


def _first_of(taken: Sequence[QueuedExchange]) -> tuple[list[QueuedExchange], list[QueuedExchange]]:
    """As many of the first exchanges as fit into one call, at least one; and the rest."""
    characters = 0
    for number, waiting in enumerate(taken):
        characters += len(waiting.exchange.text)
        if number and characters > MOST_CHARACTERS:
            return [*taken[:number]], [*taken[number:]]
    return [*taken], []


def _marks(waiting: Sequence[QueuedExchange]) -> list[str]:
    return [one.exchange.mark for one in waiting]


def _record(model: str, scope: Scope, answer: Answer, begun: datetime) -> CallRecord:
    return CallRecord(
        id=secrets.token_hex(16),
        at=begun,
        partition=scope.partition,
        user=scope.user,
        client=CLIENT,
        project=scope.project,
        model_asked=model,
        model=model,
        provider=None,
        kind="learning",
        stream=False,
        input_tokens=answer.sent or 0,
        output_tokens=answer.answered or 0,
        cached_tokens=0,
        memory_tokens=0,
        cost=answer.cost or 0.0,
        latency=(datetime.now(UTC) - begun).total_seconds(),
        first_token=None,
        status="success",
        error=None,
        retries=0,
        finish_reason=None,
        recalled=0,
    )
