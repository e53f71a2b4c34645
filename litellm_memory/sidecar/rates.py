"""Rate limit per key: 429 with Retry-After, before LiteLLM is asked about the key."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from fastapi import HTTPException

from litellm_memory.errors import UnauthorizedError
from litellm_memory.models import Caller
from litellm_memory.sidecar.access import KEY_HEADERS, Authenticate

KEYS: Final = 10_000
"""Size of the LRU cache of keys; an evicted key starts again with a full bucket."""
REFUSALS: Final = 60
"""Unknown keys per minute, of all callers together, that LiteLLM is asked about; beyond that only known keys pass."""


@dataclass(slots=True)
class _Bucket:
    """A token bucket: it fills evenly, up to one minute's worth. Times are seconds of a monotonic clock."""

    left: float
    at: float
    known: bool = False
    """LiteLLM accepted the key."""

    def take(self, now: float, a_minute: int) -> float:
        """0 when a request may pass, else the seconds until the next one may."""
        self.left = min(float(a_minute), self.left + (now - self.at) * a_minute / 60)
        self.at = now
        if self.left >= 1:
            self.left -= 1
            return 0
        return (1 - self.left) * 60 / a_minute


class Rates:
    """Wraps an ``Authenticate`` with a rate limit. Keys are stored as hashes."""

    def __init__(
        self, authenticate: Authenticate, a_minute: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._authenticate = authenticate
        self._a_minute = a_minute
        self._clock = clock
        self._keys: OrderedDict[str, _Bucket] = OrderedDict()
        self._refusals = _Bucket(REFUSALS, clock())

    async def __call__(self, headers: Mapping[str, str]) -> Caller:
        """The caller that the key belongs to. Raises UnauthorizedError, or 429 above the limit."""
        bucket = self._bucket_of(headers)
        wait = bucket.take(self._clock(), self._a_minute())
        if not wait and not bucket.known and self._refusals.left < 1:
            wait = self._refusals.take(self._clock(), REFUSALS)
        if wait:
            seconds = math.ceil(wait)
            told = {"retry-after": str(seconds)}
            raise HTTPException(429, f"Too many requests: try again in {seconds} s.", headers=told)
        try:
            caller = await self._authenticate(headers)
        except UnauthorizedError:
            self._refusals.take(self._clock(), REFUSALS)
            raise
        bucket.known = True
        return caller

    def _bucket_of(self, headers: Mapping[str, str]) -> _Bucket:
        given = "\0".join(headers.get(name, "") for name in KEY_HEADERS)
        digest = sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
        bucket = self._keys.setdefault(digest, _Bucket(self._a_minute(), self._clock()))
        self._keys.move_to_end(digest)
        if len(self._keys) > KEYS:
            self._keys.popitem(last=False)
        return bucket
