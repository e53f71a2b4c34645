"""Everything assembled once from Settings: what happens before and after a call, opening and closing."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from litellm_memory.care.erasure import Erasure
from litellm_memory.care.retention import Retention
from litellm_memory.embedding import Embedders, EmbeddingModels
from litellm_memory.errors import LiteLLMMemoryError, StoreError, StoreMovedError
from litellm_memory.identity import Refusal, identify, partition_of, told_checkouts
from litellm_memory.identity.headers import Wishes, read_headers
from litellm_memory.learn.by_model import ChatModels, ModelLearner
from litellm_memory.learn.learner import Learner
from litellm_memory.ledger import Candidate, Ledger, LedgerError, Trace
from litellm_memory.memories import Count, Memories
from litellm_memory.models import (
    Block,
    Body,
    Caller,
    Earlier,
    Exchange,
    Kind,
    Place,
    Recalled,
    Reply,
    Scope,
    Status,
    Turn,
)
from litellm_memory.recall import LeftOut, Query, Recall
from litellm_memory.redact import redact, redacted
from litellm_memory.render import render
from litellm_memory.request.kinds import classify, is_trivial
from litellm_memory.request.marks import Said, said_in
from litellm_memory.settings import Settings, takes_part, vendor_of
from litellm_memory.store import Store, open_known_store, open_store
from litellm_memory.wire import WireFormat, recognise
from litellm_memory.wire.inject import with_blocks
from litellm_memory.wire.positions import with_block_at

logger = logging.getLogger(__name__)

T = TypeVar("T")

FOLLOW_SECONDS = 1.0
"""How often a worker looks for what the others wrote."""
PRUNE_EVERY = 3600
"""Rounds of following between two prunings of the ledger."""
LOOK_EVERY = 5
"""Rounds of following after which the store is looked at and uses are written down: many uses are one write."""
REOPEN_SECONDS = 2.0
CLOSE_SECONDS = 2.0
"""How long closing waits for answers that are being noted."""
SHORT = 2000
"""Characters or bytes up to which a text is redacted and an answer is read at once (0.3 ms): a thread costs as much."""
LONGEST_QUERY = 2000
"""Characters of a message that are searched for: the model reads 256 tokens, and words need no more."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as LiteLLM hands it over: authenticated, not yet sent. Header names are in lower case."""

    id: str
    call_type: str
    route: str | None
    headers: Mapping[str, str]
    body: Body
    caller: Caller
    models: tuple[str, ...] = ()
    """The model asked for and every fallback that the call may reach."""
    no_logging: bool = False
    """LiteLLM was told not to keep this call's messages."""
    dry: bool = False
    """Nothing of it is kept: no block is frozen, nothing is journalled or traced."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What memory did to a request. ``body`` None: nothing, send what the client sent."""

    status: Status
    reason: str
    body: dict[str, Any] | None = None
    count: int = 0
    tokens: int = 0
    kind: Kind | None = None
    mark: str | None = None
    """The person's message that this call answers; None when there is none."""
    learns: bool = False
    """The answer is to be learned from."""
    journalled: asyncio.Task[None] | None = None
    """Done once the person's words are on their way to the journal."""
    format: WireFormat | None = None
    namespace: str = ""
    scope: Scope | None = None
    carried: tuple[str, ...] = ()
    """The memories that the conversation carries after this call."""
    block: str = ""
    """The text that this call's newest message was given; empty when that is none."""
    stages: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds that memory took, by stage."""
    unreadable: int = 0
    """How many memory headers could not be read."""
    trace: Trace | None = None
    """Of a dry run: what was done and why; None where it is not known whose memory it is."""


@dataclass(slots=True)
class _Notes:
    """What is found on the way and tells afterwards why: the query, what came of it, and milliseconds by stage."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    query: Query | None = None
    recalled: Sequence[Recalled] = ()
    left_out: list[LeftOut] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    journalled: asyncio.Task[None] | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what happens inside."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = round((time.perf_counter() - begun) * 1000, 3)

    def candidates(self) -> tuple[Candidate, ...]:
        """What was recalled, then what was left out, each in falling score."""
        kept = [Candidate(item.memory.id, round(item.score, 4), dict(item.why)) for item in self.recalled]
        rest = [Candidate(item.memory.id, round(item.score, 4), {}, item.reason) for item in self.left_out]
        return (*kept, *rest)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A request understood: the format, the conversation, whose memory, what sort of request."""

    request: Request
    format: WireFormat
    turn: Turn
    wishes: Wishes
    scope: Scope
    kind: Kind
    reason: str
    said: Sequence[Said]
    earlier: Earlier | None = None
    """Where the part of the conversation stands that the server keeps."""
    notes: _Notes = field(default_factory=_Notes)

    @property
    def mark(self) -> str | None:
        """The person's message that the answer will belong to; None when it belongs to none."""
        if self.kind not in ("person", "continuation"):
            return None
        if self.said:
            return self.said[-1].mark
        return self.earlier.mark if self.earlier else None

    @property
    def whose(self) -> dict[str, str]:
        """Whose the block is that is frozen for this call, as the ledger asks."""
        return {"namespace": self.scope.namespace, "call": self.request.id}


