"""Inserts blocks into a body. The given body, its lists and its objects are copied, never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from litellm_memory.models import Body, Place
from litellm_memory.wire.formats import FORMATS

_SINGLE_PART_KEYS = frozenset(key for format in FORMATS for key in format.single_part_keys)


def with_block(body: Body, place: Place, block: str) -> dict[str, Any]:
    """``body`` with ``block`` directly before the text at ``place``, which must come from parsing this body.

    A plain string becomes ``block``, an empty line and that string. Before a text part in a list, a new part of the
    same shape is inserted.
    """
    changed: dict[str, Any]
    if is_part_in_a_list(place):
        changed = _changed(body, place[:-2], lambda parts: _with_part(parts, place[-2], block))
    else:
        changed = _changed(body, place, lambda text: f"{block}\n\n{text}")
    return changed


def with_blocks(body: Body, placed: Iterable[tuple[Place, str]]) -> dict[str, Any]:
    """``body`` with each block before the text at its place; all places refer to the given body.

    Empty blocks are skipped.
    """
    changed = dict(body)
    in_order = sorted(placed, key=lambda item: item[0])
    # Backwards, because an inserted part shifts the indexes after it.
    for place, block in reversed(in_order):
        if block:
            changed = with_block(changed, place, block)
    return changed


def is_part_in_a_list(place: Place) -> bool:
    """True for a text whose block is a part of its own before it."""
    return place[-1] == "text" and isinstance(place[-2], int) and place[0] not in _SINGLE_PART_KEYS


def _with_part(parts: list[Any], index: Any, block: str) -> list[Any]:
    shape: Mapping[str, Any] = parts[index]
    part = {key: block if key == "text" else shape[key] for key in shape if key in ("type", "text")}
    return [*parts[:index], part, *parts[index:]]


def _changed(container: Any, place: Place, change: Callable[[Any], Any]) -> Any:
    """A copy of ``container`` with the value at ``place`` changed. Only containers on the path are copied."""
    if not place:
        return change(container)
    copy: Any = dict(container) if isinstance(container, Mapping) else list(container)
    copy[place[0]] = _changed(container[place[0]], place[1:], change)
    return copy
