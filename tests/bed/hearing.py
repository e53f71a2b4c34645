"""What people and agents send, read and learned as by a worker and its keeper, in the process of the test."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bed.learning import Learning, opened_learning
from litellm_memory.journal.journal import Journal
from litellm_memory.journal.taking import Taker
from litellm_memory.memories.breaker import Breaker
from litellm_memory.models import Caller, Memory, Reply
from litellm_memory.redact import Redactor
from litellm_memory.request.accept import Acceptor
from litellm_memory.request.after import After
from litellm_memory.request.background import Background
from litellm_memory.request.outcome import Injection, Outcome
from litellm_memory.request.reading import Reader, Reading
from litellm_memory.request.request import Request
from litellm_memory.settings import Settings

CALL_TYPES = {
    "/v1/chat/completions": "acompletion",
    "/v1/messages": "anthropic_messages",
    "/v1/responses": "aresponses",
}
PARTITION = "default"
NOTED = Reply("Noted.", complete=True)
CLIENT = "OpenAI/Python 2.0"


@dataclass(frozen=True, slots=True)
class Call:
    """A request, when it comes, and the answer that it gets."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: datetime
    reply: Reply = NOTED
    caller: Caller = field(default_factory=lambda: Caller(master=True))


@dataclass
class Conversation:
    """A person's conversation with a chat client; each answer is "Noted."."""

    user: str
    session: str
    said: list[str] = field(default_factory=list)

    def says(self, text: str, at: datetime) -> Call:
        """The call with which the person says ``text`` next."""
        self.said.append(text)
        turns = itertools.chain.from_iterable(
            ({"role": "user", "content": said}, {"role": "assistant", "content": NOTED.text}) for said in self.said
        )
        headers = {"user-agent": CLIENT, "x-memory-user-id": self.user, "x-session-id": self.session}
        body = {"model": "gpt", "messages": [*turns][:-1]}
        return Call("/v1/chat/completions", headers, body, at)


class Hearing:
    """The path of a request without recall, the journal, and the learner behind it."""

    def __init__(self, learning: Learning, settings: Settings) -> None:
        self.learning = learning
        self._journal = Journal(learning.directory, learning.ledger)
        self._taker = Taker(learning.directory, learning.ledger)
        self._background = Background()
        redactor = Redactor.of(settings.learn)
        breaker = self._breaker = Breaker("ledger", learning.ledger.ping, away=learning.health.away)
        self._after = After(lambda: redactor, self._journal, self._background)
        self._reader = Reader(lambda: settings, learning.ledger, self._journal, breaker, self._after.noted)
        self._acceptor = Acceptor(lambda: settings, lambda: redactor, learning.ledger, self._journal, self._background)
        self._numbers = itertools.count()

    async def hear(self, calls: Sequence[Call]) -> list[Reading | None]:
        """Reads, answers and learns these calls in order; returns the reading of each, None where memory stays out."""
        heard = [await self._hear(call) for call in calls]
        await self._after.aclose()
        await self._taker.take_all(rotate=False)
        while await self.learning.learner.learn_waiting():
            pass
        return heard

    async def marks(self, calls: Sequence[Call]) -> list[str]:
        """Hears these calls of people; returns the mark of each message, empty where there is none."""
        return [(reading and reading.mark) or "" for reading in await self.hear(calls)]

    async def kept(self, partition: str = PARTITION) -> list[Memory]:
        """All memories that are kept now."""
        return await self.learning.memories.all(partition, None)

    async def _hear(self, call: Call) -> Reading | None:
        headers = {name.lower(): value for name, value in call.headers.items()}
        model, name = str(call.body.get("model")), f"call-{next(self._numbers)}"
        kind = CALL_TYPES[call.path]
        reading = await self._reader.read(Request(name, kind, call.path, headers, call.body, call.caller, (model,)))
        if not isinstance(reading, Reading):
            return None
        reading.notes.at = call.at
        acceptance = self._acceptor.accept(reading)
        self._after(Outcome(Injection("empty", ""), reading.scope, reading, acceptance), lambda: call.reply)
        await asyncio.sleep(0)
        return reading

    async def aclose(self) -> None:
        await self._background.aclose()
        await self._breaker.aclose()
        self._journal.close()
        self._taker.close()


@asynccontextmanager
async def hearing(data_dir: Path) -> AsyncIterator[Hearing]:
    """A worker's ears and a keeper's learning on an open store."""
    async with opened_learning(data_dir) as learning:
        heard = Hearing(learning, Settings(data_dir=data_dir))
        try:
            yield heard
        finally:
            await heard.aclose()


def calls_of(requests: Sequence[Mapping[str, Any]], begun: datetime, pause: Any, caller: Caller) -> list[Call]:
    """The recorded requests of an agent as calls; the answer to each is what a later one repeats of it."""
    return [
        Call(
            path=request["path"],
            headers=request["headers"],
            body=request["body"],
            at=begun + number * pause,
            reply=_answer(requests, number),
            caller=caller,
        )
        for number, request in enumerate(requests)
    ]


LOOKED_AHEAD = 12
"""Requests after one among which is the next of the same conversation: others run beside it."""


def _answer(requests: Sequence[Mapping[str, Any]], number: int) -> Reply:
    items = _items(requests[number])
    for later in requests[number + 1 : number + 1 + LOOKED_AHEAD]:
        more = _items(later)
        # Two conversations that run side by side do not have the same message at the same place.
        if len(more) > len(items) > 0 and _plain(more[len(items) - 1]) == _plain(items[-1]):
            said = [*itertools.takewhile(_is_answer, more[len(items) :])]
            if said:
                return Reply(" ".join(_texts(said)), tools=any(map(_calls_a_tool, said)), complete=True)
    return replace(NOTED, text="Done.")


def _items(request: Mapping[str, Any]) -> list[Any]:
    body = request["body"]
    return list(body.get("messages") or body.get("input") or ())


def _plain(value: Any) -> Any:
    """``value`` without cache marks, which a client moves from request to request."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if name != "cache_control"}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _is_answer(item: Mapping[str, Any]) -> bool:
    return item.get("role") == "assistant" or item.get("type") in ("reasoning", "function_call", "custom_tool_call")


def _calls_a_tool(item: Mapping[str, Any]) -> bool:
    content = item.get("content")
    used = isinstance(content, list) and any(part.get("type") == "tool_use" for part in content)
    return used or item.get("type") in ("function_call", "custom_tool_call")


def _texts(items: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = [part for item in items if isinstance(item.get("content"), list) for part in item["content"]]
    return [part["text"] for part in parts if isinstance(part.get("text"), str)]