class Models(EmbeddingModels, ChatModels, Protocol):
    """The models that LiteLLM can call."""


@dataclass(slots=True)
class Health:
    """What works. Each field but ``opened`` is None when all is well, else one sentence that says what to do."""

    opened: bool = False
    ledger: str | None = None
    store: str | None = "The store of memories is still opening."
    model: str | None = None
    wrap: str | None = None
    sidecar: str | None = None

    def problems(self) -> dict[str, str]:
        """The sentences by part; empty when all is well."""
        parts = {name: getattr(self, name) for name in ("ledger", "store", "model", "wrap", "sidecar")}
        return {name: sentence for name, sentence in parts.items() if sentence is not None}

    @property
    def ready(self) -> bool:
        """True when memories are recalled and learned, if perhaps by words alone."""
        return self.opened and self.ledger is None and self.store is None


@dataclass
class Engine:
    """Memory for one proxy worker. Build it with ``Engine.build``; call ``open`` from its event loop."""

    settings: Settings
    ledger: Ledger
    memories: Memories
    recall: Recall
    learner: Learner
    embedders: Embedders
    erasure: Erasure
    retention: Retention
    health: Health = field(default_factory=Health)
    models: Models | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _answers: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    def build(cls, settings: Settings, *, count: Count, models: Models | None = None) -> Engine:
        """An engine with its ledger open; quick and synchronous, so that nothing that is said from now on is lost.

        When the disk does not allow that, ``health`` says so, and ``open`` tries again. ``models`` are needed for an
        embedder other than the local one, and for learning by model. Raises SettingsError.
        """
        ledger = Ledger(settings.ledger_url)
        health = Health()
        with suppress(LedgerError):
            ledger.connect()
        memories = Memories(ledger, count=count)
        embedders = Embedders(settings, models)
        recall, learner = Recall(memories, ledger.paths), Learner(ledger, memories)
        erasure = Erasure(ledger, memories, settings.data_dir)
        retention = Retention(ledger, memories)
        engine = cls(settings, ledger, memories, recall, learner, embedders, erasure, retention, health, models)
        engine.use(settings)
        return engine

    def use(self, settings: Settings) -> None:
        """From now on these settings hold; what needs a restart stays as it was."""
        self.settings = settings
        self.memories.patience = min(settings.embedding.timeout_ms, settings.recall.deadline_ms * 2 / 3) / 1000
        self.memories.glance = settings.recall.deadline_ms / 3 / 1000
        self.learner.settings = settings.learn
        self.retention.settings = settings.retention

    def open(self) -> None:
        """Starts opening what is not open and, once all is, learning. Does not wait."""
        self.spawn(self._open())

    async def aclose(self) -> None:
        """Ends what runs, commits what waits and closes; what is not learned yet stays in the journal."""
        if self._answers:
            await asyncio.wait(self._answers, timeout=CLOSE_SECONDS)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.ledger.aclose()
        await self.memories.aclose()
        self.recall.close()
        self.embedders.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs ``work`` beside the requests until it ends or the engine closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("Work beside the requests failed (%s).", type(error).__name__)
            logger.debug("Work beside the requests failed", exc_info=error)

    @property
    def answering(self) -> int:
        """How many answers are being noted."""
        return len(self._answers)

    @property
    def _replay_seconds(self) -> float:
        """How long blocks that are not in RAM may be looked for: as long as recall, because a miss costs the cache."""
        return self.settings.recall.deadline_ms / 1000

    # Before a call

    async def before(self, request: Request) -> Outcome:
        """What to send instead of ``request.body``, and what to tell the client about it."""
        begun = time.perf_counter()
        try:
            reading = await self._read(request)
        except LedgerError as error:
            return Outcome("error", _name(error))
        if isinstance(reading, Outcome):
            self._trace_refusal(request, reading)
            return reading
        reading.notes.stages["read"] = round((time.perf_counter() - begun) * 1000, 3)
        learns = self._accept(reading)
        outcome = await self._remembered(reading)
        if not request.dry:
            self.ledger.traces.add(partial(_trace, reading, outcome))
        return replace(
            outcome,
            kind=reading.kind,
            mark=reading.mark,
            learns=learns,
            format=reading.format,
            namespace=reading.scope.namespace,
            journalled=reading.notes.journalled,
            scope=reading.scope,
            stages=reading.notes.stages,
            unreadable=len(reading.wishes.unreadable),
            trace=_trace(reading, outcome) if request.dry else None,
        )

    def _trace_refusal(self, request: Request, outcome: Outcome) -> None:
        """Notes why memory kept out of a conversation; of nobody, where it is not known whose it is."""
        partition = partition_of(request.caller, self.settings.identity.partition)
        if request.dry or partition is None or outcome.reason == "unknown_shape":
            return
        scope, at = outcome.scope or Scope(partition, ""), datetime.now(UTC)
        model = request.models[0] if request.models else None
        self.ledger.traces.add(
            lambda: Trace(
                request.id,
                at,
                scope.partition,
                scope.user,
                scope.namespace,
                outcome.status,
                outcome.reason,
                model=model,
                route=request.route,
            )
        )

    async def _read(self, request: Request) -> _Reading | Outcome:
        """The request understood, or why memory keeps out of it."""
        settings = self.settings
        format = recognise(request.call_type, request.route, request.body)
        turn = format.read(request.body) if format else None
        if format is None or turn is None:
            return Outcome("skipped", "unknown_shape")
        if not all(takes_part(model, settings.models) for model in request.models or (turn.model,)):
            return Outcome("off", "model_excluded")
        if not takes_part(request.caller.key_alias, settings.keys):
            return Outcome("off", "key_excluded")
        wishes = read_headers(request.headers, settings.identity)
        if wishes.refused:
            return Outcome("skipped", wishes.refused)
        scope = identify(request.caller, request.headers, wishes, turn, settings.identity)
        if isinstance(scope, Refusal):
            return Outcome("skipped", scope.reason)
        if vendor_of(request.models or (turn.model,), settings.vendor_memory):
            return Outcome("off", "vendor_memory", scope=scope)
        kind, reason = classify(turn, request.headers, settings.kinds)
        earlier = await self._earlier(turn.previous, scope) if turn.previous else None
        said = said_in(turn, scope, self.ledger.key, after=earlier.mark if earlier else "")
        return _Reading(request, format, turn, wishes, await self._joined(scope), kind, reason, said, earlier)

    async def _joined(self, scope: Scope) -> Scope:
        """``scope`` with its project by the name that all clients of the user share; as told when that takes long."""
        if scope.project is None:
            return scope
        try:
            async with asyncio.timeout(self._replay_seconds):
                names = await self.ledger.paths.names(scope.namespace, scope.project, scope.path, now=datetime.now(UTC))
        except (TimeoutError, LiteLLMMemoryError):
            return scope
        return replace(scope, project=names.project)

    async def _earlier(self, previous: str, scope: Scope) -> Earlier:
        """Where the conversation stands that the server keeps up to its answer ``previous``."""
        try:
            async with asyncio.timeout(self._replay_seconds):
                known = await self.ledger.earlier(previous, namespace=scope.namespace)
        except (TimeoutError, LiteLLMMemoryError):
            known = None
        # An answer that memory did not see still tells this conversation from others.
        return known or Earlier(previous)

    def _accept(self, reading: _Reading) -> bool:
        """True when this call is learned from; a person's new words are then on their way to the journal."""
        request = reading.request
        switched_off = not (self.settings.remember and request.caller.remember) or reading.wishes.store is False
        unlogged = request.no_logging and not self.settings.learn.despite_no_logging
        if reading.mark is None or switched_off or unlogged:
            return False
        if request.dry:
            return True
        self.ledger.paths.note(reading.scope.namespace, told_checkouts(reading.scope, request.headers))
        if reading.kind == "person":
            reading.notes.journalled = self.spawn(self._journal(reading, reading.said[-1]))
        return True

    async def _journal(self, reading: _Reading, last: Said) -> None:
        """Journals the person's words, redacted; off the event loop, because a paste may be long."""
        text = await self._off_loop(len(last.text), partial(self._redacted, last.text))
        request = reading.request
        model = request.models[0] if request.models else None
        self.ledger.accept(Exchange(request.id, reading.scope, last.mark, text, reading.notes.at, model))

    async def _remembered(self, reading: _Reading) -> Outcome:
        """The request with the blocks of earlier turns put back and, for new words of a person, one more."""
        if not (self.settings.inject and reading.request.caller.inject):
            return Outcome("off", "inject_off")
        if reading.wishes.inject is False:
            return Outcome("off", "header")
        if not reading.said:
            return Outcome("skipped", reading.reason)
        marks = [said.mark for said in self._carriers(reading)]
        try:
            async with asyncio.timeout(self._replay_seconds):
                with reading.notes.stage("replay"):
                    frozen = await self._frozen(reading, marks)
        except TimeoutError:
            return self._without_ledger(reading, marks, "late", "replay")
        except LiteLLMMemoryError as error:
            return self._without_ledger(reading, marks, "error", _name(error))
        if reading.kind != "person":
            return self._outcome(reading, frozen, "skipped", reading.reason)
        last = reading.said[-1]
        before = frozen.get(last.mark)
        if before is not None and not before.answered:
            return self._outcome(reading, frozen, "empty", "frozen")
        earlier = {mark: block for mark, block in frozen.items() if mark != last.mark}
        block, status, reason = await self._new_block(reading, last, earlier, otherwise=before or Block(last.mark))
        return self._outcome(reading, {**earlier, block.mark: block}, status, reason)

    async def _frozen(self, reading: _Reading, marks: Sequence[str]) -> dict[str, Block]:
        """The blocks of these messages. That of new words need not be looked for: what was frozen stands, and
        ``freeze`` tells."""
        at_hand = self.ledger.at_hand(marks)
        if reading.kind == "person" and not reading.request.dry and set(marks[:-1]) <= at_hand.keys():
            return at_hand
        return await self.ledger.frozen(marks)

    def _without_ledger(self, reading: _Reading, marks: Sequence[str], status: Status, reason: str) -> Outcome:
        """The blocks that RAM holds; most often it is only the newest message that it does not know."""
        if reading.kind == "person":
            self._give_up(reading, Block(marks[-1]))
        return self._outcome(reading, self.ledger.at_hand(marks), status, reason)

    def _carriers(self, reading: _Reading) -> Sequence[Said]:
        """The messages that carry a block: all of them where blocks are put back, else the newest alone."""
        return reading.said if self.settings.recall.position == "turn" else reading.said[-1:]

    def _outcome(self, reading: _Reading, frozen: Mapping[str, Block], status: Status, reason: str) -> Outcome:
        """The body with every frozen block in its place; a request that got nothing but earlier blocks was replayed."""
        given = [(said, block) for said in reading.said if (block := frozen.get(said.mark)) is not None and block.text]
        carried = _carried((block for _, block in given), reading.earlier)
        if not given:
            return Outcome(status, reason, carried=carried)
        return Outcome(
            "replayed" if status in ("empty", "skipped") else status,
            reason,
            carried=carried,
            block=given[-1][1].text if given[-1][0] is reading.said[-1] else "",
            body=self._placed(reading, [(said.place, block.text) for said, block in given]),
            count=sum(len(block.given) for _, block in given),
            tokens=sum(block.tokens for _, block in given),
        )

    def _placed(self, reading: _Reading, given: Sequence[tuple[Place, str]]) -> dict[str, Any]:
        position, body = self.settings.recall.position, reading.request.body
        if position == "turn":
            return with_blocks(body, given)
        [(last, block)] = given
        return with_block_at(
            body, reading.format, reading.turn, position, block, first=reading.said[0].place, last=last
        )

    async def _new_block(
        self, reading: _Reading, last: Said, earlier: Mapping[str, Block], *, otherwise: Block
    ) -> tuple[Block, Status, str]:
        """The block for a person's new message, durable before it is used; ``otherwise`` when that took too long."""
        try:
            async with asyncio.timeout(self.settings.recall.deadline_ms / 1000):
                block, reason = await self._recalled(reading, last, earlier)
                if not reading.request.dry:
                    self.memories.used(given.memory for given in block.given)
                return block, "injected" if block.text else "empty", reason
        except TimeoutError:
            status: Status = "late"
            reason = "deadline"
        except LiteLLMMemoryError as error:
            status, reason = "error", _name(error)
        except BaseException:
            self._give_up(reading, otherwise)
            raise
        self._give_up(reading, otherwise)
        return otherwise, status, reason

    def _give_up(self, reading: _Reading, otherwise: Block) -> None:
        """Freezes what the message had before, in place of what may still be on its way."""
        if not reading.request.dry:
            self.ledger.give_up(otherwise, **reading.whose)

    async def _recalled(self, reading: _Reading, last: Said, frozen: Mapping[str, Block]) -> tuple[Block, str]:
        """The block that stands for a person's new message, and why it is as it is."""
        notes, wanted = reading.notes, reading.wishes.query or last.text
        if is_trivial(wanted):
            return await self._stands(reading, Block(last.mark)), "trivial"
        notes.query = self._query(reading, wanted, frozen)
        with notes.stage("recall"):
            notes.recalled = await self.recall(notes.query, now=notes.at, left_out=notes.left_out)
        size = sum(item.memory.characters for item in notes.recalled)
        block = await self._off_loop(size, partial(self._block, reading, last, notes.recalled))
        return await self._stands(reading, block), "recalled" if notes.recalled else "nothing_relevant"

    async def _stands(self, reading: _Reading, block: Block) -> Block:
        """What stands once ``block`` is frozen; itself in a dry run."""
        if reading.request.dry:
            return block
        with reading.notes.stage("freeze"):
            return await self.ledger.freeze(block, **reading.whose)

    def _block(self, reading: _Reading, last: Said, recalled: Sequence[Recalled]) -> Block:
        if self.settings.learn.redact:
            # What is kept may be older than the rule that knows a secret.
            words = self.settings.learn.redact_words
            recalled = [replace(item, memory=redacted(item.memory, words)) for item in recalled]
        return render(
            recalled,
            self.settings.recall.format,
            mark=last.mark,
            layout=reading.wishes.layout,
            name_projects=reading.scope.project is None,
        )

    def _query(self, reading: _Reading, wanted: str, frozen: Mapping[str, Block]) -> Query:
        recall, wishes = self.settings.recall, reading.wishes
        return Query(
            text=wanted[:LONGEST_QUERY],
            scope=reading.scope,
            limit=_bounded(wishes.max_memories, recall.max_memories, recall.header_ceiling),
            tokens=_bounded(wishes.token_budget, recall.token_budget, recall.header_ceiling),
            min_score=recall.min_score,
            kinds=frozenset(wishes.kinds),
            tags=frozenset(wishes.tags),
            without=frozenset(_carried(frozen.values(), reading.earlier)),
            said=frozenset(said.mark for said in reading.said),
            layout=reading.wishes.layout,
            strict_projects=self.settings.identity.projects == "strict",
        )

    # After a call

    def after(self, outcome: Outcome, answer: Callable[[], Reply] | None, *, size: int = SHORT + 1) -> None:
        """Notes the answer to a call, of ``size`` bytes; ``answer`` reads it (None: the call failed). Does not wait."""
        if outcome.mark is not None:
            task = self.spawn(self._note_answer(outcome, outcome.mark, answer, size))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _note_answer(self, outcome: Outcome, mark: str, answer: Callable[[], Reply] | None, size: int) -> None:
        reply = await self._off_loop(size, partial(self._reply, answer)) if answer else None
        if outcome.journalled is not None:
            await outcome.journalled
        if reply is not None and reply.complete:
            self.ledger.settle(mark)
            if reply.id is not None:
                self.ledger.keep_answer(reply.id, Earlier(mark, outcome.carried), namespace=outcome.namespace)
        # After a tool call the turn goes on: its answer comes with a later request of the loop.
        learns = outcome.learns and not (reply is not None and reply.tools)
        if learns:
            if reply is not None and outcome.kind == "continuation":
                reply = replace(reply, tools=True)  # The turn used tools, if not in this answer.
            self.ledger.answered(mark, reply)
            self.learner.wake()

    def _reply(self, answer: Callable[[], Reply]) -> Reply:
        reply = answer()
        return replace(reply, text=self._redacted(reply.text))

    def _redacted(self, text: str) -> str:
        learn = self.settings.learn
        return redact(text, learn.redact_words) if learn.redact else text

    async def _off_loop(self, size: int, work: Callable[[], T]) -> T:
        """What ``work`` returns on a text of ``size``; in a thread, so that no other request waits for a long one."""
        return work() if size <= SHORT else await asyncio.to_thread(work)

    # Running

    async def open_data(self) -> None:
        """Opens ledger and store, once. Raises LiteLLMMemoryError with what to do when one of them cannot be opened."""
        await asyncio.to_thread(self.ledger.connect)
        self.health.ledger = None
        place, data_dir = self.settings.store, self.settings.data_dir
        store = await open_known_store(place, data_dir)
        if store is None:
            dimension = await self.embedders.dimension()
            store = await open_store(place, data_dir, embedder=self.embedders.identity, dimension=dimension)
        try:
            if place.mode == "embedded":
                await self.ledger.expect_store(store.id)
            await self._use(store)
        except BaseException:
            await store.aclose()
            raise
        self.health.opened, self.health.store = True, None

    async def _use(self, store: Store) -> None:
        """From now on memories are in ``store``, and the embedder that made its vectors serves, where that may be."""
        embedder = await asyncio.to_thread(self.embedders.of, store.embedder)
        self.health.model = await asyncio.to_thread(self.embedders.problem, store.embedder)
        await self.memories.use(store, embedder)

    async def _open(self) -> None:
        """Opens ledger and store, trying again until they are there, then follows the other workers and learns."""
        while not self.health.opened:
            try:
                await self.open_data()
            except LiteLLMMemoryError as error:
                self._failed(error)
                await asyncio.sleep(REOPEN_SECONDS)
        self.spawn(self._warm_up())
        self.spawn(self.learner.run())
        if self.models is not None:
            self.spawn(ModelLearner(self.ledger, self.memories, self.learner, self.models).run())
        self.spawn(self.erasure.run())
        self.spawn(self.retention.run())
        await self._follow()

    async def _warm_up(self) -> None:
        with suppress(LiteLLMMemoryError):
            logger.debug("%d scopes were loaded at start.", await self.memories.warm_up())

    async def _follow(self) -> None:
        for round_ in itertools.count():
            try:
                await self.memories.follow()
                await self.memories.embed_missing()
                self.ledger.traces.flush()
                self.ledger.calls.flush()
                if round_ % LOOK_EVERY == 0 or self.health.store is not None:
                    await self.memories.store.health()
                    await self.memories.count_uses()
                if round_ % PRUNE_EVERY == 0:
                    kept = self.settings.traces
                    self.ledger.traces.prune(datetime.now(UTC), days=kept.keep_days, most=kept.max_count)
                    await self.ledger.prune(datetime.now(UTC), calls_days=self.settings.usage.keep_days)
                self.health.store, self.health.ledger = None, self.ledger.trouble
            except StoreMovedError:
                await self._use(await self.memories.store.reopened())
            except (StoreError, LedgerError) as error:
                self._failed(error)
            except Exception as error:
                logger.warning("What other workers wrote cannot be read (%s); trying again.", type(error).__name__)
            await asyncio.sleep(FOLLOW_SECONDS)

    def _failed(self, error: LiteLLMMemoryError) -> None:
        part = "ledger" if isinstance(error, LedgerError) else "store"
        if getattr(self.health, part) != str(error):
            logger.error("%s", error)
        setattr(self.health, part, str(error))


