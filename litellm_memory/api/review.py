"""The review queue over HTTP: what waits, why, and its owner's decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from textwrap import shorten
from typing import Annotated, Final, Literal

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import Field, model_validator

from litellm_memory.api.paging import Cursor, Limit, cursor_at, position_at
from litellm_memory.api.shapes import shown_as
from litellm_memory.care.given import Name, Said, Shape
from litellm_memory.care.review import accept, few_meant, is_wish, meant_by, reject, waiting
from litellm_memory.care.shown import MemoryOut
from litellm_memory.gate.access import ReadPartition, WithEngine, WritePartition
from litellm_memory.gate.apart import answer_with
from litellm_memory.ledger.listing import position_of
from litellm_memory.models import Memory
from litellm_memory.redact import Redactor

MOST_MEANT: Final = 1000
"""Memories that the wishes of one page may mean: with more, the page ends earlier."""
NAMED_CHARACTERS: Final = 100
"""Of each memory that a wish means, in the reason why the wish waits."""


class ReviewOut(MemoryOut):
    """A memory that waits for its owner's word, and why.

    ``forgets``: what would go if it is accepted, of a wish to forget; null for anything else.
    """

    reason: str
    forgets: list[MemoryOut] | None

    @classmethod
    def of(cls, memory: Memory, meant: Mapping[str, Sequence[Memory]], redactor: Redactor) -> ReviewOut:
        """A memory in review in every response; ``meant``: what goes with the wishes to forget, by their ids."""
        shown = MemoryOut.shown(memory, redactor)
        if memory.id not in meant:
            return cls(**shown.model_dump(), reason=shown.review or "", forgets=None)
        goes = [MemoryOut.shown(one, redactor) for one in meant[memory.id]]
        return cls(**shown.model_dump(), reason=asks_to_forget([one.text for one in goes]), forgets=goes)


def asks_to_forget(texts: Sequence[str]) -> str:
    """Why a wish waits that means memories with these texts: for people, who read no ids."""
    named = "; ".join(f"“{shorten(text, NAMED_CHARACTERS, placeholder=' …')}”" for text in texts)
    return f"it asks to forget {named}" if named else "it asks to forget what is not here any more"


class ReviewsOut(Shape):
    """One page of what waits; ``next_cursor`` asks for the next one and is null on the last."""

    data: list[ReviewOut]
    next_cursor: str | None


class ReviewIn(Shape):
    """The owner's word: `accept` it as it is, `edit` it to `text` and accept that, or `reject` it for good."""

    model_config = shown_as(action="edit", text="Our CI for the mobile app runs on Buildkite.")

    action: Literal["accept", "edit", "reject"]
    text: Said | None = None
    read: Said | None = Field(None, description="The text as it was shown: 409 when it has another one by now.")

    @model_validator(mode="after")
    def _text_belongs_to_edit(self) -> ReviewIn:
        if (self.action == "edit") != (self.text is not None):
            raise ValueError("edit takes a text, and nothing else does")
        return self


router = APIRouter(prefix="/v1/review", tags=["review"])


@router.get("", summary="What waits for its owner's word, newest first, and why", response_model=ReviewsOut)
async def list_waiting(
    engine: WithEngine,
    partition: ReadPartition,
    user: Annotated[Name | None, Query(description="One user; all users of the partition when left out.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    asked = waiting(partition, user)
    page, following = await engine.memories.lists.page(partition, asked, after=position_at(cursor), limit=limit)
    if len(shown := few_meant(page, MOST_MEANT)) < len(page):
        page, following = [*shown], position_of(shown[-1])
    meant = await meant_by(engine.memories, partition, page)
    shape = partial(ReviewOut.of, meant=meant, redactor=engine.redactor)
    return await answer_with("data", page, shape, next_cursor=cursor_at(following))


@router.post(
    "/{memory_id}",
    response_model=MemoryOut,
    responses={204: {"description": "It was rejected, and is forgotten."}},
    summary="Accept, edit or reject what waits",
)
async def decide(engine: WithEngine, partition: WritePartition, memory_id: str, word: ReviewIn) -> MemoryOut | Response:
    if word.action == "reject":
        await reject(engine.memories, partition, memory_id)
        return Response(status_code=204)
    text = engine.redactor.text(word.text) if word.text else None

    def unless_changed(memory: Memory) -> None:
        if word.read not in (None, engine.redactor.memory(memory).text.strip()):
            raise HTTPException(409, "Its text is another one by now: read it again.")
        if text and is_wish(memory):
            raise HTTPException(422, "A wish to forget has no words to keep: accept it or reject it.")

    removed = engine.ledger.removed
    accepted = await accept(engine.memories, removed, partition, memory_id, text=text, check=unless_changed)
    return MemoryOut.shown(accepted, engine.redactor)
