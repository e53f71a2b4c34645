"""What a shell completes: ids, users and projects of the running sidecar. Without one, nothing, and at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import typer

from litellm_memory.client.address import address_in
from litellm_memory.client.plain_http import PlainClient
from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.terminal.print import short

SECONDS: Final = 1.0
"""Timeout of what a key press waits for."""
NEWEST: Final = 200
"""Memories whose ids and projects are offered."""


def ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Short ids of the newest memories that begin so, each with its text."""
    found = [(short(row["id"]), " ".join(row["text"].split())[:60]) for row in _newest(ctx)]
    return [(one, text) for one, text in found if one.startswith(incomplete)]


def users(ctx: typer.Context, incomplete: str) -> list[str]:
    """Users who have memories."""
    return _beginning(incomplete, (row["user"] for row in _rows(ctx, "/v1/namespaces?limit=1000")))


def projects(ctx: typer.Context, incomplete: str) -> list[str]:
    """Projects of the newest memories."""
    return _beginning(incomplete, (row["project"] for row in _newest(ctx) if row["project"]))


def _beginning(incomplete: str, found: Iterable[str]) -> list[str]:
    return sorted({one for one in found if one.startswith(incomplete)})


def _newest(ctx: typer.Context) -> list[dict[str, Any]]:
    user = ctx.params.get("user")
    return _rows(ctx, f"/v1/memories?limit={NEWEST}" + (f"&user={quote(user)}" if user else ""))


def _rows(ctx: typer.Context, path: str) -> list[dict[str, Any]]:
    given = ctx.params
    address = given.get("url") or address_in(Path(given.get("config") or "config.yaml"))
    key = given.get("key") or os.environ.get("LITELLM_MASTER_KEY", "")
    if address is None:
        return []
    partition = f"&partition={quote(given['partition'])}" if given.get("partition") else ""
    http = PlainClient(address, {"authorization": f"Bearer {key}"}, timeout=SECONDS)
    try:
        answer = asyncio.run(http.request("GET", path + partition))
        return list(answer.json()["data"]) if answer.is_success else []
    except (LiteLLMMemoryError, ValueError, KeyError, TypeError):
        return []  # A shell shows an error in the middle of what is being typed.
