"""A provider on loopback with a prompt cache: it answers in every wire format and says how much it had cached."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bed.answers import Answer, Received, error, format_of
from bed.loopback import Loopback
from cache_models import Automatic, Marked, PromptCache, TooManyMarksError, Usage
from cache_prompt import Prompt, read_prompt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

JSON: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of provider: the cache it keeps, and how it reports what it read from it."""

    cache: Callable[[], PromptCache]
    report: Callable[[Usage], JSON]


def _chat(usage: Usage) -> JSON:
    return {"prompt_tokens": usage.prompt, "prompt_tokens_details": {"cached_tokens": usage.read}}


def _responses(usage: Usage) -> JSON:
    return {"input_tokens": usage.prompt, "input_tokens_details": {"cached_tokens": usage.read}}


def _messages(usage: Usage) -> JSON:
    return {
        "input_tokens": usage.prompt - usage.read - usage.written,
        "cache_read_input_tokens": usage.read,
        "cache_creation_input_tokens": usage.written,
    }


def _gemini(usage: Usage) -> JSON:
    return {"promptTokenCount": usage.prompt, "cachedContentTokenCount": usage.read}


def _converse(usage: Usage) -> JSON:
    return {
        "inputTokens": usage.prompt - usage.read - usage.written,
        "cacheReadInputTokens": usage.read,
        "cacheWriteInputTokens": usage.written,
    }


SERVICES: Mapping[str, Service] = {
    "/chat/completions": Service(lambda: Automatic(128), _chat),
    "/responses": Service(lambda: Automatic(128), _responses),
    "/messages": Service(Marked, _messages),
    ":generateContent": Service(lambda: Automatic(1), _gemini),
    ":streamGenerateContent": Service(lambda: Automatic(1), _gemini),
    "/converse": Service(Marked, _converse),
}
"""By the end of the path."""


@dataclass(frozen=True, slots=True)
class Served:
    """One request as it came in, and what it cost."""

    path: str
    raw: bytes
    prompt: Prompt
    usage: Usage


@dataclass(slots=True)
class Desk:
    """Who is asked: one client's cache, and what the next request is answered with."""

    answer: Answer = field(default_factory=Answer)
    caches: dict[str, PromptCache] = field(default_factory=dict)
    served: list[Served] = field(default_factory=list)


class CachingProvider(Loopback):
    """Listens on a free port. ``desk`` is the client that is served at this moment; callers take turns."""

    def __init__(self) -> None:
        super().__init__(self._serve)
        self.desk = Desk()

    async def _serve(self, request: Request) -> Response:
        raw = await request.body()
        path, desk = request.url.path, self.desk
        end = next((end for end in SERVICES if path.endswith(end)), None)
        if end is None:
            return JSONResponse(error(Answer(status=404)), 404)
        service, prompt = SERVICES[end], read_prompt(path, raw)
        try:
            usage = desk.caches.setdefault(end, service.cache()).use(prompt)
        except TooManyMarksError:
            return JSONResponse(error(Answer(status=400)), 400)
        desk.served.append(Served(path, raw, prompt, usage))
        return _answered(desk.answer, _received(request, raw), service.report(usage))


def _answered(answer: Answer, received: Received, usage: JSON) -> Response:
    if answer.status != 200:
        return JSONResponse(error(answer), answer.status)
    spoken = format_of(received)
    if spoken.frames is None or not spoken.streams(received):
        return JSONResponse(_with_usage(spoken.whole(answer, received), usage))
    frames = spoken.frames(answer, received)[: answer.frames]
    return StreamingResponse(_stream([_frame(frame, usage) for frame in frames], answer), media_type=spoken.media)


async def _stream(frames: list[bytes], answer: Answer) -> Any:
    for frame in frames:
        yield frame
    if answer.breaks:
        raise ConnectionAbortedError("this answer is meant to break off")


def _frame(frame: bytes, usage: JSON) -> bytes:
    """A server-sent event with this usage in place of any that it reports."""
    head, separator, data = frame.partition(b"data: {")
    if not separator:
        return frame
    return head + b"data: " + json.dumps(_with_usage(json.loads(b"{" + data), usage)).encode() + b"\n\n"


def _with_usage(value: Any, usage: JSON) -> Any:
    if isinstance(value, list):
        return [_with_usage(item, usage) for item in value]
    if not isinstance(value, dict):
        return value
    reports = {key: {**item, **usage} for key, item in value.items() if key in ("usage", "usageMetadata") and item}
    return {key: reports.get(key) or _with_usage(item, usage) for key, item in value.items()}


def _received(request: Request, raw: bytes) -> Received:
    return Received(
        method=request.method,
        path=request.url.path,
        query=dict(request.query_params),
        headers=dict(request.headers.items()),
        raw=raw,
        body=json.loads(raw),
    )
