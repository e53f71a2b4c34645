"""Takes blocks out of a body again, and out of what bridges and loggers made of that body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from litellm_memory.models import Body, Place
from litellm_memory.wire.content import at
from litellm_memory.wire.inject import copied, is_part_in_a_list
from litellm_memory.wire.positions import SEPARATOR

_ESCAPES: Final = (False, True)
"""Whether JSON inside a string has its characters beyond ASCII as escapes."""
_GONE: Final = object()
_PLAIN: Final = frozenset({type(None), bool, int, float})


def without_blocks(body: Body, placed: Iterable[tuple[Place, str]]) -> dict[str, Any] | None:
    """``body`` as it was before ``with_blocks`` put these blocks there; None when one is not where it was put."""
    changed = dict(body)
    copies = {id(changed)}
    # Forwards: each part that goes moves those behind it back to where the client had them.
    for place, block in sorted(placed, key=lambda item: item[0]):
        text = at(changed, place)
        if is_part_in_a_list(place):
            if text != block:
                return None
            del copied(changed, place[:-2], copies)[place[-2]]
        else:
            if not isinstance(text, str) or not text.startswith(f"{block}\n\n"):
                return None
            copied(changed, place[:-1], copies)[place[-1]] = text[len(block) + 2 :]
    return changed


class BlocksOut:
    """Takes blocks out of JSON of any shape, also where a guardrail changed words inside a block.

    A block is recognised by its first and last line, because what it is in may have been translated to another wire
    format, or be JSON in a string. Parts and messages that hold a block alone go as a whole.
    """

    def __init__(self, blocks: Iterable[str]) -> None:
        self._patterns = [_pattern(*edges) for edges in {_edges(block) for block in blocks}]
        self._has_one = re.compile("|".join(re.escape(needle) for needle, _ in self._patterns) or r"(?!)").search

    def __call__(self, value: Any) -> Any:
        """``value`` without blocks: the same object when there are none in it, else a copy. None when it is one."""
        return self.changed({"": value}).get("", value)

    def changed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of ``values`` that have blocks, as a call makes them. What several of them share is read once."""
        done: dict[int, Any] = {}
        outs = [(key, value, self._out(value, done)) for key, value in list(values.items())]
        return {key: None if out is _GONE else out for key, value, out in outs if out is not value}

    # The functions below see every part of a conversation, so those without a text are passed over without a call.

    def _out(self, value: Any, done: dict[int, Any]) -> Any:
        if isinstance(value, str):
            return self._text(value) if self._has_one(value) else value
        if not isinstance(value, dict | list | tuple):
            return value
        # What LiteLLM logs holds the same messages under several keys.
        known = id(value)
        if known not in done:
            done[known] = value
            done[known] = self._object(value, done) if isinstance(value, dict) else self._items(value, done)
        return done[known]

    def _object(self, value: Mapping[str, Any], done: dict[int, Any]) -> Any:
        changed: dict[str, Any] | None = None
        # A dict of LiteLLM's may change meanwhile: what was not looked at is not taken over.
        items = list(value.items())
        for key, item in items:
            if type(item) in _PLAIN or (type(item) is str and not self._has_one(item)):
                continue
            if (out := self._out(item, done)) is item:
                continue
            if out is _GONE and key in _TEXTS:
                return _GONE
            changed = dict(items) if changed is None else changed
            if out is _GONE:
                del changed[key]
            else:
                changed[key] = out
        return value if changed is None else changed

    def _items(self, value: Sequence[Any], done: dict[int, Any]) -> Any:
        outs = [item if type(item) in _PLAIN else self._out(item, done) for item in list(value)]
        if all(out is item for out, item in zip(outs, value, strict=False)):
            return value
        kept = [out for out in outs if out is not _GONE]
        if not kept:
            return _GONE
        return tuple(kept) if isinstance(value, tuple) else kept

    def _text(self, text: str) -> Any:
        if text[:1] in "{[" and (parsed := _parsed(text)) is not None:
            out = self._out(parsed, {})
            return text if out is parsed else "" if out is _GONE else json.dumps(out)
        for _, pattern in self._patterns:
            text = pattern.sub("", text)
        return text or _GONE


_TEXTS: Final = frozenset({"text", "content", "parts"})
"""Keys of a part or message that is nothing without them."""


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _edges(block: str) -> tuple[str, str]:
    """The first and the last line of a block; no last one when it has only one."""
    first, *more = block.split("\n")
    return first, more[-1] if more else ""


@lru_cache(64)
def _pattern(first: str, last: str) -> tuple[str, re.Pattern[str]]:
    """What a text with such a block has in it, and the block with what separates it from the text behind it."""
    needle = re.split(r"[^\x20-\x7e]|[\"\\]", first)[0]
    written = [(first, last, SEPARATOR, "\n\n")]
    for ascii in _ESCAPES:
        escaped = [json.dumps(text, ensure_ascii=ascii)[1:-1] for text in written[0]]
        written.append((escaped[0], escaped[1], escaped[2], escaped[3]))
    ways = [
        f"{re.escape(begin)}.*?{re.escape(end)}(?:{re.escape(line)})?(?:{re.escape(gap)})?"
        for begin, end, line, gap in dict.fromkeys(written)
    ]
    return needle, re.compile("|".join(ways), re.DOTALL)
