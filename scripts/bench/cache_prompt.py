"""A request's prompt as the bytes that came in, in the order in which a provider reads it: tools, system, messages.

Nothing is decoded and written again, so a blank or an escape that changed is a change. The marks that set the end of
a cached prefix (``cache_control``, ``cachePoint``) are no part of the prompt; they become ``ends`` of its segments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]

BYTES_A_TOKEN = 4
BLOCK = b"<memory note="
"""How a block of memories begins."""

_BLOCK_PART = re.compile(rb'"text"\s*:\s*"<memory note=(?:[^"\\]|\\.)*</memory>"\s*[,}]')
_PARTS = ("content", "parts")
_MARK, _POINT = "cache_control", "cachePoint"
_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Segment:
    """One tool, one system text, the head of a message or one of its parts."""

    content: bytes
    message: int | None = None
    """Which message it belongs to; None for tools and system."""
    ends: bool = False
    """A cached prefix ends behind it."""

    @property
    def is_block(self) -> bool:
        """It is a block of memories and nothing else."""
        return _BLOCK_PART.search(self.content) is not None


@dataclass(frozen=True)
class Prompt:
    """All segments of a request in order."""

    segments: Sequence[Segment]

    @cached_property
    def content(self) -> bytes:
        """The whole prompt."""
        return b"".join(segment.content for segment in self.segments)

    @cached_property
    def boundaries(self) -> Sequence[int]:
        """The length in bytes up to and with each segment."""
        return list(accumulate(len(segment.content) for segment in self.segments))

    @property
    def tokens(self) -> int:
        """How long the prompt is."""
        return len(self.content) // BYTES_A_TOKEN

    @property
    def ends(self) -> list[int]:
        """The segments behind which a cached prefix ends."""
        return [number for number, segment in enumerate(self.segments) if segment.ends]

    @property
    def blocks(self) -> int:
        """How many blocks of memories are in it."""
        return self.content.count(BLOCK)

    @property
    def preface(self) -> list[bytes]:
        """Tools and system: what stands before the first message."""
        return [segment.content for segment in self.segments if segment.message is None]


ORDERS: Mapping[str, tuple[str, ...]] = {
    "/chat/completions": ("tools", "messages"),
    "/responses": ("instructions", "tools", "input"),
    "/messages": ("tools", "system", "messages"),
    ":generateContent": ("tools", "systemInstruction", "contents"),
    ":streamGenerateContent": ("tools", "systemInstruction", "contents"),
    "/converse": ("toolConfig", "system", "messages"),
}
"""The members of a body that make the prompt, in the provider's order, by the end of the path."""

_MESSAGES = ("messages", "input", "contents")


def read_prompt(path: str, raw: bytes) -> Prompt:
    """The prompt in ``raw``, a body that was sent to ``path``. ValueError when no provider has such a path."""
    order = next((names for end, names in ORDERS.items() if path.endswith(end)), None)
    if order is None:
        raise ValueError(f"no prompt is known at {path}")
    text = raw.decode()
    members = dict(_members(text, _skip(text, 0)))
    found = [segment for name in order if name in members for segment in _member(text, name, members[name])]
    return Prompt(_without_points(found))


def _member(text: str, name: str, span: Span) -> Iterator[Segment]:
    if name in _MESSAGES and text[span[0]] == "[":
        for number, message in enumerate(_items(text, span[0])):
            yield from _message(text, message, number)
    elif name in _MESSAGES:
        yield _segment(text, span, 0)
    elif name == "toolConfig":
        yield from (_segment(text, tool) for tool in _items(text, dict(_members(text, span[0]))["tools"][0]))
    elif text[span[0]] == "[":
        yield from (_segment(text, item) for item in _items(text, span[0]))
    else:
        yield _segment(text, span)


def _message(text: str, span: Span, number: int) -> Iterator[Segment]:
    """The head of a message, which is all of it but its list of parts, then each part."""
    parts = next((place for key, place in _members(text, span[0]) if key in _PARTS and text[place[0]] == "["), None)
    if parts is None:
        yield _segment(text, span, number)
    else:
        yield Segment((text[span[0] : parts[0]] + text[parts[1] : span[1]]).encode(), number)
        yield from (_segment(text, part, number) for part in _items(text, parts[0]))


def _segment(text: str, span: Span, message: int | None = None) -> Segment:
    """The object or string at ``span``, without the mark that it may carry."""
    start, end = span
    if text[start] != "{":
        return Segment(text[start:end].encode(), message)
    members = list(_members(text, start))
    if [key for key, _ in members] == [_POINT]:
        return Segment(b"", message, ends=True)
    mark = next((place for key, place in members if key == _MARK), None)
    if mark is None:
        return Segment(text[start:end].encode(), message)
    before = text.rindex(f'"{_MARK}"', start, mark[0])
    left, right = text[start:before].rstrip(), text[mark[1] : end].lstrip()
    # One of the two commas round the mark goes with it.
    kept = left.removesuffix(",") + right if left.endswith(",") else left + right.removeprefix(",")
    return Segment(kept.encode(), message, ends=True)


def _without_points(segments: Sequence[Segment]) -> list[Segment]:
    """Bedrock's cache points taken out, and the segments before them marked in their stead."""
    kept: list[Segment] = []
    for segment in segments:
        if segment.ends and not segment.content and kept:
            kept[-1] = replace(kept[-1], ends=True)
        else:
            kept.append(segment)
    return kept


# --- where things stand in a JSON text ---


def _members(text: str, at: int) -> Iterator[tuple[str, Span]]:
    """The members of the object at ``at``: their names and where their values stand."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        yield name, (start, end)
        at = _after_comma(text, end)


def _items(text: str, at: int) -> Iterator[Span]:
    """Where the items of the list at ``at`` stand."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield at, end
        at = _after_comma(text, end)


def _after_comma(text: str, at: int) -> int:
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    assert blank is not None
    return blank.end()
