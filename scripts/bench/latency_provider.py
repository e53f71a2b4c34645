"""A provider that costs little: one fixed answer, whole or as a stream at the pace of a quick model."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

ANSWER: Final = "Good question. It works as you described it, and nothing has to change for that."
FIRST_TOKEN_SECONDS = 0.02
TOKEN_SECONDS = 0.005

_HEAD: Final[dict[str, Any]] = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": "gpt-4o-mini"}
_USAGE: Final = {"prompt_tokens": 11, "completion_tokens": 16, "total_tokens": 27}


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({**_HEAD, "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


WHOLE: Final = json.dumps(
    {
        **_HEAD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
).encode()
STREAM: Final = (
    _chunk({"role": "assistant", "content": ""}),
    *(_chunk({"content": f"{word} "}) for word in ANSWER.split()),
    _chunk({}, "stop"),
    b"data: [DONE]\n\n",
)


async def answer(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """The ASGI app: a chat completion for whatever is asked, streamed when the body says so."""
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    streams = json.loads(body + message["body"]).get("stream") is True
    media = b"text/event-stream" if streams else b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media)]})
    if streams:
        await asyncio.sleep(FIRST_TOKEN_SECONDS)
        for frame in STREAM:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
            await asyncio.sleep(TOKEN_SECONDS)
    await send({"type": "http.response.body", "body": b"" if streams else WHOLE})


@contextmanager
def running() -> Iterator[str]:
    """Its address, for as long as it runs in a process of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        number = listening.fileno()
        process = subprocess.Popen([sys.executable, __file__, str(number)], pass_fds=[number])
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    config = uvicorn.Config(
        answer, lifespan="off", ws="none", log_level="critical", timeout_graceful_shutdown=1, timeout_keep_alive=3600
    )
    uvicorn.Server(config).run([socket.socket(fileno=int(sys.argv[1]))])
