"""The worker's side of the socket to the owner process, which is started when none runs."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from litellm_memory.errors import LiteLLMMemoryError, StoreError
from litellm_memory.files.address import failed_since, is_private, read_record, why_ended, why_silent
from litellm_memory.store import frames

OPEN_SECONDS = 30.0
"""Timeout for reaching or starting an owner: a large store takes seconds to open."""
IDLE_SECONDS = 10.0
"""How long a started owner outlives its last worker: long enough for a proxy that restarts."""

POLL_SECONDS = 0.02
"""Interval between two checks for the socket of an owner that is starting."""
START_SECONDS = 1.0
"""When a started owner loses the race for the lock, another is started only after this long: the winner may be slow."""
TEND_SECONDS: Final = 1.0
"""How often those that keep a connection look whether it is still there."""
PAUSE_SECONDS = 5.0
"""Backoff after a failed opening: calls fail at once for this long, so that a broken directory does not burn CPU."""

_GONE = "The owner process of the memory store has ended: the next call starts another."
OWNER: Final = "litellm_memory.keeper"
"""The module that is run for a data directory."""
MALLOC: Final = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "4194304", "MALLOC_MMAP_THRESHOLD_": "4194304"}
"""For glibc: few arenas for the many threads of Chroma, and what a large round or a model's loading took is given
back. Not what the encoder takes for one batch, some MiB: asking the kernel for them anew costs a fifth of its time."""
ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}
"""For numpy, whose further threads would wait for work by spinning, on cores that the proxy needs."""


class EndedError(StoreError):
    """The owner ended before it answered."""


Answer: TypeAlias = Callable[..., Awaitable[object]]
"""Answers a call of the owner's, by its name and its arguments."""


class Link:
    """A connection to the owner of ``data_dir``, made when it is needed and again when it was lost.

    ``greet`` is awaited with each new connection before anybody else uses it. ``answer`` answers what the owner asks,
    ``noticed`` is called when it says that memories have changed.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        open_seconds: float = OPEN_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        greet: Callable[[Connection], Awaitable[None]] | None = None,
        answer: Answer | None = None,
        noticed: Callable[[], None] | None = None,
        holds_store: bool = True,
        module: str = OWNER,
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._open_seconds = open_seconds
        self._idle_seconds = idle_seconds
        self._greet = greet
        self._answer = answer
        self._noticed = noticed
        self._holds_store = holds_store
        self._module = module
        self._opening: asyncio.Task[Connection] | None = None
        self._closed_until = 0.0

    async def aclose(self) -> None:
        """Closes the connection."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        opening.cancel()
        with suppress(asyncio.CancelledError, StoreError):
            await (await opening).aclose()

    async def ask(self, seconds: float, operation: str, *arguments: object, **named: object) -> object:
        """The owner's answer. Raises StoreError."""
        connection = await self.connected()
        return await connection.ask(seconds, operation, *arguments, **named)

    async def ask_again(self, seconds: float, operation: str, *arguments: object, **named: object) -> object:
        """As ``ask``, and again when the owner ends meanwhile, as it does to write its files anew; for what may be."""
        try:
            return await self.ask(seconds, operation, *arguments, **named)
        except EndedError:
            return await self.ask(seconds, operation, *arguments, **named)

    async def connected(self) -> Connection:
        """The connection, or a new one; all callers share one attempt, and a caller that gives up does not cancel
        it."""
        if self._opening is None or _is_over(self._opening, paused=_now() < self._closed_until):
            self._opening = asyncio.create_task(self._open())
            # Retrieve the exception even when no caller waits any more: asyncio would log it as never retrieved.
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._opening)

    async def _open(self) -> Connection:
        """A connection to the owner; starts one when none listens. Raises StoreError when that does not help."""
        try:
            async with asyncio.timeout(self._open_seconds):
                return await self._find_or_start()
        except TimeoutError:
            self._closed_until = _now() + PAUSE_SECONDS
            raise StoreError(why_silent(self._data_dir, read_record(self._data_dir))) from None
        except OSError as error:
            self._closed_until = _now() + PAUSE_SECONDS
            raise StoreError(f"The owner process of the memory store cannot be started: {error.strerror}.") from None
        except StoreError:
            self._closed_until = _now() + PAUSE_SECONDS
            raise

    async def _find_or_start(self) -> Connection:
        starter: subprocess.Popen[bytes] | None = None
        next_start, began = 0.0, time.time()
        while True:
            if (connection := await _connect(self._data_dir, self._answer, self._noticed)) is not None:
                return await self._greeted(connection)
            outcome = starter.poll() if starter else 0
            if outcome:
                raise StoreError(why_ended(self._data_dir, outcome))
            if outcome == 0 and (reason := failed_since(self._data_dir, began)):
                raise StoreError(reason)
            if outcome == 0 and _now() >= next_start:
                starter = await asyncio.to_thread(self._start)
                next_start = _now() + START_SECONDS
            await asyncio.sleep(POLL_SECONDS)

    async def _greeted(self, connection: Connection) -> Connection:
        async with AsyncExitStack() as unless_greeted:
            unless_greeted.push_async_callback(connection.aclose)
            if self._greet is not None:
                await self._greet(connection)
            unless_greeted.pop_all()
        return connection

    def _start(self) -> subprocess.Popen[bytes]:
        return start_owner(
            self._data_dir, idle_seconds=self._idle_seconds, holds_store=self._holds_store, module=self._module
        )


