"""Authentication and authorisation of the sidecar: LiteLLM's own keys, each in its own partition. Routes depend on
this."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Depends, FastAPI, HTTPException, Query, Request

from litellm_memory.engine import Engine
from litellm_memory.errors import UnauthorizedError
from litellm_memory.identity import partition_of
from litellm_memory.metrics import Shared
from litellm_memory.models import Caller
from litellm_memory.settings import Settings

Authenticate: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Caller]]
"""The caller that the key in a request's headers belongs to, by LiteLLM's own code; raises UnauthorizedError."""
KEY_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key")


@dataclass(frozen=True, slots=True)
class Served:
    """What the routes of one app need. ``open_on_loopback``: this host may read routing without a key."""

    engine: Engine
    authenticate: Authenticate
    shared: Shared
    open_on_loopback: bool = False

    def attach_to(self, app: FastAPI) -> None:
        """Gives this to the routes of ``app``; LiteLLM's own app keeps its state under other names."""
        app.state.litellm_memory = self


@dataclass(frozen=True, slots=True)
class Access:
    """A verified caller and the partition that the request names; only the master key may name another one."""

    engine: Engine
    caller: Caller
    named: str | None = None

    async def partition(self, *, writes: bool) -> str:
        """The partition to act in: the named one, or else the caller's own.

        Raises HTTPException: 403 for a key without a user, team or key of its own, 404 for another's partition, and 400
        for a master key that ``writes``, has several partitions to choose from and names none.
        """
        own = partition_of(self.caller, self.engine.settings.identity.partition)
        if own is None:
            raise HTTPException(403, "This key belongs to no user, team or key that memory can be bound to.")
        if self.named is not None and self.named != own and not self.caller.master:
            raise HTTPException(404, "There is no such partition.")
        if writes and self.caller.master and self.named is None and await self.engine.ledger.partitions.all() - {own}:
            raise HTTPException(400, "There are several partitions: name the one that is meant with ?partition=.")
        return own if self.named is None else self.named


async def served(request: Request) -> Served:
    """What the routes of this request's app need."""
    found: Served = request.app.state.litellm_memory
    return found


ServedHere = Annotated[Served, Depends(served)]


async def engine_of(served: ServedHere) -> Engine:
    """The engine of this request's app."""
    return served.engine


async def verified(request: Request, served: ServedHere) -> Caller:
    """The verified caller of a request: the operator, or a caller that LiteLLM accepts. Raises 401."""
    if _is_operator(request, served.engine.settings):
        return Caller(master=True)
    if not carries_key(request):
        raise HTTPException(401, "This route needs a LiteLLM key: `Authorization: Bearer <key>`.")
    try:
        return await served.authenticate(headers_of(request))
    except UnauthorizedError as error:
        raise HTTPException(401, str(error)) from None


WithEngine: TypeAlias = Annotated[Engine, Depends(engine_of)]
Verified: TypeAlias = Annotated[Caller, Depends(verified)]
Named: TypeAlias = Annotated[
    str | None,
    Query(
        alias="partition",
        max_length=64,
        description="The partition to act in; only the master key may name another's.",
    ),
]


async def access_of(engine: WithEngine, caller: Verified, named: Named = None) -> Access:
    """Where the caller may act; for a route whose body decides between reading and writing."""
    return Access(engine, caller, named)


WithAccess: TypeAlias = Annotated[Access, Depends(access_of)]


async def read_partition(access: WithAccess) -> str:
    """The partition that a route reads. Raises as ``Access.partition`` does."""
    return await access.partition(writes=False)


async def write_partition(access: WithAccess) -> str:
    """The partition that a route changes. Raises as ``Access.partition`` does."""
    return await access.partition(writes=True)


ReadPartition: TypeAlias = Annotated[str, Depends(read_partition)]
WritePartition: TypeAlias = Annotated[str, Depends(write_partition)]


def carries_key(request: Request) -> bool:
    """True when the request has anything that LiteLLM could accept as a key."""
    return any(name in request.headers for name in KEY_HEADERS)


def headers_of(request: Request) -> dict[str, str]:
    """The request's headers, names in lower case, without cookies: browsers send those for any page."""
    return {name.lower(): value for name, value in request.headers.items() if name.lower() != "cookie"}


def is_loopback(request: Request) -> bool:
    """True when the request came from this host."""
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _is_operator(request: Request, settings: Settings) -> bool:
    """True for the operator's own key of the settings; a request without a key never has it."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ") or request.headers.get("x-api-key", "")
    if settings.sidecar.api_key is None or not given.strip():
        return False
    return hmac.compare_digest(given.encode(), settings.sidecar.api_key.get_secret_value().encode())
