"""What a team shares, over HTTP: its list, and proposals to it. Curators decide by the review routes of the layer."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import Field

from litellm_memory.api.paging import Cursor, Limit, cursor_at, page_after, position_at
from litellm_memory.api.shapes import MemoriesOut, shown_as
from litellm_memory.care.given import Name, Said, Shape
from litellm_memory.care.sharing import UnfitError, became, propose, proposed, withdraw
from litellm_memory.care.shown import MemoryOut
from litellm_memory.gate.access import Access, ReadPartition, WithAccess, WithEngine, WritePartition
from litellm_memory.gate.apart import answer_with
from litellm_memory.identity import Layer, is_layer
from litellm_memory.ledger import ListFilter
from litellm_memory.models import Memory, namespace


class ProposalIn(Shape):
    """A memory of one's own to share with the team; ``text``: in these words."""

    model_config = shown_as(memory="5f1d0c7e9a3b4d2f8e6a1c0b9d8e7f605f1d0c7e", text="Releases go out on Tuesdays.")

    memory: Name
    text: Said | None = Field(None, description="What the team shall read, where that is not the memory's own text.")


async def layer_of(access: WithAccess) -> Layer:
    """The layer of the caller's team. Raises HTTPException: 404 without one, and 403 where a policy denies it."""
    if access.layer is None:
        raise HTTPException(404, "There is no layer for you: your key is of no team that shares memories.")
    access.comply("shared", await access.partition(writes=False), access.user)
    return access.layer


WithLayer = Annotated[Layer, Depends(layer_of)]
router = APIRouter(prefix="/v1/shared", tags=["shared"])


@router.get("", summary="What your team shares, newest first", response_model=MemoriesOut)
async def list_shared(engine: WithEngine, layer: WithLayer, limit: Limit = 100, cursor: Cursor = None) -> Response:
    where, asked = layer.scope, ListFilter(namespace=layer.scope.namespace, settled=True)
    page, after = await engine.memories.lists.page(where.partition, asked, after=position_at(cursor), limit=limit)
    return await answer_with(
        "data", page, partial(MemoryOut.shown, redactor=engine.redactor), next_cursor=cursor_at(after)
    )


@router.post("", status_code=201, summary="Propose a memory of yours to your team: a curator decides")
async def share(access: WithAccess, partition: WritePartition, layer: WithLayer, asked: ProposalIn) -> MemoryOut:
    engine = access.engine
    memory = await engine.memories.get(partition, asked.memory)
    if is_layer(partition) or not access.speaks_for(partition, memory.user):
        raise HTTPException(403, "Only the person may propose a memory, with a key of their own.")
    by = await _name_of(access, memory)
    try:
        copy = await propose(
            engine.ledger, engine.memories, memory, layer.scope, text=asked.text, by=by, redactor=engine.redactor
        )
    except UnfitError as error:
        raise HTTPException(409, str(error)) from None
    return MemoryOut.shown(copy, engine.redactor)


@router.get("/proposals", summary="What you proposed and nobody decided yet, newest first")
async def list_proposals(
    access: WithAccess, partition: ReadPartition, limit: Limit = 100, cursor: Cursor = None
) -> MemoriesOut:
    engine = access.engine
    waiting = await proposed(engine.ledger, engine.memories, namespace(partition, access.user))
    page, following = page_after(waiting, cursor, limit, mark=lambda memory: memory.id)
    return MemoriesOut(data=[MemoryOut.shown(one, engine.redactor) for one in page], next_cursor=following)


class BecameOut(Shape):
    """`memory`: the copy's id, by which it is withdrawn; `state`: it waits, or is shared; null: neither."""

    memory: str | None
    state: Literal["proposed", "shared"] | None


@router.get("/of/{memory_id}", summary="What became of a memory that you proposed")
async def read_proposal(access: WithAccess, partition: ReadPartition, memory_id: str) -> BecameOut:
    engine = access.engine
    memory = await engine.memories.get(partition, memory_id)
    return BecameOut.model_validate(await became(engine.ledger, memory), from_attributes=True)


@router.delete("/proposals/{memory_id}", status_code=204, response_class=Response, summary="Withdraw a proposal")
async def withdraw_proposal(access: WithAccess, partition: WritePartition, memory_id: str) -> None:
    engine = access.engine
    proposers = await engine.ledger.people.proposals.proposers(memory_id, partition)
    for user in [user for user in proposers if access.speaks_for(partition, user)] or [access.user]:
        await withdraw(engine.ledger, engine.memories, namespace(partition, user), memory_id)


async def _name_of(access: Access, memory: Memory) -> str:
    """How a curator is told whose proposal it is."""
    labels = await access.engine.ledger.people.register.labels()
    label = labels.get(memory.partition) or memory.partition
    return label if memory.user == access.user else f"{memory.user} ({label})"
