"""People over HTTP: which partitions there are and whose, one's own switches, and all that is held on a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import StreamingResponse
from pydantic import Field, model_validator

from litellm_memory.api.jobs import JobOut, begun
from litellm_memory.api.paging import Cursor, Limit, page_after
from litellm_memory.api.portable import NDJSON
from litellm_memory.api.shapes import AllowanceOut, LayerOut, shown_as
from litellm_memory.care.given import Moment, Name, Shape
from litellm_memory.care.person import lines_on
from litellm_memory.engine import Engine
from litellm_memory.gate.access import Access, ReadPartition, Verified, WithAccess, WithEngine, WritePartition
from litellm_memory.identity.layers import layer_partition
from litellm_memory.ledger import Held, Place, Switch, Switches


class PartitionOut(Shape):
    """A partition: who holds it, by names of its keys that LiteLLM verified, and how much is in it."""

    partition: str
    label: str | None
    teams: list[str]
    keys: list[str]
    memories: int
    waiting: int
    users: int
    last_seen: datetime | None


class PartitionsOut(Shape):
    """One page of partitions, those seen last come first."""

    data: list[PartitionOut]
    next_cursor: str | None


class MeOut(Shape):
    """What memory may do for the requests of one user, and who says so."""

    partition: str
    user: str
    label: str | None
    recall: AllowanceOut
    learn: AllowanceOut
    shared: AllowanceOut
    layer: LayerOut | None


class SwitchIn(Shape):
    """Whether it is paused, and until when; without a time, until it is resumed. ``agreed``: yes to an ``opt_in``."""

    paused: bool | None = None
    until: Moment | None = None
    agreed: bool | None = None

    @model_validator(mode="after")
    def _pauses_until(self) -> SwitchIn:
        if self.until is not None and not self.paused:
            raise ValueError("until tells when a pause ends: give it with paused: true")
        return self


class MeIn(Shape):
    """What is paused or agreed to from now on; what is left out stays as it is."""

    model_config = shown_as(learn={"paused": True, "until": "2026-12-01T08:00:00Z"})

    recall: SwitchIn | None = None
    learn: SwitchIn | None = None
    shared: SwitchIn | None = None


class PlaceOut(Shape):
    """Where memory of a person is: a whole partition, or with ``user`` one user inside a team's."""

    id: str
    partition: str
    user: str | None
    label: str | None


class PlacesOut(Shape):
    """Every place of one person."""

    data: list[PlaceOut]


class PersonIn(Shape):
    """A person, by a name that LiteLLM verified or by the id of a partition."""

    model_config = shown_as(name="ada@example.org")

    name: Name


class ErasePersonIn(PersonIn):
    """A person to erase, and the ids of all their places, as ``POST /v1/people`` tells them."""

    model_config = shown_as(name="ada@example.org", confirmed=["5f1d0c7e9a3b4d2f8e6a1c0b9d8e7f60"])

    confirmed: list[Annotated[str, Field(max_length=64)]] = Field(default_factory=list, max_length=1000)


class ErasuresOut(Shape):
    """The erasures that were begun, one for each place; each is followed, and is a receipt once done, as a job."""

    data: list[JobOut]


router = APIRouter(prefix="/v1", tags=["people"])
_User = Annotated[Name | None, Query(description="The user; your own when left out.")]


@router.get("/partitions", summary="The partitions and whose they are; yours alone unless you are an operator")
async def list_partitions(
    engine: WithEngine, caller: Verified, limit: Limit = 100, cursor: Cursor = None
) -> PartitionsOut:
    own = None if caller.master else await Access(engine, caller).partition(writes=False)
    held = await engine.ledger.people.register.held(own)
    page, following = page_after(held, cursor, limit, mark=lambda one: one.partition)
    teams = (await engine.ledger.people.register.of_groups())["team"] if caller.master else {}
    layers = {layer_partition(team): f"shared by {label}" for team, label in teams.items()}
    return PartitionsOut(data=[_held(one, layers.get(one.partition)) for one in page], next_cursor=following)