class Connection:
    """One connection to an owner; any number of requests may be in flight."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Answer | None = None,
        noticed: Callable[[], None] | None = None,
    ) -> None:
        self._writer = writer
        self._answer = answer
        self._noticed = noticed
        self._answers: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[object]] = {}
        self._listening = asyncio.create_task(self._listen(reader))

    @property
    def gone(self) -> bool:
        """True when the owner has closed the connection."""
        return self._listening.done()

    async def ended(self) -> None:
        """Returns when the owner has closed the connection."""
        await asyncio.wait([self._listening])

    def begin(self, operation: str, *arguments: object, **named: object) -> asyncio.Future[object]:
        """Sends a request at once; its answer, or StoreError, is in the future, which may be cancelled or left."""
        number, answer = next(self._numbers), asyncio.get_running_loop().create_future()
        self._waiting[number] = answer

        def forget(done: asyncio.Future[object]) -> None:
            del self._waiting[number]
            # Perhaps nobody awaits it any more: asyncio would log its error as never retrieved.
            done.cancelled() or done.exception()

        answer.add_done_callback(forget)
        self._writer.write(frames.pack({"id": number, "operation": operation, "arguments": arguments, "named": named}))
        return answer

    async def ask(self, seconds: float, operation: str, *arguments: object, **named: object) -> object:
        """The owner's answer within ``seconds``. Raises StoreError when it fails, times out or the owner ends."""
        answer = self.begin(operation, *arguments, **named)
        try:
            async with asyncio.timeout(seconds):
                await self._writer.drain()
                return await answer
        except TimeoutError:
            raise StoreError(
                f"The memory store did not answer within {seconds:g} s: see whether the disk or the host is busy."
            ) from None
        except ConnectionError:
            raise EndedError(_GONE) from None
        finally:
            answer.cancel()

    async def aclose(self) -> None:
        """Closes the connection."""
        self._writer.close()
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while (message := await frames.receive(reader)) is not None:
                if "notice" in message:
                    if self._noticed is not None:
                        self._noticed()
                elif "call" in message:
                    self._begin(message)
                elif (answer := self._waiting.get(message["id"])) is not None and not answer.done():
                    _settle(answer, message)
        finally:
            self._writer.close()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(EndedError(_GONE))

    def _begin(self, message: frames.Message) -> None:
        task = asyncio.create_task(self._answer_call(message))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer_call(self, message: frames.Message) -> None:
        """Answers what the owner asks this worker."""
        try:
            if self._answer is None:
                raise StoreError("This worker answers no calls.")
            answer = {"value": await self._answer(message["call"], *message["arguments"])}
        except Exception as error:  # Whatever it was, the owner has to be told.
            answer = {
                "error": str(error) if isinstance(error, LiteLLMMemoryError) else "",
                "type": type(error).__name__,
            }
        with suppress(ConnectionError):
            self._writer.write(frames.pack({"answers": message["id"], **answer}))


def start_owner(
    data_dir: Path, *, idle_seconds: float, holds_store: bool = True, module: str = OWNER
) -> subprocess.Popen[bytes]:
    """A new owner process for ``data_dir``; it inherits nothing and outlives this process."""
    arguments = ["--data-dir", str(data_dir), "--idle-seconds", str(idle_seconds)]
    if not holds_store:
        arguments.append("--without-store")
    # Not through asyncio, which kills its child processes when the loop closes.
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **MALLOC, **ONE_THREAD},
    )
    threading.Thread(target=process.wait, name="memory-owner-reaper", daemon=True).start()
    return process


async def _connect(data_dir: Path, answer: Answer | None, noticed: Callable[[], None] | None) -> Connection | None:
    """A connection to the owner that the lock file names, or None when none listens there."""
    record = await asyncio.to_thread(read_record, data_dir)
    if record is None:
        return None
    path = Path(record.socket)
    if path.parent != data_dir and not await asyncio.to_thread(is_private, path.parent):
        return None
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except (FileNotFoundError, ConnectionError):
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}; all workers run as one user.") from None
    return Connection(reader, writer, answer, noticed) if await _is_greeted(reader, writer) else None


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _is_greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """True for an owner of this version; False when it ends meanwhile. Raises StoreError for another version."""
    with ExitStack() as unless_greeted:
        unless_greeted.callback(writer.close)
        greeting = await frames.receive(reader)
        if greeting is not None and greeting.get("version") == frames.VERSION:
            unless_greeted.pop_all()
            return True
    if greeting is None:
        return False
    raise StoreError("Another version of litellm-memory owns the memory store: end all workers, then start them.")


def _settle(answer: asyncio.Future[object], message: dict[str, Any]) -> None:
    if "error" in message:
        answer.set_exception(StoreError(message["error"]))
    else:
        answer.set_result(message["value"])


def _is_over(opening: asyncio.Task[Connection], *, paused: bool) -> bool:
    """True when this attempt is useless now: it failed longer ago than the backoff, or its connection is closed."""
    if not opening.done() or opening.cancelled():
        return opening.cancelled()
    return not paused if opening.exception() else opening.result().gone
