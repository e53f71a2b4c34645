"""The ledger: frozen blocks, the journal of what is not learned yet, and what changed lately. The only room of SQL."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, astuple, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    select,
    update,
)
from sqlalchemy import text as sql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool
from sqlalchemy.schema import CreateIndex, CreateTable

from litellm_memory.errors import SettingsError, StoreError
from litellm_memory.ledger.calls import GROUPINGS, CallRecord, Calls, Grouping, Quality, Usage
from litellm_memory.ledger.days import let_go
from litellm_memory.ledger.erasures import Erasures, Job, note_forgotten
from litellm_memory.ledger.figures import Figures
from litellm_memory.ledger.migrations import ASIDE, LedgerError, keep_copy, migrate, schema_of
from litellm_memory.ledger.model_queue import Spent, Unread, Unreads
from litellm_memory.ledger.partitions import Partitions
from litellm_memory.ledger.paths import Paths
from litellm_memory.ledger.rebuilding import fill_from, is_damaged
from litellm_memory.ledger.redaction import Mending
from litellm_memory.ledger.tables import (
    SCHEMA_VERSION,
    answers,
    blocks,
    changes,
    facts,
    figures,
    insert_all_new,
    insert_new,
    journal,
    learned,
    metadata,
    texts,
    upsert_all,
)
from litellm_memory.ledger.traces import Candidate, Learned, Trace, Traces
from litellm_memory.ledger.writer import Writer, kind_of
from litellm_memory.models import Block, Earlier, Exchange, Given, Reply, Scope
from litellm_memory.render import without

__all__ = [
    "ASIDE",
    "GROUPINGS",
    "CallRecord",
    "Candidate",
    "Grouping",
    "Job",
    "Learned",
    "Ledger",
    "LedgerError",
    "Quality",
    "Spent",
    "Trace",
    "Unread",
    "Usage",
    "fill_from",
    "is_damaged",
]

T = TypeVar("T")

BLOCKS_IN_RAM = 4096
NO_NAMESPACE = ""
BLOCKS_KEPT = timedelta(days=180)
"""A conversation that goes on after half a year is read by its provider anew in any case."""
BLOCKS_MOST = 1_000_000
FIGURES_KEPT = timedelta(days=90)
"""The counts of a host that is gone."""
CHANGES_KEPT = timedelta(hours=1)
SILENT = timedelta(minutes=15)
"""After this time an exchange of a worker on another host is taken over."""


class Ledger:
    """SQLite in WAL mode for all processes of one host, or any database that SQLAlchemy's URL names.

    Nothing of it works before ``connect`` has succeeded once. Raises SettingsError for a URL that names no database.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._writer = Writer(self._engine)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="litellm-memory-ledger-read")
        self._blocks: OrderedDict[str, Block] = OrderedDict()
        self.paths = Paths(self._read, self._writer.submit)
        self.partitions = Partitions(self._read, self._writer.submit)
        self.calls = Calls(self._read, self._writer.submit)
        self.traces = Traces(self._read, self._writer.submit, self.calls.learned)
        self.unread = Unreads(self._write)
        self.erasures = Erasures(self._read, self._write, _tell_erased)
        self.mending = Mending(self._read, self._write, _tell_mended)
        # A container's name changes with every start, and an SQLite ledger serves one host in any case.
        host = "" if self._engine.dialect.name == "sqlite" else socket.gethostname()
        self.figures = Figures(self._read, self._write, host=host)
        self._key: bytes | None = None
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    @classmethod
    def open(cls, url: str) -> Ledger:
        """An open ledger. Raises LedgerError, or SettingsError, with one sentence."""
        ledger = cls(url)
        try:
            ledger.connect()
        except BaseException:
            ledger.close()
            raise
        return ledger

    def connect(self) -> None:
        """Opens the database and makes its tables; does nothing when that was done. Raises LedgerError."""
        if self._key is not None:
            return
        try:
            _make_file(self._engine)
            _create(self._engine)
            self._key = bytes.fromhex(self._fact("key"))
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            usual = "check `ledger.url` and `data_dir`"
            raise LedgerError(f"The ledger cannot be opened ({kind_of(error)}); {_remedy(error, usual)}.") from None

    @property
    def key(self) -> bytes:
        """The key of every keyed hash: marks and memory ids cannot be guessed without it. Raises LedgerError."""
        if self._key is None:
            raise LedgerError("The ledger is not open yet.")
        return self._key

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written at this moment, in one sentence that says what to do; None when all is well."""
        if self._writer.failure is None:
            return None
        remedy = _remedy(self._writer.failure, "check its disk, and what else uses it")
        return f"The ledger cannot be written ({kind_of(self._writer.failure)}); {remedy}."

    async def aclose(self) -> None:
        """Commits what waits and closes."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Commits what waits and closes, in the calling thread."""
        self.traces.flush()
        self.calls.flush()
        self._writer.close()
        self._readers.shutdown()
        self._engine.dispose()

    # Frozen blocks

    async def frozen(self, marks: Sequence[str]) -> dict[str, Block]:
        """The blocks that were frozen for these marks, by mark; served from RAM where this process has them."""
        known = self.at_hand(marks)
        missing = [mark for mark in marks if mark not in known]
        if missing:
            for block in await self._read(lambda connection: _frozen(connection, missing)):
                self._remember(block)
                known[block.mark] = block
        return known

    def at_hand(self, marks: Sequence[str]) -> dict[str, Block]:
        """Those of these blocks that this process has in RAM, by mark."""
        return {mark: self._blocks[mark] for mark in marks if mark in self._blocks}

    async def freeze(self, block: Block, *, namespace: str, call: str) -> Block:
        """The block that stands for its mark once this returns: this one, unless another waits for its answer there."""
        stands = await self._write(lambda c: _freeze(c, block, namespace, call))
        self._remember(stands)
        return stands

    def give_up(self, instead: Block, *, namespace: str, call: str) -> None:
        """Freezes ``instead`` in place of whatever ``call`` may still freeze for its mark; does not wait.

        What another call froze for the mark stands.
        """
        self._blocks.pop(instead.mark, None)
        self._writer.submit(lambda c: _overwrite(c, instead, namespace, call))

    def _remember(self, block: Block) -> None:
        self._blocks[block.mark] = block
        self._blocks.move_to_end(block.mark)
        while len(self._blocks) > BLOCKS_IN_RAM:
            self._blocks.popitem(last=False)

    # Conversations that the server keeps

    async def earlier(self, answer: str, *, namespace: str) -> Earlier | None:
        """Where the conversation stands that goes on from the answer with this id; None for another namespace's."""
        # By way of the writer, behind the note of that answer: the next step of a tool loop follows at once.
        return await self._write(lambda c: _earlier(c, _digest(namespace, answer)))

    def keep_answer(self, answer: str, earlier: Earlier, *, namespace: str) -> Future[None]:
        """A future that is done once it is durable where a conversation that goes on from ``answer`` stands."""
        return self._writer.submit(lambda c: _keep_answer(c, _digest(namespace, answer), earlier, namespace))

    # The journal

    def accept(self, exchange: Exchange) -> Future[bool]:
        """A future that is True once the person's words are durable, False when this message was learned before."""
        return self._writer.submit_soon(lambda c: _accept(c, exchange, self.worker))

    def settle(self, mark: str) -> Future[None]:
        """Notes that the message with this mark was answered; a future that is done once that is durable."""
        if mark in self._blocks:
            self._remember(replace(self._blocks[mark], answered=True))
        return self._writer.submit_soon(lambda c: _settle(c, mark))

    def answered(self, mark: str, reply: Reply | None) -> Future[None]:
        """A future that is done once the answer is durable. ``reply`` None: the call failed, the words stand alone."""
        return self._writer.submit_soon(lambda c: _answered(c, mark, reply))

    async def ready(self, limit: int) -> list[Exchange]:
        """This worker's exchanges whose answer is known, oldest first; also those that were noted just now."""
        return await self._write(lambda c: _ready(c, self.worker, limit))

    async def done(self, *marks: str) -> None:
        """Marks messages as learned and drops their words from the journal."""
        await self._write(lambda c: _done(c, marks))

    async def adopt(self) -> int:
        """How many exchanges of workers that are gone became this worker's."""
        return await self._write(lambda c: _adopt(c, self.worker))

    async def unlearned(self) -> int:
        """How many exchanges wait in the journal, of all workers."""
        return await self._read(lambda c: int(c.scalar(select(func.count()).select_from(journal)) or 0))

    # Which memory holds a text

    async def claim(self, text: str, memory: str, *, namespace: str) -> str:
        """The id of the memory that holds this text (a keyed hash): ``memory``, or the one that claimed it first."""
        return await self._write(lambda c: _claim(c, text, memory, namespace))

    async def move_claim(self, text: str, memory: str, *, namespace: str) -> None:
        """``memory`` holds this text (a keyed hash) from now on, and no longer any other."""
        await self._write(lambda c: _move_claim(c, text, memory, namespace))

    async def forget(self, memories: Sequence[tuple[str, str]]) -> None:
        """Takes (namespace, memory id) pairs out of claims and frozen blocks, and tells the other workers."""
        pairs = list(memories)
        for mark in await self._write(lambda c: _forget(c, pairs)):
            self._blocks.pop(mark, None)

    # What changed

    async def tell(self, changed: Sequence[tuple[str, str]]) -> list[int]:
        """Tells the other workers that these (namespace, memory id) pairs changed; the numbers of these changes."""
        rows = list(changed)
        return await self._write(lambda c: _tell(c, rows))

    async def newest_change(self) -> int:
        """The number of the newest change; 0 when there is none."""
        return await self._read(lambda c: int(c.scalar(select(func.max(changes.c.seq))) or 0))

    async def changed_since(self, seq: int) -> list[tuple[int, str, str]]:
        """(number, namespace, memory id) of every later change, in order.

        A block that another worker froze anew is a change without a namespace; it leaves RAM here. So do the paths of a
        namespace that was erased, which is a change without a memory.
        """
        query = select(changes.c.seq, changes.c.namespace, changes.c.memory).where(changes.c.seq > seq)
        changed = await self._read(lambda c: [(r[0], r[1], r[2]) for r in c.execute(query.order_by(changes.c.seq))])
        for _, namespace, mark in changed:
            if namespace == NO_NAMESPACE:
                self._blocks.pop(mark, None)
            elif not mark:
                self.paths.drop(namespace)
        return changed

    # Retention

    async def prune(self, now: datetime, *, calls_days: int) -> int:
        """How many frozen blocks and answers of conversations that nobody goes on with, and old calls, were dropped."""
        return await self._write(lambda c: _prune(c, now) + let_go(c, now - timedelta(days=calls_days)))

    # One worker of many

    async def take_turn(self, work: str, *, every: timedelta, now: datetime) -> bool:
        """True for one caller in each period of ``every``, whichever worker or host it is on."""
        return await self._write(lambda c: _take_turn(c, f"turn:{work}", every, now))

    # The store

    async def expect_store(self, store_id: str) -> None:
        """Notes at its first call which store holds the memories that this ledger knows.

        Raises StoreError when that is another one, as when its files were lost and Chroma made new ones.
        """
        known = await self._write(lambda c: _store_of(c, store_id))
        if known != store_id:
            raise StoreError(
                "Chroma holds another store than the one that the ledger belongs to: restore both from one backup, or "
                "stop the proxy and run `litellm-memory check --rebuild` to go on with what is there."
            )

    def belongs_to(self, store_id: str) -> None:
        """From now on the memories are in this store, once that is durable. In the calling thread."""
        self._writer.submit(lambda c: upsert_all(c, facts, [{"name": "store", "value": store_id}])).result()

    async def scrub(self) -> None:
        """Writes an SQLite file anew without what was deleted, and empties its log; other writers wait meanwhile.

        Another database is its operator's to vacuum. Raises LedgerError.
        """
        if self._engine.dialect.name == "sqlite":
            try:
                await asyncio.to_thread(_scrub, self._engine)
            except SQLAlchemyError as error:
                raise LedgerError(f"The ledger's file cannot be written anew ({kind_of(error)}).") from None

    # Plumbing

    async def _read(self, read: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._engine.connect() as connection:
                return read(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)
        except SQLAlchemyError as error:
            raise LedgerError(f"The ledger cannot be read ({kind_of(error)}).") from None

    async def _write(self, write: Callable[[Connection], T]) -> T:
        return await self._written(self._writer.submit(write))

    async def _written(self, writing: Future[T]) -> T:
        try:
            return writing.result() if writing.done() else await asyncio.wrap_future(writing)
        except SQLAlchemyError as error:
            raise LedgerError(f"The ledger cannot be written ({kind_of(error)}).") from None

    def _fact(self, name: str) -> str:
        with self._engine.connect() as connection:
            return str(connection.scalar(select(facts.c.value).where(facts.c.name == name)))


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_size=4, pool_pre_ping=True)
        engine = create_engine(parsed, poolclass=QueuePool, pool_size=4)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        # Their own texts would show the URL, which may hold a password.
        raise SettingsError(
            f"litellm_memory.ledger.url: SQLAlchemy cannot use it ({kind_of(error)}): "
            "see whether it is written rightly and its driver is installed."
        ) from None

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        # WAL lets readers go on while one process writes; NORMAL survives a killed process, not always a power cut.
        for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _make_file(engine: Engine) -> None:
    """Makes the file of an SQLite ledger, for its owner alone, and the directory that it lies in."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        path = Path(engine.url.database)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)


def _create(engine: Engine) -> None:
    """Makes what is missing, and what is older new; safe when several workers start at once.

    Raises LedgerError for a newer schema, which is left as it is.
    """
    keep_copy(engine)
    with engine.begin() as connection:
        # Python's SQLite would make tables outside of the transaction.
        connection.execute(
            sql("BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "SELECT pg_advisory_xact_lock(8764)")
        )
        if version := schema_of(connection):
            migrate(connection, version)
        for table in metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
        insert_new(connection, facts, {"name": "schema", "value": str(SCHEMA_VERSION)})
        insert_new(connection, facts, {"name": "key", "value": secrets.token_hex(32)})


# What runs with every request is built once: building a statement costs SQLAlchemy more than running it.
_LEARNED = select(learned.c.mark).where(learned.c.mark == bindparam("of"))
_SETTLE = update(blocks).where(blocks.c.mark == bindparam("of")).values(answered=True)
_ANSWERED = update(journal).where(journal.c.mark == bindparam("of"))
_READY = (
    select(journal)
    .where(journal.c.worker == bindparam("of"), journal.c.answered.is_(True))
    .order_by(journal.c.said)
    .limit(bindparam("limit"))
)


def _frozen(connection: Connection, marks: Sequence[str] | Select[tuple[str]]) -> list[Block]:
    rows = connection.execute(select(blocks).where(blocks.c.mark.in_(marks)))
    return [Block(row.mark, row.text, tuple(Given(*given) for given in row.given), row.answered) for row in rows]


def _freeze(connection: Connection, block: Block, namespace: str, call: str) -> Block:
    row = _block_row(block, namespace, call)
    if insert_new(connection, blocks, row):
        return block
    [before] = _frozen(connection, [block.mark])
    if not before.answered:
        return before
    connection.execute(update(blocks).where(blocks.c.mark == block.mark).values(row))
    if replace(before, answered=False) != block:
        _tell(connection, [(NO_NAMESPACE, block.mark)])
    return block


def _block_row(block: Block, namespace: str, call: str) -> dict[str, Any]:
    return {
        "mark": block.mark,
        "namespace": namespace,
        "call": call,
        "text": block.text,
        "given": [astuple(given) for given in block.given],
        "answered": block.answered,
        "frozen": datetime.now(UTC),
    }


def _overwrite(connection: Connection, instead: Block, namespace: str, call: str) -> None:
    row = _block_row(instead, namespace, call)
    if not insert_new(connection, blocks, row):
        connection.execute(update(blocks).where(blocks.c.mark == instead.mark, blocks.c.call == call).values(row))


def _earlier(connection: Connection, answer: str) -> Earlier | None:
    row = connection.execute(select(answers).where(answers.c.answer == answer)).first()
    return Earlier(row.mark, tuple(row.carried)) if row else None


def _keep_answer(connection: Connection, answer: str, earlier: Earlier, namespace: str) -> None:
    about = {"mark": earlier.mark, "carried": list(earlier.carried), "at": datetime.now(UTC)}
    insert_new(connection, answers, {"answer": answer, "namespace": namespace, **about})


def _digest(namespace: str, answer: str) -> str:
    """An answer's id, in one namespace, in a length that a key may have: LiteLLM's have hundreds of characters."""
    return sha256(f"{namespace}:{answer}".encode("utf-8", "surrogatepass")).hexdigest()


def _settle(connection: Connection, mark: str) -> None:
    connection.execute(_SETTLE, {"of": mark})


def _accept(connection: Connection, exchange: Exchange, worker: str) -> bool:
    again = connection.scalar(_LEARNED, {"of": exchange.mark}) is not None
    row = {
        "mark": exchange.mark,
        "call": exchange.id,
        "scope": asdict(exchange.scope),
        "text": exchange.text,
        "said": exchange.said,
        "model": exchange.model,
        "answered": False,
        "reply": None,
        "reply_tools": False,
        "again": again,
        "worker": worker,
        "written": datetime.now(UTC),
    }
    if not insert_new(connection, journal, row):
        # The same message again before it was learned: the newest attempt's answer counts, in this worker.
        connection.execute(
            update(journal).where(journal.c.mark == exchange.mark).values(worker=worker, written=row["written"])
        )
    return not again


def _answered(connection: Connection, mark: str, reply: Reply | None) -> None:
    kept = reply if reply is not None and reply.complete and reply.text else None
    values: dict[str, Any] = {"answered": True, "written": datetime.now(UTC)}
    if kept is not None:
        values |= {"reply": kept.text, "reply_tools": kept.tools}
    connection.execute(_ANSWERED, {"of": mark, **values})


def _ready(connection: Connection, worker: str, limit: int) -> list[Exchange]:
    return [
        Exchange(
            id=row.call,
            scope=Scope(**row.scope),
            mark=row.mark,
            text=row.text,
            said=_aware(row.said),
            model=row.model,
            reply=Reply(row.reply, tools=row.reply_tools, complete=True) if row.reply else None,
            again=row.again,
        )
        for row in connection.execute(_READY, {"of": worker, "limit": limit})
    ]


def _done(connection: Connection, marks: Sequence[str]) -> None:
    now = datetime.now(UTC)
    insert_all_new(connection, learned, [{"mark": mark, "at": now} for mark in marks])
    connection.execute(delete(journal).where(journal.c.mark.in_(marks)))


def _adopt(connection: Connection, worker: str) -> int:
    now = datetime.now(UTC)
    held: dict[str, datetime] = {
        row[0]: _aware(row[1])
        for row in connection.execute(
            select(journal.c.worker, func.max(journal.c.written))
            .where(journal.c.worker != worker)
            .group_by(journal.c.worker)
        )
    }
    gone = [name for name, written in held.items() if _is_gone(name, silent=now - written > SILENT)]
    if not gone:
        return 0
    return int(
        connection.execute(
            update(journal).where(journal.c.worker.in_(gone)).values(worker=worker, answered=True)
        ).rowcount
    )


def _is_gone(worker: str, *, silent: bool) -> bool:
    """True when a worker of this host has ended, or one of another host has long said nothing."""
    host, pid, _ = worker.rsplit(":", 2)
    if host != socket.gethostname():
        return silent
    with suppress(PermissionError):
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
    return False


def _claim(connection: Connection, text: str, memory: str, namespace: str) -> str:
    if insert_new(connection, texts, {"text": text, "memory": memory, "namespace": namespace}):
        return memory
    return str(connection.scalar(select(texts.c.memory).where(texts.c.text == text)))


def _move_claim(connection: Connection, text: str, memory: str, namespace: str) -> None:
    connection.execute(delete(texts).where(texts.c.memory == memory))
    _claim(connection, text, memory, namespace)


def _forget(connection: Connection, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The marks of the blocks that something was cut out of."""
    gone = {memory for _, memory in pairs}
    connection.execute(delete(texts).where(texts.c.memory.in_(gone)))
    kept_in = select(blocks.c.mark).where(blocks.c.namespace.in_({namespace for namespace, _ in pairs}))
    cut = []
    for block in _frozen(connection, kept_in):
        if gone & {given.memory for given in block.given}:
            less = without(block, gone)
            values = {"text": less.text, "given": [astuple(given) for given in less.given]}
            connection.execute(update(blocks).where(blocks.c.mark == block.mark).values(values))
            cut.append(block.mark)
    _tell(connection, [*pairs, *((NO_NAMESPACE, mark) for mark in cut)])
    note_forgotten(connection, pairs)
    return cut


