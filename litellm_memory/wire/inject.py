"""Inserts blocks into a body. The given body, its lists and its objects are copied, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litellm_memory.models import Body, Place
from litellm_memory.wire.formats import FORMATS

_SINGLE_PART_KEYS = frozenset(key for format in FORMATS for key in format.single_part_keys)


def with_block(body: Body, place: Place, block: str) -> dict[str, Any]:
    """``body`` with ``block`` directly before the text at ``place``, which must come from parsing this body.

    A plain string becomes ``block``, an empty line and that string. Before a text part in a list, a new part of the
    same shape is inserted.
    """
    changed = dict(body)
    _put(changed, place, block, {id(changed)})
    return changed


def with_blocks(body: Body, placed: Iterable[tuple[Place, str]]) -> dict[str, Any]:
    """``body`` with each block before the text at its place; all places refer to the given body.

    Empty blocks are skipped.
    """
    changed = dict(body)
    copies = {id(changed)}
    in_order = sorted(placed, key=lambda item: item[0])
    # Backwards, because an inserted part shifts the indexes after it.
    for place, block in reversed(in_order):
        if block:
            _put(changed, place, block, copies)
    return changed


def is_part_in_a_list(place: Place) -> bool:
    """True for a text whose block is a part of its own before it."""
    return place[-1] == "text" and isinstance(place[-2], int) and place[0] not in _SINGLE_PART_KEYS


def copied(body: Any, place: Place, copies: set[int]) -> Any:
    """The container at ``place`` in ``body``, which, as all on its way, is copied once and then changed in place.

    ``copies``: the ids of those that are copies already, such as ``body`` itself.
    """
    for key in place:
        found = body[key]
        if id(found) not in copies:
            found = body[key] = dict(found) if isinstance(found, Mapping) else list(found)
            copies.add(id(found))
        body = found
    return body


def _put(body: dict[str, Any], place: Place, block: str, copies: set[int]) -> None:
    if not is_part_in_a_list(place):
        holder = copied(body, place[:-1], copies)
        holder[place[-1]] = f"{block}\n\n{holder[place[-1]]}"
        return
    parts, index = copied(body, place[:-2], copies), place[-2]
    shape: Mapping[str, Any] = parts[index]
    parts.insert(index, {key: block if key == "text" else shape[key] for key in shape if key in ("type", "text")})
