"""One wish for many memories at once: forget, bring back, pin, tag, accept or reject."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from litellm_memory.care.audit import reason_to_refuse
from litellm_memory.care.given import Name, Said, Shape, Tags
from litellm_memory.care.review import accept, reject
from litellm_memory.care.rollback import cut_out, put_aside
from litellm_memory.care.undo import undo
from litellm_memory.errors import NotFoundError
from litellm_memory.ledger import Ledger
from litellm_memory.memories import Memories
from litellm_memory.models import Memory
from litellm_memory.redact import Redactor

Action: TypeAlias = Literal["forget", "undo", "pin", "unpin", "tag", "untag", "accept", "reject", "wait"]

MOST: Final = 500
_TAGS: Final[TypeAdapter[list[str]]] = TypeAdapter(Tags)


class BulkIn(Shape):
    """What to do with which memories. `undo` brings back what was forgotten or rejected within ten minutes."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"action": "pin", "ids": ["3f1c0a9b2d4e5f60718293a4b5c6d7e8"]}}
    )

    action: Action
    ids: list[Name] = Field(min_length=1, max_length=MOST)
    tag: Name | None = Field(None, description="For `tag` and `untag`.")
    reason: Said | None = Field(None, description="For `wait`: why they wait for their owner's word.")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> BulkIn:
        if (self.action in ("tag", "untag")) != (self.tag is not None):
            raise ValueError("tag and untag need a tag, and nothing else does")
        if (self.action == "wait") != (self.reason is not None):
            raise ValueError("wait needs a reason, and nothing else does")
        return self


@dataclass(frozen=True, slots=True)
class Done:
    """The ids that it was done for, and those that are unknown, too late or cannot be changed so."""

    done: Sequence[str]
    skipped: Sequence[str]


@dataclass(frozen=True, slots=True)
class Bulk:
    """Carries out wishes for many memories of one partition."""

    ledger: Ledger
    memories: Memories
    redactor: Redactor
    partition: str

    async def __call__(self, asked: BulkIn) -> Done:
        """Does it, one memory after another; what cannot be done for one is skipped."""
        why = await asyncio.to_thread(reason_to_refuse, asked.tag) if asked.action == "tag" and asked.tag else None
        ways: Mapping[Action, Callable[[str], Awaitable[object]]] = {
            "undo": lambda one: undo(self.ledger, self.memories, self.partition, one),
            "pin": lambda one: self._change(one, lambda memory: replace(memory, pinned=True)),
            "unpin": lambda one: self._change(one, lambda memory: replace(memory, pinned=False)),
            "tag": lambda one: self._tag(one, asked.tag or "", why),
            "untag": lambda one: self._change(one, lambda memory: _untagged(memory, asked.tag or "")),
            "accept": lambda one: accept(self.memories, self.ledger.removed, self.partition, one),
            "reject": self._reject,
            "wait": lambda one: self._wait(one, asked.reason or ""),
        }
        ids = list(dict.fromkeys(asked.ids))
        done = await self._forget(ids) if asked.action == "forget" else []
        for one in ids if asked.action != "forget" else ():
            with suppress(NotFoundError, ValidationError):
                await ways[asked.action](one)
                done.append(one)
        return Done(done, [one for one in ids if one not in set(done)])

    async def _forget(self, ids: Sequence[str]) -> list[str]:
        found = await self.memories.entries(self.partition, ids)
        await self.ledger.removed.keep(found)
        await self.memories.forget_all(found)
        return [memory.id for memory in found]

    async def _reject(self, memory_id: str) -> None:
        memory = await self.memories.get(self.partition, memory_id)
        if memory.review is not None:
            await self.ledger.removed.keep([memory])
        await reject(self.memories, self.partition, memory_id)

    async def _tag(self, memory_id: str, tag: str, why: str | None) -> None:
        """Adds a tag; ``why``: the reason why the memory waits with it, because an agent reads tags too."""
        tagged = await self._change(
            memory_id, lambda memory: replace(_tagged(memory, tag), review=memory.review or why)
        )
        if why is not None:
            await cut_out(self.memories, self.ledger, tagged)

    async def _wait(self, memory_id: str, reason: str) -> None:
        memory = await self.memories.get(self.partition, memory_id)
        await put_aside(self.memories, self.ledger, [memory])
        await self._change(memory_id, lambda waiting: replace(waiting, review=reason))

    async def _change(self, memory_id: str, changed: Callable[[Memory], Memory]) -> Memory:
        return await self.memories.correct(
            self.partition, memory_id, lambda memory: self.redactor.memory(changed(memory))
        )


def _tagged(memory: Memory, tag: str) -> Memory:
    return replace(memory, tags=tuple(_TAGS.validate_python(list(dict.fromkeys((*memory.tags, tag))))))


def _untagged(memory: Memory, tag: str) -> Memory:
    return replace(memory, tags=tuple(known for known in memory.tags if known != tag))
