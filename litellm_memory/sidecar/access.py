"""Who may see what on the sidecar: LiteLLM's own keys, each in its own partition."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeAlias

from fastapi import HTTPException, Query, Request

from litellm_memory.engine import Engine
from litellm_memory.errors import UnauthorizedError
from litellm_memory.identity import partition_of
from litellm_memory.models import Caller
from litellm_memory.settings import Settings

Authenticate: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Caller]]
"""Who the key in a request's headers stands for, by LiteLLM's own code; raises UnauthorizedError."""
KEY_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key")

PartitionParameter: TypeAlias = Annotated[
    str | None, Query(max_length=64, description="The partition to act in; only the master key may name another's.")
]


async def caller_of(request: Request, authenticate: Authenticate, settings: Settings) -> Caller:
    """The verified caller of a request: the operator, or who LiteLLM says. Raises 401."""
    if _is_operator(request, settings):
        return Caller(master=True)
    if not carries_key(request):
        raise HTTPException(401, "This route needs a LiteLLM key: `Authorization: Bearer <key>`.")
    try:
        return await authenticate(headers_of(request))
    except UnauthorizedError as error:
        raise HTTPException(401, str(error)) from None


def carries_key(request: Request) -> bool:
    """True when the request carries anything that LiteLLM could take for a key."""
    return any(name in request.headers for name in KEY_HEADERS)


def headers_of(request: Request) -> dict[str, str]:
    """The request's headers, names in lower case. A cookie is not among them: browsers send it whoever asks."""
    return {name.lower(): value for name, value in request.headers.items() if name.lower() != "cookie"}


def is_loopback(request: Request) -> bool:
    """True when the request came from this host."""
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def partition_for(caller: Caller, settings: Settings, named: str | None) -> str:
    """The partition that a request acts in: the caller's own; the master key may name another."""
    own = partition_of(caller, settings.identity.partition)
    if own is None:
        raise HTTPException(403, "This key belongs to no user, team or key that memory can be bound to.")
    if named is None or named == own:
        return own
    if not caller.master:
        raise HTTPException(404, "There is no such partition.")
    return named


async def partition_to_write(caller: Caller, engine: Engine, named: str | None) -> str:
    """The partition that a request writes or deletes in. Raises 400 when the master key has to name one and did not."""
    acting = partition_for(caller, engine.settings, named)
    if caller.master and named is None and await engine.ledger.partitions.all() - {acting}:
        raise HTTPException(400, "There are several partitions: name the one that is meant with ?partition=.")
    return acting


def _is_operator(request: Request, settings: Settings) -> bool:
    """True for the operator's own key of the settings."""
    if settings.sidecar.api_key is None:
        return False
    given = request.headers.get("authorization", "").removeprefix("Bearer ") or request.headers.get("x-api-key", "")
    return hmac.compare_digest(given.encode(), settings.sidecar.api_key.get_secret_value().encode())
