"""Tells an address of the operator's that something waits for review, and that memory stopped or works again.

Counts and ids alone: no text, no name, no key. One worker of a host tells it, never on the way of a request.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from litellm_memory.engine import Engine, Health
from litellm_memory.errors import LedgerError
from litellm_memory.files.locks import open_lock, take_lock
from litellm_memory.metrics import ALERTS

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 60.0
"""Between two looks: what changed meanwhile is told at once, and what could not be delivered is told again."""
ANSWER_SECONDS: Final = 10.0
MOST_PARTITIONS: Final = 100
"""Partitions that one message names, those with the most first."""
SIGNATURE: Final = "x-memory-signature"


@dataclass(frozen=True, slots=True)
class Address:
    """Whom to tell, and with which secret messages are signed."""

    url: str
    secret: str | None


class Alerts:
    """What was told, and what is to be told. ``waiting`` counts what waits for review, by partition."""

    def __init__(
        self,
        address: Callable[[], Address | None],
        health: Health,
        waiting: Callable[[], Awaitable[Mapping[str, int]]],
    ) -> None:
        self._address = address
        self._health = health
        self._count = waiting
        self._waiting: int | None = None
        """What was told last; None before the first look, which only counts."""
        self._parts: list[str] = []
        self._failing = False

    async def run(self, data_dir: Path) -> None:
        """Looks until cancelled, in the worker of this host that has the lock; in each where none can be had."""
        with ExitStack() as held:
            lock = None
            with suppress(OSError):
                lock = held.enter_context(await asyncio.to_thread(open_lock, data_dir / "alerts.lock"))
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if lock is None or take_lock(lock):
                    await self.look()

    async def look(self) -> None:
        """Tells what has changed since it was told last. Raises nothing: what fails is told with the next look."""
        address = self._address()
        if address is None:
            self._waiting = None
            return
        parts = sorted(self._health.problems())
        told = {"ready": self._health.ready, "parts": parts}
        if parts != self._parts and await self._tell(address, "health", told):
            self._parts = parts
        with suppress(LedgerError):
            await self._look_for_review(address, await self._count())

    async def _look_for_review(self, address: Address, waiting: Mapping[str, int]) -> None:
        count, told = sum(waiting.values()), self._waiting
        if told is not None and count > told:
            most = sorted(waiting.items(), key=lambda one: (-one[1], one[0]))[:MOST_PARTITIONS]
            named = [{"partition": partition, "waiting": number} for partition, number in most]
            if not await self._tell(address, "review", {"waiting": count, "new": count - told, "partitions": named}):
                return
        self._waiting = count

    async def _tell(self, address: Address, event: str, told: Mapping[str, Any]) -> bool:
        """True once the address has taken it."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        body = json.dumps({"event": event, "at": now, "host": socket.gethostname(), **told}).encode()
        failed = await _failure(address, body)
        ALERTS.labels(event, "failed" if failed else "sent").inc()
        if failed and not self._failing:
            logger.error("alerts.webhook takes no message (%s); it is tried again every minute.", failed)
        self._failing = failed is not None
        return not self._failing


async def keep_alerting(engine: Engine) -> None:
    """Tells what needs somebody until cancelled."""

    def address() -> Address | None:
        webhook, secret = engine.settings.alerts.webhook, engine.settings.alerts.secret
        if webhook is None:
            return None
        return Address(webhook.get_secret_value(), None if secret is None else secret.get_secret_value())

    await Alerts(address, engine.health, engine.ledger.listing.waiting).run(engine.settings.data_dir)


async def _failure(address: Address, body: bytes) -> str | None:
    """Why the address did not take a message; None when it did. It follows no redirect."""
    import httpx  # It takes a while to import, and few tell anything.

    headers = {"content-type": "application/json"}
    if address.secret is not None:
        headers[SIGNATURE] = f"sha256={hmac.digest(address.secret.encode(), body, 'sha256').hex()}"
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, follow_redirects=False) as client:
            answer = await client.post(address.url, content=body, headers=headers)
    except (httpx.HTTPError, OSError) as error:
        return type(error).__name__
    return None if answer.is_success else f"status {answer.status_code}"
