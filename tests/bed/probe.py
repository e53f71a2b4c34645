"""A tiny plugin that only writes down what LiteLLM does to it, loaded inside LiteLLM as ``bed.probe.probe``."""

from __future__ import annotations

import atexit
import os
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy import proxy_server
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.auth.user_api_key_auth import user_api_key_auth

ENDED = Path(os.environ["BED_ENDED"]) if "BED_ENDED" in os.environ else None
FAILING = "failing"
"""A request whose id begins so fails in the pre-call hook."""

_asked: ContextVar[str | None] = ContextVar("bed_probe", default=None)
_seen: dict[str, list[dict[str, Any]]] = {}


def _note(hook: str, **facts: Any) -> None:
    """Write down that ``hook`` ran, under the request's own id, which only the wrap knows from a header."""
    _seen.setdefault(_asked.get() or "", []).append({"hook": hook, **facts})


class Heir(CustomLogger):
    """Hooks for a class that merely inherits them. The log is the one that LiteLLM finds there."""

    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> None:
        """Writes down that it ran."""
        _note("inherited pre-call")

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Writes down that it ran."""
        _note("inherited log")


class Leaf(Heir):
    """Has every hook of its parent, and none of its own."""


class Probe(CustomLogger):
    """Writes down each hook that memory rests on."""

    async def async_pre_call_hook(
        self, user_api_key_dict: UserAPIKeyAuth, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """Writes down what it was given; fails when the request asks for that."""
        body = data.get("data") if call_type == "allm_passthrough_route" else data
        _note(
            "pre-call",
            call_type=call_type,
            body_keys=sorted(body) if isinstance(body, dict) else None,
            headers="proxy_server_request" in data,
            key=user_api_key_dict.api_key,
            user=user_api_key_dict.user_id,
        )
        if (_asked.get() or "").startswith(FAILING):
            raise ValueError("asked to fail")
        return data

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> None:
        """Writes down whether the wire body is there, and whose call it is."""
        metadata = kwargs.get("litellm_metadata") or {}
        _note("deployment", json=isinstance(kwargs.get("json"), dict), user=metadata.get("user_api_key_user_id"))

    async def async_post_call_response_headers_hook(self, *arguments: Any, **named: Any) -> dict[str, str]:
        """Gives the client a header."""
        _note("headers")
        return {"x-probe-hook": "seen"}

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Writes down that it ran."""
        _note("log")


class Wrap:
    """An ASGI app round LiteLLM's, put there after the app has started."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Keeps the request's id for all hooks and adds a header to the answer."""
        headers = dict(scope.get("headers", ()))
        token = _asked.set(headers.get(b"x-probe-id", b"").decode() or None)

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-probe-wrap", b"seen")]}
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            _asked.reset(token)


def _middleware_refusal() -> str:
    try:
        proxy_server.app.add_middleware(Wrap)
    except RuntimeError as error:
        return str(error)
    return "none"


def _wrap_shutdown() -> None:
    inner = proxy_server.proxy_shutdown_event

    async def closing(*arguments: Any, **named: Any) -> None:
        _end("shutdown")
        await inner(*arguments, **named)

    proxy_server.proxy_shutdown_event = closing


def _end(how: str) -> None:
    if ENDED is not None:
        with ENDED.open("a", encoding="utf-8") as file:
            file.write(how + "\n")


router = APIRouter()


@router.get("/probe/seen/{asked}")
async def _hooks_seen(asked: str) -> list[dict[str, Any]]:
    return _seen.get(asked, [])


@router.get("/probe/caller")
async def _caller(key: UserAPIKeyAuth = Depends(user_api_key_auth)) -> dict[str, Any]:  # noqa: B008  FastAPI's own way
    return {"key": key.api_key, "user": key.user_id}


@router.get("/probe/start")
async def _start() -> dict[str, Any]:
    return START


START = {
    "middleware": _middleware_refusal(),
    "config_file": proxy_server.user_config_file_path,
    "section": proxy_server.proxy_config.get_config_state().get("bed_section"),
}
proxy_server.app.middleware_stack = Wrap(proxy_server.app.middleware_stack)
proxy_server.app.include_router(router)
_wrap_shutdown()
atexit.register(_end, "atexit")
probe = Probe()
leaf = Leaf()
