"""A client of the sidecar in the standard library's HTTP: httpx takes longer to import than most commands to run."""

from __future__ import annotations

import asyncio
import json as jsons
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from litellm_memory.errors import LiteLLMMemoryError

CHUNK_BYTES: Final = 2**16


class UnreachableError(LiteLLMMemoryError):
    """Nothing listens at the sidecar's address."""


class BrokenError(LiteLLMMemoryError):
    """What listens there does not answer, or broke off."""


class PlainAnswer:
    """One answer, as httpx shows it."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response
        self.status_code = response.status
        self.headers = response.headers
        self.content = b""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code < 300

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The value of a JSON answer. Raises ValueError."""
        return jsons.loads(self.content)

    async def aread(self) -> bytes:
        """All that is left of the body."""
        self.content = self._response.read()
        return self.content

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body in pieces. Raises BrokenError."""
        with _broken():
            while chunk := self._response.read1(CHUNK_BYTES):
                yield chunk
            if self._response.length:
                raise HTTPException("the body is shorter than was said")


class PlainClient:
    """Asks one sidecar, one request after another; a command has nothing else to do meanwhile."""

    def __init__(self, base_url: str, headers: Mapping[str, str], *, timeout: float) -> None:
        self._base = urlsplit(base_url)
        self._headers = dict(headers)
        self._timeout = timeout

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpx has it
    ) -> PlainAnswer:
        """The whole answer. Raises UnreachableError or BrokenError."""
        body, more = (
            (content, {}) if json is None else (jsons.dumps(json).encode(), {"content-type": "application/json"})
        )
        await asyncio.sleep(0)  # Here a command ends that was interrupted while it waited for the answer before.
        with self._sent(method, path, params or {}, body, {**more, **(headers or {})}, timeout) as answer:
            with _broken():
                await answer.aread()
            return answer

    @asynccontextmanager
    async def stream(self, method: str, path: str, *, params: Mapping[str, Any]) -> AsyncIterator[PlainAnswer]:
        """The answer before its body was read."""
        with self._sent(method, path, params, None, {}, None) as answer:
            yield answer

    @contextmanager
    def _sent(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float | None,
    ) -> Iterator[PlainAnswer]:
        kind = HTTPSConnection if self._base.scheme == "https" else HTTPConnection
        connection = kind(self._base.hostname or "", self._base.port, timeout=timeout or self._timeout)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise UnreachableError(f"Nothing listens at {self._base.geturl()} ({type(error).__name__}).") from None
            with _broken():
                connection.request(method, self._path(path, params), body, {**self._headers, **headers})
                answer = PlainAnswer(connection.getresponse())
            yield answer
        finally:
            connection.close()

    def _path(self, path: str, params: Mapping[str, Any]) -> str:
        given = urlencode({name: value for name, value in params.items() if value is not None}, doseq=True)
        return f"{self._base.path.rstrip('/')}{path}{'?' if given else ''}{given}"


@contextmanager
def _broken() -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPException) as error:
        raise BrokenError(f"The sidecar does not answer ({type(error).__name__}).") from None
