"""Import of conversations: what a person said in them is learned as if it came through the proxy, with its own time."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from fastapi import Request as Asking
from fastapi.exceptions import RequestValidationError
from pydantic import Field, StringConstraints, ValidationError

from litellm_memory.api.portable import PlannedOut, alone
from litellm_memory.api.preview import BY_PATH, few_values
from litellm_memory.api.shapes import shown_as
from litellm_memory.care.given import Moment, Name, Shape
from litellm_memory.engine import Engine, Heard, Request, SaidThen, Taken, heard_in, take
from litellm_memory.gate.access import Access, ServedHere, WithAccess
from litellm_memory.gate.apart import answer_with, apart
from litellm_memory.identity import partition_of
from litellm_memory.models import Caller, Scope

MOST_CONVERSATIONS: Final = 200
MOST_SAID: Final = 20_000
"""Of a conversation: as many as can be read of one."""
MASTER_KEY: Final = "litellm_proxy_master_key"
"""As LiteLLM names the master key in a spend row."""
NOT_YOURS: Final = "another_partition"


class SaidIn(Shape):
    """When a message was said, and the answer that ended its turn."""

    at: Moment
    reply: Annotated[str, StringConstraints(max_length=32_000)] | None = None


class CallerIn(Shape):
    """The key that a spend row names, as LiteLLM verified it; from the operator alone."""

    user: Name | None = None
    team: Name | None = None
    key: Name | None = None
    key_alias: Name | None = None


class ConversationIn(Shape):
    """One conversation as its client would send it, to ``path``, or in a format that its shape shows.

    ``said`` belongs to its last messages in the person's name.
    """

    path: str = Field("", max_length=2000)
    headers: Mapping[str, str] = Field(default_factory=dict)
    body: Mapping[str, Any]
    said: Annotated[list[SaidIn], Field(min_length=1, max_length=MOST_SAID)]
    user: Name | None = None
    caller: CallerIn | None = None


class ConversationsIn(Shape):
    """Some conversations, oldest first."""

    model_config = shown_as(
        conversations=[
            {
                "headers": {"user-agent": "claude-cli/2.1.0", "x-claude-code-session-id": "b1f0"},
                "body": {"messages": [{"role": "user", "content": "My staging database is called heron-42."}]},
                "said": [{"at": "2026-05-01T10:00:00Z", "reply": "Noted."}],
            }
        ]
    )

    conversations: Annotated[list[ConversationIn], Field(min_length=1, max_length=MOST_CONVERSATIONS)]


class OwnerOut(Shape):
    """Whose memory new messages go to."""

    partition: str
    user: str
    messages: int


class PastOut(Shape):
    """The person's messages: new ones, known ones, and those that nothing is learned from, by the reason.

    ``memories`` is there in a dry run alone.
    """

    taken: int
    known: int
    left_out: dict[str, int]
    owners: list[OwnerOut]
    memories: list[PlannedOut]


router = APIRouter(prefix="/v1", tags=["export and import"])


async def read_apart(request: Asking) -> ConversationsIn:
    """The body of a request. Raises 413 for more values than can be read, and 422."""
    try:
        return await apart(partial(_read, await request.body()))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from None


def _read(content: bytes) -> ConversationsIn:
    return ConversationsIn.model_validate_json(few_values(content))


async def owner_of(access: WithAccess, given: Annotated[ConversationsIn, Depends(read_apart)]) -> str | None:
    """The partition of conversations that name no key; None where rows go to those of their own keys.

    Raises as ``Access.partition`` does.
    """
    by_row = all(one.caller is not None for one in given.conversations)
    return None if by_row and access.caller.master and access.named is None else await access.partition(writes=True)


@router.post(
    "/import/conversations",
    summary="Learn from conversations of the past, each message with its own time",
    response_model=PastOut,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ConversationsIn.model_json_schema()}},
        }
    },
)
async def import_conversations(
    served: ServedHere,
    access: WithAccess,
    given: Annotated[ConversationsIn, Depends(read_apart)],
    owner: Annotated[str | None, Depends(owner_of)],
    dry_run: Annotated[bool, Query(description="Nothing is kept: what would be learned is told.")] = False,
) -> Response:
    with alone(served.turns.importing, owner or ""):
        pieces = [_pieces(_heard(served.engine, access, one, owner)) for one in given.conversations]
        heard = [piece for each in pieces async for piece in each]
        return await _answer(await take(served.engine, heard, dry=dry_run))


async def _pieces(heard: Iterator[Heard]) -> AsyncIterator[Heard]:
    """Each piece, off the event loop; between two of them it is another request's turn."""
    while (piece := await apart(partial(next, heard, None))) is not None:
        yield piece


def _heard(engine: Engine, access: Access, one: ConversationIn, owner: str | None) -> Iterator[Heard]:
    caller = access.caller if one.caller is None else _caller(one.caller)
    partition = owner
    if one.caller is not None:
        partition = partition_of(caller, engine.settings.identity.partition)
        # A person's key imports its own rows alone, and the operator, where one partition is named, that one's.
        if partition is None or owner not in (None, partition):
            yield Heard.none(NOT_YOURS, len(one.said))
            return
    request = Request(secrets.token_hex(16), BY_PATH, one.path or None, _lower(one.headers), one.body, caller)
    now = datetime.now(UTC)
    said = [SaidThen(min(now, at.at), at.reply) for at in one.said]
    yield from heard_in(
        request,
        said,
        engine.settings,
        engine.ledger.key,
        engine.redactor,
        may_learn=partial(_may_learn, access),
        partition=partition,
        user=one.user,
    )


def _may_learn(access: Access, scope: Scope, caller: Caller) -> bool:
    """Whether settings, policies and keys allow it, of whoever said it and of whoever imports it.

    A pause is for what is said from then on.
    """
    asked = {caller} if access.caller.master else {caller, access.caller}
    found = [replace(access, caller=one).standing(scope.partition, scope.user).learn for one in asked]
    return all(one.allowed or one.by == "person" for one in found)


def _caller(row: CallerIn) -> Caller:
    return Caller(row.user, row.team, row.key, row.key_alias, master=row.key == MASTER_KEY)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


async def _answer(taken: Taken) -> Response:
    """As PastOut; a dry run has many memories."""
    owners = [
        OwnerOut(partition=partition, user=user, messages=count)
        for (partition, user), count in taken.owners.most_common()
    ]
    counts = {"taken": taken.taken, "known": taken.known, "left_out": dict(taken.left_out.most_common())}
    return await answer_with("memories", taken.memories, PlannedOut.shown, **counts, owners=owners)
