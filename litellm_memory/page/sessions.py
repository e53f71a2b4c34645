"""Who is signed in: random ids of sessions, kept in RAM with the key that each one stands for."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from fastapi import HTTPException

from litellm_memory.gate.access import Verified
from litellm_memory.gate.rates import name_of

LONGEST: Final = 12 * 3600.0
"""Seconds that a session lasts at most, however much it is used."""
LONGEST_CLAIMED: Final = 3600.0
"""Seconds for one that LiteLLM's claim began: LiteLLM cannot be asked later whether the claim still holds."""
VERIFIED_FOR: Final = 60.0
"""Seconds after which a key is verified again."""
MOST_SESSIONS: Final = 10_000
"""With one more, the oldest of whoever has the most ends: nobody signs others out by signing in."""

Verify: TypeAlias = Callable[[], Awaitable[Verified]]
"""The caller that a session stands for; raises HTTPException: 401 when LiteLLM does not accept the key any more."""


@dataclass(slots=True)
class Session:
    """Somebody who is signed in. Times are seconds of a monotonic clock."""

    id: str
    csrf: str
    caller: Verified
    verify: Verify
    verified: float
    ends: float


class Sessions:
    """The sessions of one sidecar; they end with it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: OrderedDict[str, Session] = OrderedDict()

    async def begin(self, verify: Verify, *, seconds: float = LONGEST) -> Session:
        """A new session of the caller that ``verify`` finds. Raises what it raises."""
        caller, now = await verify(), self._clock()
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        session = Session(token, csrf, caller, verify, verified=now, ends=now + seconds)
        self._open[_name(token)] = session
        if len(self._open) > MOST_SESSIONS:
            self._end_one()
        return session

    async def find(self, token: str) -> Session:
        """The session with this id. Raises HTTPException: 401 when there is none, when it is over, and once its key is
        refused."""
        session, now = self._open.get(_name(token)), self._clock()
        if session is None or now >= session.ends:
            self.end(token)
            raise HTTPException(401, "You are signed out: sign in with your LiteLLM key.")
        if now - session.verified >= VERIFIED_FOR:
            try:
                session.caller = await session.verify()
            except HTTPException as refused:
                if refused.status_code == 401:
                    self.end(token)
                raise
            session.verified = now
        return session

    def _end_one(self) -> None:
        whose = {name: name_of(session.caller) for name, session in self._open.items()}
        [(most, _)] = Counter(whose.values()).most_common(1)
        del self._open[next(name for name, caller in whose.items() if caller == most)]

    def end(self, token: str) -> None:
        """Signs out. Idempotent."""
        self._open.pop(_name(token), None)


def is_token_of(session: Session, given: str) -> bool:
    """True for the CSRF token of this session."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), session.csrf.encode())


def _name(token: str) -> str:
    # By its hash, so that the time of a lookup tells nothing of an id.
    return sha256(token.encode("utf-8", "replace")).hexdigest()
