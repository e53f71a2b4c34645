"""Tells which of several workers answered: loaded inside LiteLLM as ``bed.worker.worker``."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from typing import Any

from fastapi import APIRouter
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy import proxy_server

HEADER = "x-bed-worker"

MOST_FILES = 256


class Worker(CustomLogger):
    """Puts the process id on every answer."""

    async def async_post_call_response_headers_hook(self, *arguments: Any, **named: Any) -> dict[str, str]:
        """The header."""
        return {HEADER: str(os.getpid())}


router = APIRouter()


@router.get("/bed/worker")
async def _worker() -> dict[str, Any]:
    return {"pid": os.getpid(), "listens": sorted(_listens())}


def _listens() -> set[int]:
    """The ports that this process listens on."""
    ports = set()
    for number in range(MOST_FILES):
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue  # What is no socket would leave its copy open.
            with socket.socket(fileno=os.dup(number)) as found:
                if found.family == socket.AF_INET and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    ports.add(int(found.getsockname()[1]))
    return ports


proxy_server.app.include_router(router)
worker = Worker()
