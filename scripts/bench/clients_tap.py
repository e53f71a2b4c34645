"""A tap before the proxy: passes everything on, and notes each request with what memory said of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from bed.loopback import Loopback
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a client, and the memory headers of its answer."""

    method: str
    path: str
    agent: str
    status: int
    memory: str
    reason: str


class Tap(Loopback):
    """Listens on a free port before ``target``."""

    def __init__(self, target: str) -> None:
        super().__init__(self._pass)
        self.asked: list[Asked] = []
        self._client = httpx.AsyncClient(base_url=target, timeout=120, trust_env=False)

    def take(self) -> list[Asked]:
        """What was asked since the last look."""
        taken, self.asked = self.asked, []
        return taken

    async def _pass(self, request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOP]
        url = httpx.URL(path=request.url.path, query=request.url.query.encode())
        sent = self._client.build_request(request.method, url, headers=headers, content=await request.body())
        answer = await self._client.send(sent, stream=True)
        told = answer.headers.get("x-memory-status", ""), answer.headers.get("x-memory-reason", "")
        agent = request.headers.get("user-agent", "")
        self.asked.append(Asked(request.method, request.url.path, agent, answer.status_code, *told))
        passed = {name: value for name, value in answer.headers.items() if name not in _HOP}
        body: AsyncIterator[bytes] = answer.aiter_raw()
        return StreamingResponse(body, answer.status_code, passed, background=BackgroundTask(answer.aclose))
