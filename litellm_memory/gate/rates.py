"""Rate limits: of the requests of a verified caller, and of the keys that an address tries; 429 with Retry-After."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, TypeAlias

from fastapi import HTTPException

from litellm_memory.errors import UnauthorizedError
from litellm_memory.models import Caller

Authenticate: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Caller]]
"""The caller that the key in a request's headers belongs to, by LiteLLM's own code; raises UnauthorizedError."""
KEY_HEADERS: Final = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key")

CALLERS: Final = 10_000
"""Size of the LRU cache of callers; an evicted one starts again with a full bucket."""
WAYS_OF_A_CALLER: Final = 8
"""Combinations of key headers by which a caller is known: one who varies them pushes out only their own."""
ADDRESSES: Final = 10_000
"""Size of the LRU cache of addresses."""
REFUSALS: Final = 60
"""Invalid keys per minute that LiteLLM is asked about for one address; beyond that only known keys pass from there."""


@dataclass(slots=True)
class _Bucket:
    """A token bucket: it fills evenly, up to one minute's worth. Times are seconds of a monotonic clock."""

    left: float
    at: float

    def take(self, now: float, a_minute: int) -> None:
        """Takes a token. Raises 429 while there is none."""
        self.left = min(float(a_minute), self.left + (now - self.at) * a_minute / 60)
        self.at = now
        if self.left < 1:
            seconds = math.ceil((1 - self.left) * 60 / a_minute)
            told = {"retry-after": str(seconds)}
            raise HTTPException(429, f"Too many requests: try again in {seconds} s.", headers=told)
        self.left -= 1


@dataclass(slots=True)
class _Verified:
    """A caller that LiteLLM has verified, and the hashes of the key headers that it was known by."""

    bucket: _Bucket
    ways: OrderedDict[str, None] = field(default_factory=OrderedDict)


class Rates:
    """Wraps an ``Authenticate`` with rate limits. Keys are stored as hashes.

    Refused keys are counted by address and not kept, so that nobody who tries keys out makes a known one unknown.
    """

    def __init__(
        self, authenticate: Authenticate, a_minute: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._authenticate = authenticate
        self._a_minute = a_minute
        self._clock = clock
        self._callers: OrderedDict[str, _Verified] = OrderedDict()
        self._ways: dict[str, str] = {}
        """The caller that was verified by the key headers with this hash."""
        self._addresses: OrderedDict[str, _Bucket] = OrderedDict()

    async def __call__(self, headers: Mapping[str, str], address: str = "") -> Caller:
        """The caller that the key belongs to. Raises UnauthorizedError, or 429 above a limit."""
        way = _way_of(headers)
        known = self._ways.get(way)
        if known is not None:
            self._count(known)
            try:
                return await self._authenticate(headers)
            except UnauthorizedError:
                self._forget_way(known, way)
                raise
        tries = self._tries_of(_network_of(address))
        tries.take(self._clock(), REFUSALS)
        caller = await self._authenticate(headers)
        tries.left += 1
        self._remember(name_of(caller), way)
        self._count(name_of(caller))
        return caller

    def _count(self, name: str) -> None:
        self._callers.move_to_end(name)
        self._callers[name].bucket.take(self._clock(), self._a_minute())

    def _remember(self, name: str, way: str) -> None:
        known = self._callers.setdefault(name, _Verified(_Bucket(self._a_minute(), self._clock())))
        known.ways[way] = None
        self._ways[way] = name
        if len(known.ways) > WAYS_OF_A_CALLER:
            self._forget_way(name, next(iter(known.ways)))
        if len(self._callers) > CALLERS:
            _, gone = self._callers.popitem(last=False)
            for old in gone.ways:
                self._ways.pop(old, None)

    def _forget_way(self, name: str, way: str) -> None:
        self._ways.pop(way, None)
        if name in self._callers:
            self._callers[name].ways.pop(way, None)

    def _tries_of(self, address: str) -> _Bucket:
        bucket = self._addresses.setdefault(address, _Bucket(REFUSALS, self._clock()))
        self._addresses.move_to_end(address)
        if len(self._addresses) > ADDRESSES:
            self._addresses.popitem(last=False)
        return bucket


def _way_of(headers: Mapping[str, str]) -> str:
    given = "\0".join(headers.get(name, "") for name in KEY_HEADERS)
    return sha256(given.encode("utf-8", "surrogatepass")).hexdigest()


def name_of(caller: Caller) -> str:
    """What tells a verified caller from others: the key, else who it belongs to."""
    return "master" if caller.master else f"key {caller.key}" if caller.key else f"{caller.user!r} of {caller.team!r}"


def is_loopback(address: str) -> bool:
    """True for an address of this host."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _network_of(address: str) -> str:
    """The address; of IPv6 the network, whose addresses one host may choose among."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    # On a socket for both versions, every IPv4 address is one of a single network of IPv6.
    plain = parsed.ipv4_mapped or parsed if isinstance(parsed, ipaddress.IPv6Address) else parsed
    return str(plain) if plain.version == 4 else str(ipaddress.ip_network((int(plain), 64), strict=False))
