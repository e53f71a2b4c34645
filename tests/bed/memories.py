"""Memory's own HTTP API as a test speaks it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import httpx

from bed.proxy import Proxy

JSON: TypeAlias = dict[str, Any]


class Memories:
    """What a proxy's sidecar keeps, seen through ``client``. Refusals rise as httpx.HTTPStatusError."""

    def __init__(self, proxy: Proxy, client: httpx.Client) -> None:
        self._proxy = proxy
        self._client = client

    def add(self, text: str, *, user: str, **more: Any) -> JSON:
        """Keep a memory; returns it as the API answers."""
        return dict(self._json("POST", "/v1/memories", json={"text": text, "user": user, **more}))

    def search(self, query: str, *, user: str, **more: Any) -> list[JSON]:
        """What a search finds, best first: ``memory``, ``score``, ``why``."""
        return list(self._json("POST", "/v1/memories/search", json={"query": query, "user": user, **more})["results"])

    def of(self, user: str) -> list[JSON]:
        """All memories of a user."""
        found: list[JSON] = []
        params = {"user": user}
        while True:
            page = self._json("GET", "/v1/memories", params=params)
            found += page["data"]
            if not page["next_cursor"]:
                return found
            params = {"user": user, "cursor": page["next_cursor"]}

    def wait_for(self, user: str, wanted: Callable[[Sequence[JSON]], bool], *, within: float = 30.0) -> list[JSON]:
        """A user's memories as soon as they are as ``wanted``; TimeoutError after ``within`` seconds."""
        deadline = time.monotonic() + within
        while not wanted(found := self.of(user)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {within:.0f} s there are {len(found)} memories, not the ones waited for")
            self._pause()
        return found

    def wait_until_ready(self, *, within: float = 90.0) -> None:
        """Return when the sidecar says that memory is ready."""
        deadline = time.monotonic() + within
        while not self._is_ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"memory was not ready within {within:.0f} s:\n{self._proxy.log[-4000:]}")
            self._pause()

    def _is_ready(self) -> bool:
        try:
            return self._client.get("/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _pause(self) -> None:
        """Let the proxy work for a moment; RuntimeError if it has ended meanwhile."""
        if self._proxy.wait_for_exit(within=0.05) is not None:
            raise RuntimeError(f"the proxy ended:\n{self._proxy.log[-4000:]}")

    def _json(self, method: str, path: str, **request: Any) -> Any:
        return self._client.request(method, path, **request).raise_for_status().json()


def mentioning(memories: Sequence[JSON], words: str) -> list[JSON]:
    """The memories whose text holds ``words``."""
    return [memory for memory in memories if words in memory["text"]]
