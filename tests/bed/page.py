"""Somebody who looks at the page in a browser, and a clock for their session."""

from __future__ import annotations

from typing import Any, Self

import httpx
from fastapi import FastAPI


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Visitor:
    """A browser with the page open: it keeps the cookie, and sends the CSRF token with what changes something."""

    def __init__(self, app: FastAPI, *, base: str = "http://localhost", root_path: str = "") -> None:
        transport = httpx.ASGITransport(app, root_path=root_path)
        self.client = httpx.AsyncClient(transport=transport, base_url=base)
        self.csrf = ""

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self.client.__aexit__(*raised)

    async def sign_in(self, key: str) -> httpx.Response:
        """What signing in with a key was answered with."""
        return self._entered(await self.client.post("/api/session", json={"key": key}))

    async def claim(self, claim: str) -> httpx.Response:
        """What signing in with LiteLLM's claim was answered with."""
        return self._entered(await self.client.post("/api/plugin-auth", json={"session_claim": claim}))

    async def get(self, path: str, **query: str) -> httpx.Response:
        return await self.client.get(f"/api/{path}", params=query)

    async def post(self, path: str, /, **body: Any) -> httpx.Response:
        return await self.client.post(f"/api/{path}", json=body, headers={"x-csrf-token": self.csrf})

    async def delete(self, path: str) -> httpx.Response:
        return await self.client.delete(f"/api/{path}", headers={"x-csrf-token": self.csrf})

    def _entered(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == 201:
            self.csrf = answer.json()["csrf"]
        return answer
