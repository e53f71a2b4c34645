"""How long the page's routes take with many memories in one partition: made-up texts, random vectors, one process.

Server time: from the request to the end of the answer, through the whole app and without a network. Whoever looks is
signed in, as a browser is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from bed.page import Visitor
from growth import PARTITION, Speech, build, end_owner

from litellm_memory.care.fares import percentile
from litellm_memory.engine import Engine
from litellm_memory.models import Caller
from litellm_memory.page import with_page
from litellm_memory.settings import Settings
from litellm_memory.sidecar import create_app

READER = Caller(master=True)
BROWSE = f"v1/browse?partition={PARTITION}"
TYPED = "search as you type"
FIRST_VIEW_MS, SEARCH_P95_MS = 300.0, 150.0
"""What people wait for at most: for the list when they open the page, and after each letter that they type."""


async def authenticate(headers: Mapping[str, str]) -> Caller:
    return READER


async def measured(directory: Path, memories: int, users: int, repeats: int) -> dict[str, Any]:
    """The milliseconds of each route: the first request of a new process, and p50 and p95 of the next ones."""
    settings = Settings(data_dir=directory, recall={"deadline_ms": 5000}, sidecar={"requests_per_minute": 100_000})
    began = time.perf_counter()
    await build(directory, Speech(), memories, users)
    built = time.perf_counter() - began
    engine = Engine(settings, count=lambda text: len(text.split()))
    try:
        await engine.open_data()
        # Done once in a store's life, when its ledger is new.
        await engine.memories.lists.fill()
        async with Visitor(with_page(create_app(engine, authenticate))) as visitor:
            await visitor.sign_in("any")
            figures = await _figures(visitor, repeats)
    finally:
        await engine.aclose()
        await asyncio.to_thread(end_owner, directory)
    kept = figures["first view"]["first"] <= FIRST_VIEW_MS and figures[TYPED]["p95"] <= SEARCH_P95_MS
    return {"memories": memories, "users": users, "build_s": round(built, 1), "ms": figures, "kept": kept}


async def _figures(visitor: Visitor, repeats: int) -> dict[str, dict[str, float]]:
    speech = Speech()
    words = [speech.question(number * 97) for number in range(repeats)]
    asked: dict[str, Callable[[int], Awaitable[httpx.Response]]] = {
        "first view": lambda n: visitor.post(BROWSE, state="in_force", limit=50),
        "waiting": lambda n: visitor.post(BROWSE, state="waiting", limit=50),
        # As it is typed: the beginning of a question, longer each time.
        "search as you type, one user": lambda n: visitor.post(BROWSE, query=_typed(words, n), user="user-0"),
        TYPED: lambda n: visitor.post(BROWSE, query=_typed(words, n)),
        "a rare tag": lambda n: visitor.post(BROWSE, tag="none"),
        "words of any state": lambda n: visitor.post(BROWSE, query=_typed(words, n), state="any"),
        "review": lambda n: visitor.get("v1/review", partition=PARTITION),
        "traces": lambda n: visitor.get("v1/traces", partition=PARTITION),
        "state": lambda n: visitor.get("v1/state", partition=PARTITION),
        "audit": lambda n: visitor.get("v1/audit", partition=PARTITION),
    }
    return {name: await _times(ask, repeats if name != "audit" else 3) for name, ask in asked.items()}


def _typed(words: list[str], number: int) -> str:
    said = words[number % len(words)]
    return said[: 8 + number % max(1, len(said) - 8)]


async def _times(ask: Callable[[int], Awaitable[httpx.Response]], repeats: int) -> dict[str, float]:
    taken = []
    for number in range(repeats):
        began = time.perf_counter()
        (await ask(number)).raise_for_status()
        taken.append((time.perf_counter() - began) * 1000)
    later = sorted(taken[1:])
    return {
        "first": round(taken[0], 1),
        "p50": round(percentile(later, 0.5), 1),
        "p95": round(percentile(later, 0.95), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=1, help="that the memories are spread over")
    parser.add_argument("--repeats", type=int, default=100, help="requests of each kind")
    parser.add_argument("--directory", type=Path, help="where the store is built; the system's when left out")
    options = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}", file=sys.stderr)
    with TemporaryDirectory(dir=options.directory, prefix="page-") as directory:
        work = measured(Path(directory), options.memories, options.users, options.repeats)
        print(json.dumps(asyncio.run(work), indent=2))


if __name__ == "__main__":
    main()
