"""Authentication and authorisation of the sidecar: LiteLLM's own keys, each in its own partition. Routes depend on
this."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, FastAPI, HTTPException, Query, Request

from litellm_memory.engine import Engine
from litellm_memory.errors import NotFoundError, UnauthorizedError
from litellm_memory.gate.rates import KEY_HEADERS, Authenticate, Rates, name_of
from litellm_memory.gate.turns import CALLER, Turns
from litellm_memory.identity import Layer, is_partition, layer_of, own_user, partition_of
from litellm_memory.identity.layers import NAMED, layer_partition
from litellm_memory.identity.partition import bound_by
from litellm_memory.identity.users import delegates
from litellm_memory.ledger import Allowance, Standing, Switch
from litellm_memory.metrics import Shared
from litellm_memory.models import Caller, Scope
from litellm_memory.settings import PoliciesSettings, Settings

METRICS: Final = "/metrics"
"""What watches over a proxy waits for nobody, whatever the operator asks besides."""
OPERATOR = Caller(master=True)
EVERYWHERE: Final = "*"
"""In place of a partition's name: all of them."""
_ALL: Final = "Only the master key and the operator's own may ask about all partitions."
_ONE: Final = "This acts in one partition: GET /v1/partitions lists them."
_PAUSED: Final = "Its person has paused this: `litellm-memory resume`, or `PUT /v1/me`."
_FORBIDDEN: Final = {
    "off": "A policy of the settings says `off`: policies.{name}.{place}.",
    "opt_in": "A policy of the settings says `opt_in`: agree first, with `litellm-memory agree`, or in `PUT /v1/me`.",
}


@dataclass(frozen=True, slots=True)
class Served:
    """What the routes of one app need. ``open_on_loopback``: this host may read routing without a key."""

    engine: Engine
    authenticate: Authenticate
    shared: Shared
    open_on_loopback: bool = False
    rates: Rates | None = None
    """``authenticate`` within limits, in an app that has been attached to."""
    turns: Turns = field(default_factory=Turns)

    def attach_to(self, app: FastAPI) -> None:
        """Gives this to the routes of ``app``; LiteLLM's own app keeps its state under other names."""

        async def verify(headers: Mapping[str, str]) -> Caller:
            return OPERATOR if _is_operator(headers, self.engine.settings) else await self.authenticate(headers)

        rates = Rates(verify, lambda: self.engine.settings.sidecar.requests_per_minute)
        app.state.litellm_memory = replace(self, rates=rates)

    async def caller_of(self, request: Request) -> Caller:
        """The verified caller of a request. Raises UnauthorizedError, or 429 above a limit."""
        assert self.rates is not None
        caller = await self.rates(headers_of(request), request.client.host if request.client else "")
        if request.scope.get("path") != METRICS:
            await self.turns.places.take(name_of(caller), request.scope)
        return caller


@dataclass(frozen=True, slots=True)
class Access:
    """A verified caller and the partition that the request names; only the master key may name another one.

    It may name it by its id, by the beginning of that, or by a name of its holder.
    """

    engine: Engine
    caller: Caller
    named: str | None = None

    @property
    def layer(self) -> Layer | None:
        """What the caller's team shares; None where it shares nothing."""
        return layer_of(self.caller, self.engine.settings)

    def given(self, partition: str, user: str) -> Layer | None:
        """As ``layer``, as far as it is given to requests of this caller as this user of its own partition."""
        standing = self.standing(partition, user)
        is_own = partition == partition_of(self.caller, self.engine.settings.identity.partition)
        return self.layer if is_own and standing.recall.allowed and standing.shared.allowed else None

    def may_read(self, layer: str, partition: str, user: str) -> bool:
        """True for the partition of what is ``given`` to this user, and for any with the master key."""
        given = self.given(partition, user)
        return self.caller.master or (given is not None and given.scope.partition == layer)

    @property
    def user(self) -> str:
        """The user whom a request of this caller is about when nothing names one."""
        identity = self.engine.settings.identity
        return own_user(self.caller, identity) or identity.default_user_id

    def standing(self, partition: str, user: str) -> Standing:
        """What memory may do for this caller's requests as this user, and who says so.

        In another's partition an operator is told of no policy: which one holds there is up to the keys of others.
        """
        switches, settings = self.engine.ledger.people.switches, self.engine.settings
        if self.caller.master and partition != partition_of(self.caller, settings.identity.partition):
            settings = settings.model_copy(update={"policies": PoliciesSettings()})
        return switches.standing(Scope(partition, user), self.caller, datetime.now(UTC), settings)

    def speaks_for(self, partition: str, user: str) -> bool:
        """True when a word of this caller is the word of that user.

        It is that of anybody in its own partition; in a team's, its own, or that of any user when the key may act for
        end users.
        """
        identity = self.engine.settings.identity
        if partition != partition_of(self.caller, identity.partition):
            return False
        in_team = bound_by(self.caller, identity.partition) == "team"
        return not in_team or user == self.user or delegates(self.caller, identity)

    def comply(self, name: Switch, partition: str, user: str, *, by_model: bool = False) -> None:
        """Raises HTTPException 403 where a policy does not allow this caller to recall or to teach.

        ``by_model``: what is found goes to a model, or comes from one, which a person's own pause forbids as well.
        """
        one: Allowance = getattr(self.standing(partition, user), name)
        if by_model and one.by == "person" and not one.allowed:
            raise HTTPException(403, _PAUSED)
        if one.by == "policy" and not one.allowed and one.ruling is not None:
            raise HTTPException(403, _FORBIDDEN[one.ruling.policy].format(name=name, place=one.ruling))

    async def partition(self, *, writes: bool) -> str:
        """The partition to act in: the named one, or else the caller's own.

        Raises HTTPException: 403 for a key without a user, team or key of its own, for a layer that the caller does
        not curate, and for all partitions; 404 for another's partition; 400 for a master key that names all of them,
        or that ``writes``, has several partitions to choose from and names none; NotFoundError for a partition that
        nobody knows; AmbiguousNameError for a name of several.
        """
        if self.named == EVERYWHERE:
            raise HTTPException(400, _ONE) if self.caller.master else HTTPException(403, _ALL)
        own = partition_of(self.caller, self.engine.settings.identity.partition)
        if own is None:
            raise HTTPException(403, "This key belongs to no user, team or key that memory can be bound to.")
        if self.named is not None and (layer := self.layer) is not None and layer.is_called(self.named):
            if not layer.curated:
                raise HTTPException(403, "Only a curator of the team may act in what it shares: see GET /v1/shared.")
            return layer.scope.partition
        if self.named is not None and self.named != own and not self.caller.master:
            raise HTTPException(404, "There is no such partition.")
        if writes and self.caller.master and self.named is None and await self.engine.ledger.partitions.all() - {own}:
            raise HTTPException(400, "There are several partitions: name the one that is meant with ?partition=.")
        return own if self.named is None or self.named == own else await self._named(self.named, writes=writes)

    async def _named(self, name: str, *, writes: bool) -> str:
        ledger = self.engine.ledger
        if name.startswith(NAMED):
            name = layer_partition(await ledger.people.register.team(name.removeprefix(NAMED)))
        # The first memory of a partition may be the operator's import.
        if writes and is_partition(name):
            return name
        if name in await ledger.partitions.all():
            return name
        try:
            return await ledger.people.register.partition(name)
        except NotFoundError:
            # A ledger that is new to its store knows the partitions there once it has listed all memories.
            await self.engine.memories.lists.fill()
            return await ledger.people.register.partition(name)