def _prune(connection: Connection, now: datetime) -> int:
    """Drops what is older than BLOCKS_KEPT, and the oldest beyond BLOCKS_MOST."""
    beyond = select(blocks.c.frozen).order_by(blocks.c.frozen.desc()).offset(BLOCKS_MOST).limit(1).scalar_subquery()
    old = [
        delete(blocks).where(blocks.c.frozen < now - BLOCKS_KEPT),
        delete(blocks).where(blocks.c.frozen <= beyond),
        delete(answers).where(answers.c.at < now - BLOCKS_KEPT),
        delete(figures).where(figures.c.host != "", figures.c.at < now - FIGURES_KEPT),
    ]
    return sum(connection.execute(statement).rowcount for statement in old)


def _tell(connection: Connection, changed: Sequence[tuple[str, str]]) -> list[int]:
    now = datetime.now(UTC)
    rows = [{"namespace": namespace, "memory": memory, "at": now} for namespace, memory in changed]
    if not rows:
        return []
    if connection.dialect.name == "postgresql":
        # Numbers have to become visible in their order, or a worker that read the later one misses the earlier.
        connection.execute(sql("LOCK TABLE changes IN SHARE ROW EXCLUSIVE MODE"))
    numbers = connection.scalars(changes.insert().returning(changes.c.seq), rows).all()
    connection.execute(delete(changes).where(changes.c.at < now - CHANGES_KEPT))
    return list(numbers)


