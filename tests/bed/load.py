"""Load on a proxy that is killed meanwhile: what was acknowledged, and when."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from bed.memories import Memories
from bed.proxy import Proxy

MORE = 5
GRACE = 1.0
"""Seconds before a kill within which an exchange that ended may be lost."""
TIMEOUT = 20.0
PAUSE = 0.05
"""Between two sentences, so that a proxy that is down is not asked all the time."""


@dataclass(slots=True)
class Load:
    """One person who tells things, each once, by chat and by memory's own API, until the load ends."""

    proxy: Proxy
    user: str
    exchanges: dict[str, float] = field(default_factory=dict)
    """When the answer to each of these words had ended."""
    added: list[str] = field(default_factory=list)
    """The texts that the API acknowledged."""
    told: set[str] = field(default_factory=set)
    """All that was sent, also what was cut off."""
    kills: list[float] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Two threads tell things meanwhile, each one sentence after the other."""
        ended = threading.Event()
        threads = [threading.Thread(target=work, args=(ended,)) for work in (self._chat, self._add)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()

    def wait_for_more(self, *, within: float = 60.0) -> None:
        """Return when some more of both kinds were acknowledged; TimeoutError after ``within`` seconds."""
        deadline = time.monotonic() + within
        exchanges, added = len(self.exchanges) + MORE, len(self.added) + MORE
        while len(self.exchanges) < exchanges or len(self.added) < added:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{len(self.exchanges)} exchanges, {len(self.added)} memories:\n{self.proxy.log[-4000:]}"
                )
            self.proxy.wait_for_exit(within=0.05)

    def lost(self, memories: Memories) -> list[str]:
        """What should be kept and is not."""
        kept = self._kept(memories)
        return [words for words in self.due() if kept[words] == 0]

    def doubled(self, memories: Memories) -> list[str]:
        """What is kept more than once."""
        kept = self._kept(memories)
        return [words for words in self.told if kept[words] > 1]

    def due(self) -> list[str]:
        """What has to be kept: what the API acknowledged, and exchanges that ended well before a kill."""
        return [*self.added, *(words for words, ended in self.exchanges.items() if not self._too_late(ended))]

    def _too_late(self, ended: float) -> bool:
        return any(kill - GRACE <= ended <= kill for kill in self.kills)

    def _kept(self, memories: Memories) -> Counter[str]:
        return Counter(
            memory["text"]
            for memory in memories.of(self.user)
            if memory["kind"] == "episode" or memory["origin"]["role"] == "api"
        )

    def _chat(self, ended: threading.Event) -> None:
        while not ended.is_set():
            words = f"Box {next(self._numbers)} in my cellar holds blue marbles."
            body = {"model": "gpt", "messages": [{"role": "user", "content": words}]}
            if self._sent(self.proxy.url, "/v1/chat/completions", body, words):
                self.exchanges[words] = time.monotonic()
            ended.wait(PAUSE)

    def _add(self, ended: threading.Event) -> None:
        while not ended.is_set():
            words = f"Shelf {next(self._numbers)} in my attic carries green jars."
            if self._sent(self.proxy.sidecar_url, "/v1/memories", {"text": words, "user": self.user}, words):
                self.added.append(words)
            ended.wait(PAUSE)

    def _sent(self, url: str, path: str, body: object, words: str) -> bool:
        """True when it was answered well."""
        headers = {"authorization": f"Bearer {self.proxy.master_key}", "x-memory-user-id": self.user}
        self.told.add(words)
        try:
            answer = httpx.post(url + path, json=body, headers=headers, timeout=TIMEOUT, trust_env=False, verify=False)
        except httpx.HTTPError:
            return False
        return answer.is_success