def _name(error: Exception) -> str:
    """The error's kind as a reason: ``StoreError`` is ``store``. Its text may name paths, so it stays in the log."""
    return type(error).__name__.removesuffix("Error").lower()


def _trace(reading: _Reading, outcome: Outcome) -> Trace:
    request, scope, notes = reading.request, reading.scope, reading.notes
    query = notes.query
    return Trace(
        id=request.id,
        at=notes.at,
        partition=scope.partition,
        user=scope.user,
        namespace=scope.namespace,
        status=outcome.status,
        reason=outcome.reason,
        kind=reading.kind,
        kind_reason=reading.reason,
        project=scope.project,
        session=scope.session,
        client=scope.client,
        model=request.models[0] if request.models else None,
        route=request.route,
        unreadable=reading.wishes.unreadable,
        count=outcome.count,
        tokens=outcome.tokens,
        carried=outcome.carried,
        limit=query.limit if query else None,
        budget=query.tokens if query else None,
        min_score=query.min_score if query else None,
        candidates=notes.candidates(),
        stages=notes.stages,
    )


def _carried(blocks: Iterable[Block], earlier: Earlier | None) -> tuple[str, ...]:
    """The memories that a conversation carries: in these blocks, and in what the server keeps of it."""
    kept = earlier.carried if earlier else ()
    return (*kept, *(given.memory for block in blocks for given in block.given))


def _bounded(wished: int | None, default: int, ceiling: float) -> int:
    """What a header wished for, at most ``ceiling`` times the default; the default when it wished for nothing."""
    return default if wished is None else max(0, min(wished, int(default * ceiling)))
