"""Parses answers, HTTP bodies or LiteLLM's own objects, into a Reply.

The format is recognised by the answer's own shape, not taken from the request: LiteLLM answers some Responses requests
with chat events.
"""

from __future__ import annotations

import base64
import logging
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from litellm_memory.models import Reply
from litellm_memory.wire.content import is_object
from litellm_memory.wire.format import Event, WireFormat
from litellm_memory.wire.formats import FORMATS

logger = logging.getLogger(__name__)

BROKEN: Final[Event] = {"error": "an event that failed or cannot be read"}
"""Takes the place of an event that cannot be parsed or reports an error, so that the reply is never complete."""

_LINE = re.compile(r"\r\n|\n|\r")


def read_answer(raw: bytes, content_type: str, format: WireFormat, *, formats: Sequence[WireFormat] = FORMATS) -> Reply:
    """The reply in the HTTP body of an answer to a request in ``format``; an empty reply when there are no events."""
    media_type = content_type.partition(";")[0].strip().lower()
    events = list(READERS.get(media_type, _guessed_events)(raw)) or list(_guessed_events(raw))
    if BROKEN in events:
        logger.debug(
            "An answer of %d bytes (%s) has events that failed or cannot be read.",
            len(raw),
            media_type or "no content type",
        )
    return _reply(events, format, formats)


def reply_of(response: object, format: WireFormat, *, formats: Sequence[WireFormat] = FORMATS) -> Reply:
    """The reply in a LiteLLM response object or a list of chunks; an empty reply for anything else."""
    chunks = response if isinstance(response, list | tuple) else [response]
    return _reply([event for chunk in chunks if is_object(event := _as_object(chunk))], format, formats)


def _reply(events: list[Event], format: WireFormat, formats: Sequence[WireFormat]) -> Reply:
    shown = next((known for event in events for known in formats if known.is_answer(event)), format)
    return shown.reply(events)


def _as_object(chunk: object) -> object:
    # Fields of LiteLLM's models contain other classes than declared, and pydantic would warn about that.
    dump = getattr(chunk, "model_dump", None)
    return dump(warnings=False) if callable(dump) else chunk


def _json_events(raw: bytes) -> Iterator[Event]:
    """One object, a list of objects as Gemini streams without SSE, or one object per line."""
    try:
        yield from _listed(orjson.loads(raw))
    except orjson.JSONDecodeError:
        yield from _line_events(raw)


def _line_events(raw: bytes) -> Iterator[Event]:
    for line in raw.splitlines():
        yield from _data_events(line)


def _sse_events(raw: bytes) -> Iterator[Event]:
    """Server-sent events. A last event that was cut off counts if its JSON is complete."""
    data: list[str] = []
    for line in (*_LINE.split(raw.decode("utf-8", "replace").removeprefix("\ufeff")), ""):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif field == "event" and value.strip() == "error":
            yield BROKEN
        elif not line and data:
            yield from _data_events("\n".join(data).encode())
            data = []


def _aws_events(raw: bytes) -> Iterator[Event]:
    """The events of an AWS event stream, each as ``{name: event}``; for an invoke stream, the decoded chunks."""
    try:
        from botocore.eventstream import (  # type: ignore[import-untyped]  # botocore has no types
            EventStreamBuffer,
            ParserError,
        )
    except ImportError:  # litellm[proxy] installs it, to call Bedrock
        logger.debug("An AWS event stream cannot be read without botocore.")
        return
    buffer = EventStreamBuffer()
    buffer.add_data(raw)
    try:
        for message in buffer:
            yield from _aws_event(message.headers, message.payload)
    except (ParserError, ValueError, KeyError, struct.error):
        yield BROKEN


def _aws_event(headers: Mapping[str, Any], payload: bytes) -> Iterator[Event]:
    if headers.get(":message-type") != "event":
        yield BROKEN
        return
    for event in _data_events(payload):
        if headers.get(":event-type") == "chunk" and isinstance(event.get("bytes"), str):
            yield from _data_events(base64.b64decode(event["bytes"]))
        else:
            yield {str(headers.get(":event-type")): event}


def _data_events(data: bytes) -> Iterator[Event]:
    if data.strip() in (b"", b"[DONE]"):
        return
    try:
        yield from _listed(orjson.loads(data))
    except orjson.JSONDecodeError:
        yield BROKEN


def _listed(value: object) -> Iterable[Event]:
    return filter(is_object, value if isinstance(value, list) else [value])


def _guessed_events(raw: bytes) -> Iterable[Event]:
    """The events of a body whose content type is missing, unknown or wrong."""
    if raw.lstrip()[:1] in (b"{", b"["):
        return _json_events(raw)
    # The first four bytes of an AWS event stream are the length of its first message.
    return _aws_events(raw) if raw[:1] == b"\0" else _sse_events(raw)


READERS: Mapping[str, Callable[[bytes], Iterable[Event]]] = {
    "application/json": _json_events,
    "text/event-stream": _sse_events,
    "application/vnd.amazon.eventstream": _aws_events,
    "application/x-ndjson": _line_events,
}
"""The parser of a body's events, by content type."""