REMEDIES = {
    "SQLITE_FULL": "free space on its disk",
    "SQLITE_READONLY": "let this user write to its directory",
    "SQLITE_CANTOPEN": "let this user write to its directory",
    "SQLITE_NOTADB": "restore a backup, or stop the proxy and run `litellm-memory check --rebuild`",
    "SQLITE_CORRUPT": "restore a backup, or stop the proxy and run `litellm-memory check --rebuild`",
}


def _remedy(error: Exception, usual: str) -> str:
    return next((remedy for name, remedy in REMEDIES.items() if kind_of(error).startswith(name)), usual)


def _store_of(connection: Connection, store_id: str) -> str:
    insert_new(connection, facts, {"name": "store", "value": store_id})
    return str(connection.scalar(select(facts.c.value).where(facts.c.name == "store")))


def _take_turn(connection: Connection, turn: str, every: timedelta, now: datetime) -> bool:
    # Times in UTC, all of one form: as texts they sort as they do as times.
    if insert_new(connection, facts, {"name": turn, "value": now.isoformat()}):
        return True
    due = facts.c.value <= (now - every).isoformat()
    taken = connection.execute(update(facts).where(facts.c.name == turn, due).values(value=now.isoformat()))
    return int(taken.rowcount) == 1


def _tell_erased(connection: Connection, namespace: str, marks: Sequence[str]) -> None:
    _tell(connection, [(namespace, ""), *((NO_NAMESPACE, mark) for mark in marks)])


def _tell_mended(connection: Connection, marks: Sequence[str]) -> None:
    _tell(connection, [(NO_NAMESPACE, mark) for mark in marks])


def _scrub(engine: Engine) -> None:
    """Raises SQLAlchemyError, also when readers do not let the log be emptied for as long as SQLite waits."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sql("VACUUM"))
        busy = connection.execute(sql("PRAGMA wal_checkpoint(TRUNCATE)")).scalar()
    if busy:
        raise OperationalError("wal_checkpoint", None, sqlite3.OperationalError("database is locked"))


def _aware(moment: datetime) -> datetime:
    """``moment`` in UTC; SQLite forgets the zone that it was given."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
