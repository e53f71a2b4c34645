"""Blocks as the guardrails of the request let them through: a memory that one hits is taken out, or given masked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from litellm_memory.models import Block, Given, lines_of

Screen: TypeAlias = Callable[[str], Awaitable[str | None]]
"""What may be given of a text: the text, a masked one, or None for nothing of it. Never raises, never waits long."""


async def screened(block: Block, screen: Screen | None) -> Block:
    """``block`` with each memory as ``screen`` lets it through; the same object when it changes nothing."""
    if screen is None or not block.text:
        return block
    texts = await asyncio.gather(*(screen(given.text) for given in block.given))
    if all(text == given.text for text, given in zip(texts, block.given, strict=True)):
        return block
    refused = {given.memory for text, given in zip(texts, block.given, strict=True) if text is None}
    masked = {given.memory: text for text, given in zip(texts, block.given, strict=True) if text is not None}
    kept = block.without(refused) if refused else block
    return _masked(kept, masked) if kept.text else kept


async def all_screened(blocks: Mapping[str, Block], screen: Screen | None) -> Mapping[str, Block]:
    """These blocks by mark, each ``screened``."""
    if screen is None:
        return blocks
    return {mark: await screened(block, screen) for mark, block in blocks.items()}


def _masked(block: Block, texts: Mapping[str, str]) -> Block:
    """``block`` with the entries of its memories replaced by these texts."""
    given: tuple[Given, ...] = tuple(replace(one, text=texts[one.memory]) for one in block.given)
    before, after = ("\n".join(lines_of(entries)) for entries in (block.given, given))
    return replace(block, text=block.text.replace(before, after, 1), given=given)