@router.get("/me", summary="What memory may do for your requests, and who says so")
async def read_me(access: WithAccess, partition: ReadPartition, user: _User = None) -> MeOut:
    return await _me(access, partition, user or access.user)


@router.put("/me", summary="Pause, resume or agree to recall and learning for yourself")
async def change_me(access: WithAccess, partition: WritePartition, asked: MeIn, user: _User = None) -> MeOut:
    whose = user or access.user
    changes: dict[Switch, SwitchIn | None] = {"recall": asked.recall, "learn": asked.learn, "shared": asked.shared}
    if any(change and change.agreed for change in changes.values()) and not access.speaks_for(partition, whose):
        raise HTTPException(403, "Only the person may agree to this, with a key of their own.")
    ends_a_pause = any(change and (change.paused is False or change.until) for change in changes.values())
    if ends_a_pause and not access.caller.master and not access.speaks_for(partition, whose):
        raise HTTPException(403, "Only the person or an operator may end what the person paused.")
    for name, change in changes.items():
        if change is not None:
            await _change(access.engine.ledger.people.switches, partition, whose, name, change)
    return await _me(access, partition, whose)


async def _change(switches: Switches, partition: str, user: str, name: Switch, change: SwitchIn) -> None:
    if change.paused:
        await switches.pause(partition, user, name, change.until)
    elif change.paused is not None:
        await switches.resume(partition, user, name)
    if change.agreed:
        await switches.agree(partition, user, name)
    elif change.agreed is not None:
        await switches.withdraw(partition, user, name)


@router.get(
    "/export/person",
    summary="All that is held on you, or on one user, as lines of JSON",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {}}, "description": "Newline-delimited JSON."}},
)
async def export_person(
    engine: WithEngine,
    partition: ReadPartition,
    user: Annotated[Name | None, Query(description="One user; all of the partition when left out.")] = None,
) -> StreamingResponse:
    lines = lines_on(engine.ledger, engine.memories, partition, user, redactor=engine.redactor)
    return StreamingResponse(lines, media_type=NDJSON)


@router.post("/people", summary="Every place of a person, by name; for operators")
async def find_person(engine: WithEngine, caller: Verified, asked: PersonIn) -> PlacesOut:
    return PlacesOut(data=[_place(one) for one in await _places(engine, caller, asked.name)])


@router.post("/people/erase", status_code=202, summary="Erase a person by name from every file; for operators")
async def erase_person(engine: WithEngine, caller: Verified, asked: ErasePersonIn) -> ErasuresOut:
    places = await _places(engine, caller, asked.name)
    if {place.id for place in places} != set(asked.confirmed):
        told = ", ".join(place.id for place in places)
        raise HTTPException(409, f"Erasing cannot be undone. All places of this person: {told}. Confirm exactly these.")
    return ErasuresOut(data=[begun(engine, await engine.erasure.ask(place.partition, place.user)) for place in places])


async def _places(engine: Engine, caller: Verified, name: str) -> list[Place]:
    if not caller.master:
        raise HTTPException(403, "Only the master key and the operator's own may look for people.")
    return await engine.ledger.people.register.places(name)


async def _me(access: Access, partition: str, user: str) -> MeOut:
    standing = access.standing(partition, user)
    labels = await access.engine.ledger.people.register.labels()
    return MeOut(
        partition=partition,
        user=user,
        label=labels.get(partition),
        recall=AllowanceOut.shown(standing.recall),
        learn=AllowanceOut.shown(standing.learn),
        shared=AllowanceOut.shown(standing.shared),
        layer=LayerOut.shown(access.layer),
    )


def _held(one: Held, label: str | None) -> PartitionOut:
    return PartitionOut.model_validate(replace(one, label=one.label or label), from_attributes=True)


def _place(one: Place) -> PlaceOut:
    return PlaceOut.model_validate(one, from_attributes=True)