async def served(request: Request) -> Served:
    """What the routes of this request's app need."""
    found: Served = request.app.state.litellm_memory
    return found


ServedHere = Annotated[Served, Depends(served)]


async def engine_of(served: ServedHere) -> Engine:
    """The engine of this request's app."""
    return served.engine


async def verified(request: Request, served: ServedHere) -> Caller:
    """The verified caller of a request: the operator, or a caller that LiteLLM accepts. Raises 400 and 401."""
    if b"%00" in request.scope.get("query_string", b"") or "\0" in request.scope.get("path", ""):
        # PostgreSQL takes no such text, and a ledger that refuses a question would pass for one that is away.
        raise HTTPException(400, "No id or name has a NUL character.")
    if not carries_key(request):
        raise HTTPException(401, "This route needs a LiteLLM key: `Authorization: Bearer <key>`.")
    try:
        caller = await served.caller_of(request)
    except UnauthorizedError as error:
        raise HTTPException(401, str(error)) from None
    CALLER.set(partition_of(caller, served.engine.settings.identity.partition) or "")
    return caller


WithEngine: TypeAlias = Annotated[Engine, Depends(engine_of)]
Verified: TypeAlias = Annotated[Caller, Depends(verified)]
Named: TypeAlias = Annotated[
    str | None,
    Query(
        alias="partition",
        max_length=256,
        description="The partition to act in, by its id or its holder's name; only the master key may name another's, "
        "or all of them by `*` where a route sums over them.",
    ),
]


async def access_of(engine: WithEngine, caller: Verified, named: Named = None) -> Access:
    """Where the caller may act; for a route whose body decides between reading and writing."""
    return Access(engine, caller, named)


WithAccess: TypeAlias = Annotated[Access, Depends(access_of)]


async def read_partition(access: WithAccess) -> str:
    """The partition that a route reads. Raises as ``Access.partition`` does."""
    return await access.partition(writes=False)


async def read_partitions(access: WithAccess) -> str | None:
    """The partition that a route sums over; None for all of them, which an operator means who names none."""
    if access.caller.master and access.named in (None, EVERYWHERE):
        return None
    return await access.partition(writes=False)


async def write_partition(access: WithAccess) -> str:
    """The partition that a route changes. Raises as ``Access.partition`` does."""
    return await access.partition(writes=True)


ReadPartition: TypeAlias = Annotated[str, Depends(read_partition)]
ReadPartitions: TypeAlias = Annotated[str | None, Depends(read_partitions)]
WritePartition: TypeAlias = Annotated[str, Depends(write_partition)]


def carries_key(request: Request) -> bool:
    """True when the request has anything that LiteLLM could accept as a key."""
    return any(name in request.headers for name in KEY_HEADERS)


def headers_of(request: Request) -> dict[str, str]:
    """The request's headers, names in lower case, without cookies: browsers send those for any page."""
    return {name.lower(): value for name, value in request.headers.items() if name.lower() != "cookie"}


def _is_operator(headers: Mapping[str, str], settings: Settings) -> bool:
    """True for the operator's own key of the settings; a request without a key never has it."""
    given = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key", "")
    if settings.sidecar.api_key is None or not given.strip():
        return False
    return hmac.compare_digest(given.encode(), settings.sidecar.api_key.get_secret_value().encode())
